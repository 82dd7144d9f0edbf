# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs that look at keyframes for depth and pose the frames between.

The network has random weights: its depth means nothing, so these tests hold what is true of any.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.camera_file import CameraFile, CameraView, write_camera_file
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.inference.predictor import Predictor
from da3_blender.pipeline import create_pipeline
from tests.engine.test_pipeline_runs import make_checkpoint

FRAMES = 30
ROBOT = Path(__file__).resolve().parents[3] / "shared" / "data" / "robot_unitree.mp4"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A pan over a picture with structure everywhere, a little faster than the eye follows."""
    folder = tmp_path_factory.mktemp("shot")
    rng = np.random.default_rng(1)
    wide = Image.fromarray(rng.integers(0, 255, (24, 90, 3), dtype=np.uint8))
    wide = wide.resize((900, 240), Image.Resampling.BICUBIC)
    for number in range(FRAMES):
        picture = wide.crop((8 * number, 0, 8 * number + 320, 240))
        picture.save(folder / f"shot_{number + 1:04d}.jpg", quality=90)
    return folder


class Watcher:
    """What a run tells, and a wish to stop, or to end and keep, when a word is told."""

    def __init__(self, stop_at="", end_at=""):
        self.told, self.notes, self.shares = [], [], []
        self.stop_at, self.end_at = stop_at, end_at

    def hear(self, stage, share, detail, _left):
        self.told.append(f"{stage}: {detail}")
        self.shares.append(share)

    def has_told(self, word):
        return bool(word) and any(word in text for text in self.told)

    def make_progress(self):
        return Progress(
            self.hear,
            lambda: self.has_told(self.stop_at),
            self.notes.append,
            wants_end=lambda: self.has_told(self.end_at),
        )


def run(folder, frames, checkpoint, watcher=None, **changes):
    watcher = watcher or Watcher()
    settings = RunSettings(
        **{
            "inputs": (str(frames),),
            "output": str(folder / "out"),
            "input_kind": "SEQUENCE",
            "cameras": "DA3",
            "model": "da3-small",
            "checkpoint": str(checkpoint),
            "process_resolution": 84,
            "chunk_frames": 8,
            "square_pixels": False,
            "keyframes": "AUTO",
            "world_up": "NONE",
            **changes,
        }
    )
    summary = create_pipeline().run(settings, watcher.make_progress())
    return load_result(folder / "out"), watcher, summary


@pytest.fixture(scope="module")
def posed(tmp_path_factory, frames, checkpoint):
    return run(tmp_path_factory.mktemp("posed"), frames, checkpoint)


@pytest.fixture(scope="module")
def keys_only(tmp_path_factory, frames, checkpoint):
    return run(tmp_path_factory.mktemp("keys"), frames, checkpoint, pose_between=False)


def test_every_frame_has_a_camera_and_keyframes_have_points(posed):
    result, watcher, summary = posed
    assert [view["frame"] for view in result.views] == list(range(1, FRAMES + 1))
    w2c, K = np.array(result.load("w2c")), np.array(result.load("K"))
    assert w2c.shape == (FRAMES, 4, 4)
    assert K.shape == (FRAMES, 3, 3)
    assert np.allclose(w2c[:, :3, :3] @ np.swapaxes(w2c[:, :3, :3], 1, 2), np.eye(3), atol=1e-6)
    keys = np.array(result.load("depth_view"))
    assert keys[0] == 0
    assert keys[-1] == FRAMES - 1
    assert 6 <= len(keys) <= FRAMES // 2
    assert result.load("depth").shape[0] == result.load("grid_from_photo").shape[0] == len(keys)
    assert set(np.unique(result.load("point_view"))) == set(keys.tolist())
    assert result.manifest["lost"] == []
    assert (summary["cameras"], summary["views"], summary["lost"]) == (FRAMES, FRAMES, 0)
    assert any(f"{len(keys)} of {FRAMES} frames" in note for note in watcher.notes)
    assert watcher.shares == sorted(watcher.shares)


def test_the_keyframes_are_those_of_a_run_without_the_frames_between(posed, keys_only):
    result, _, summary = keys_only
    keys = np.array(posed[0].load("depth_view"))
    assert [view["frame"] for view in result.views] == (keys + 1).tolist()
    assert not result.has("depth_view")
    assert result.manifest["lost"] == []
    assert summary["lost"] == 0
    assert np.array_equal(np.array(posed[0].load("w2c"))[keys], result.load("w2c"))
    assert np.array_equal(posed[0].load("points"), result.load("points"))
    assert np.array_equal(posed[0].load("depth"), result.load("depth"))


def test_nothing_is_left_beside_the_result(posed, keys_only):
    for result, _, _ in (posed, keys_only):
        assert [path.name for path in result.folder.parent.iterdir()] == ["out"]


def test_short_sequences_have_keyframes_too(tmp_path, frames, checkpoint):
    result, watcher, _ = run(
        tmp_path, frames, checkpoint, chunk_frames=120, keyframes="COUNT", keyframe_count=5
    )
    assert len(result.views) == FRAMES
    assert result.load("depth").shape[0] == 5
    assert not watcher.has_told("chunk")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("chunk_frames", [8, 12])  # keyframes in chunks, and in one look
def test_a_run_that_was_stopped_between_goes_on(
    tmp_path, frames, checkpoint, posed, monkeypatch, chunk_frames
):
    whole = posed
    if chunk_frames == 12:
        whole = run(tmp_path / "whole", frames, checkpoint, chunk_frames=chunk_frames)
    folder = tmp_path / "again"
    with pytest.raises(CancelledError):
        run(folder, frames, checkpoint, Watcher("between: group 3"), chunk_frames=chunk_frames)
    assert [path.name for path in folder.iterdir()] == ["out.chunks"]
    done = sorted(path.name for path in (folder / "out.chunks" / "between").glob("*.npz"))
    assert done == ["between_00000.npz", "between_00001.npz"]
    looked = []
    predict = Predictor.predict

    def count(self, images, options=None, *rest):
        pictures = list(images)
        looked.append(len(pictures))
        return predict(self, pictures, options, *rest)

    monkeypatch.setattr(Predictor, "predict", count)
    again, watcher, _ = run(folder, frames, checkpoint, chunk_frames=chunk_frames)
    groups = int(next(t for t in watcher.told if ": group " in t).split(" of ")[1])
    keys_again = 0 if chunk_frames == 8 else 1  # one look is not stored
    assert len(looked) == groups - 2 + keys_again
    for name in ("w2c", "K", "points", "depth"):
        assert np.array_equal(again.load(name), whole[0].load(name)), name


def test_ending_between_keeps_the_keyframes(tmp_path, frames, checkpoint, keys_only):
    watcher = Watcher(end_at="between: group 2")
    result, _, summary = run(tmp_path, frames, checkpoint, watcher)
    assert summary["is_partial"]
    assert np.array_equal(result.load("w2c"), keys_only[0].load("w2c"))
    assert any("ended early" in note for note in watcher.notes)


def test_memory_that_runs_out_makes_smaller_groups(tmp_path, frames, checkpoint, monkeypatch):
    predict = Predictor.predict

    def predict_few(self, images, options=None, *rest):
        pictures = list(images)
        if len(pictures) > 10:
            raise EngineError(ErrorCode.OUT_OF_MEMORY, "too much", "less")
        return predict(self, pictures, options, *rest)

    monkeypatch.setattr(Predictor, "predict", predict_few)
    result, watcher, _ = run(
        tmp_path, frames, checkpoint, chunk_frames=120, keyframes="COUNT", keyframe_count=4
    )
    assert len(result.views) == FRAMES
    assert any("groups of 6" in note or "groups of 12" in note for note in watcher.notes)


def test_filters_and_single_views_of_such_a_result(tmp_path, frames, checkpoint, posed):
    result, _, _ = posed
    keys = np.array(result.load("depth_view")).tolist()
    settings = dict(result.manifest["settings"])
    settings |= {"reuse": str(result.folder), "output": str(tmp_path / "out")}
    changed = RunSettings.from_json(settings | {"max_points": 20_000})
    create_pipeline().run(changed, Watcher().make_progress())
    again = load_result(tmp_path / "out")
    assert 10_000 < len(again.load("points")) <= 20_000 < len(result.load("points"))
    assert set(np.unique(again.load("point_view"))) == set(keys)
    assert np.array_equal(again.load("depth_view"), keys)
    one = RunSettings.from_json(
        settings | {"only_views": (result.views[keys[2]]["name"],), "output": str(tmp_path / "b")}
    )
    create_pipeline().run(one, Watcher().make_progress())
    fresh = load_result(tmp_path / "b")
    assert np.array_equal(fresh.load("w2c"), result.load("w2c"))
    same = [
        np.array_equal(a, b) for a, b in zip(fresh.load("depth"), result.load("depth"), strict=True)
    ]
    assert same.count(False) == 1
    assert not same[2]
    between = next(n for n in range(FRAMES) if n not in keys)
    bad = RunSettings.from_json(
        settings | {"only_views": (result.views[between]["name"],), "output": str(tmp_path / "c")}
    )
    with pytest.raises(EngineError, match="between keyframes"):
        create_pipeline().run(bad, Watcher().make_progress())


def test_photos_have_no_keyframes(tmp_path, frames, checkpoint):
    result, _, _ = run(tmp_path, frames, checkpoint, input_kind="PHOTOS", frame_end=None)
    assert len(result.views) == FRAMES
    assert not result.has("depth_view")


@pytest.mark.skipif(not ROBOT.exists(), reason="the shared video is not here")
def test_a_real_video(tmp_path, checkpoint):
    result, watcher, _ = run(
        tmp_path, ROBOT, checkpoint, input_kind="VIDEO", frame_end=60, keyframes="AUTO"
    )
    assert len(result.views) == 60
    assert [view["frame"] for view in result.views] == list(range(1, 61))
    assert 2 <= len(result.load("depth_view")) < 20
    assert watcher.has_told("Choosing keyframes: 60 of 60")


def test_known_cameras_hold_for_all_frames_and_keyframes_have_depth(tmp_path, frames, checkpoint):
    w2c = np.tile(np.eye(4), (FRAMES, 1, 1))
    w2c[:, 0, 3] = -0.05 * np.arange(FRAMES)
    with Image.open(min(frames.iterdir())) as picture:
        width, height = picture.size
    K = np.tile(np.array([[1.2 * width, 0, width / 2], [0, 1.2 * width, height / 2], [0, 0, 1]]),
                (FRAMES, 1, 1))  # fmt: skip
    views = tuple(CameraView("", frame, width, height) for frame in range(1, FRAMES + 1))
    write_camera_file(tmp_path / "cameras.json", CameraFile(views, w2c, K, fps=25.0))
    result, _, summary = run(
        tmp_path, frames, checkpoint, known_cameras=str(tmp_path / "cameras.json")
    )
    assert summary["solver"] == "Known cameras + DA3"
    np.testing.assert_allclose(result.load("w2c"), w2c, atol=1e-9)
    np.testing.assert_allclose(result.load("K"), K)
    keys = np.array(result.load("depth_view"))
    assert 2 <= len(keys) < FRAMES
    assert len(keys) == len(result.load("depth"))
    used = np.unique(result.load("point_view"))
    assert set(used.tolist()) - {-1} <= set(keys.tolist())
