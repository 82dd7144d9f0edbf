# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of sequences that go through the network in chunks.

The network has random weights: its depth means nothing, so these tests hold what is true of any.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.live import read_live_chunk, read_live_places
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.inference.predictor import Predictor
from da3_blender.pipeline import create_pipeline
from tests.engine.test_pipeline_runs import make_checkpoint

FRAMES = 22


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A pan over a picture with structure everywhere."""
    folder = tmp_path_factory.mktemp("shot")
    rng = np.random.default_rng(1)
    wide = Image.fromarray(rng.integers(0, 255, (24, 90, 3), dtype=np.uint8))
    wide = wide.resize((900, 240), Image.Resampling.BICUBIC)
    for number in range(FRAMES):
        picture = wide.crop((20 * number, 0, 20 * number + 320, 240))
        picture.save(folder / f"shot_{number + 1:04d}.jpg", quality=90)
    return folder


class Watcher:
    """What a run tells, and a wish to stop after some chunks."""

    def __init__(self, stop_after=None, end_after=None):
        self.details, self.notes, self.shown, self.shares = [], [], [], []
        self.stop_after, self.end_after = stop_after, end_after
        self.live = []

    @property
    def chunks(self):
        return len({d.split(",")[0] for d in self.details if d.startswith("chunk ")})

    def hear(self, _stage, share, detail, _left):
        self.details.append(detail)
        self.shares.append(share)

    def make_progress(self):
        return Progress(
            self.hear,
            lambda: self.stop_after is not None and self.chunks >= self.stop_after,
            self.notes.append,
            self.show,
            lambda: self.end_after is not None and self.chunks >= self.end_after,
        )

    def show(self, found):
        """Read what Blender would read now."""
        self.shown.append(found)
        places = read_live_places(Path(found["live"]))
        chunks = [read_live_chunk(Path(found["live"]), n) for n in range(len(places))]
        self.live.append((places, chunks))


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
            **changes,
        }
    )
    create_pipeline().run(settings, watcher.make_progress())
    return load_result(folder / "out"), watcher


@pytest.fixture(scope="module")
def long(tmp_path_factory, frames, checkpoint):
    return run(tmp_path_factory.mktemp("long"), frames, checkpoint)


def test_every_frame_has_a_camera_and_its_own_part_of_the_cloud(long):
    result, watcher = long
    assert [view["frame"] for view in result.views] == list(range(1, FRAMES + 1))
    w2c, K = result.load("w2c"), result.load("K")
    assert w2c.shape == (FRAMES, 4, 4)
    assert np.allclose(w2c[:, :3, :3] @ np.swapaxes(w2c[:, :3, :3], 1, 2), np.eye(3), atol=1e-6)
    assert np.ptp(K[:, 0, 0]) == 0  # one lens
    assert len(np.unique(result.load("point_view"))) == FRAMES
    assert result.load("depth").shape[0] == FRAMES
    assert any("4 chunks" in note for note in watcher.notes)


def test_points_lie_on_their_frames(long, frames):
    result, _ = long
    points, views = np.array(result.load("points")), np.array(result.load("point_view"))
    w2c, K = np.array(result.load("w2c")), np.array(result.load("K"))
    for view in (0, 9, FRAMES - 1):
        mine = views == view
        local = points[mine] @ w2c[view, :3, :3].T + w2c[view, :3, 3]
        pixels = (local / local[:, 2:]) @ K[view].T
        column, row = np.floor(pixels[:, 0]).astype(int), np.floor(pixels[:, 1]).astype(int)
        # one lens for all moves the edges of the frames whose own lens was another
        inside = (column >= -4) & (column < 324) & (row >= -4) & (row < 244)
        assert inside.mean() > 0.99


def test_nothing_is_left_beside_the_result(long):
    result, _ = long
    assert [path.name for path in result.folder.parent.iterdir()] == ["out"]


def test_the_way_so_far_is_shown(long):
    _, watcher = long
    counts = [shown["cameras"] for shown in watcher.shown]
    assert counts == sorted(counts)
    assert counts[0] < FRAMES == counts[-1]


def test_chunks_can_be_watched_in_their_places(long):
    result, watcher = long
    assert [len(places) for places, _ in watcher.live[:4]] == [1, 2, 3, 4]
    places, chunks = watcher.live[-1]
    w2c = np.concatenate([p.apply_to_w2c(c.w2c) for p, c in zip(places, chunks, strict=True)])
    frames = np.concatenate([chunk.frames for chunk in chunks])
    assert frames.tolist() == list(range(1, FRAMES + 1))
    assert w2c.shape == result.load("w2c").shape
    for place, chunk in zip(places, chunks, strict=True):
        # what a chunk shows lies in front of its cameras, before and after it is moved
        moved = place.apply_to_points(chunk.points)
        depth = moved @ place.apply_to_w2c(chunk.w2c)[0, 2, :3]
        depth += place.apply_to_w2c(chunk.w2c)[0, 2, 3]
        own = chunk.points @ chunk.w2c[0, 2, :3] + chunk.w2c[0, 2, 3]
        assert np.allclose(depth, place.scale * own, rtol=1e-3, atol=1e-3 * abs(own).max())
        assert chunk.size.tolist() == [320, 240]
        assert len(chunk.points) == len(chunk.colours) > 100


def test_the_files_of_the_live_view_are_gone_in_the_end(long):
    result, _ = long
    assert not list(result.folder.glob("live*"))


def test_what_is_found_can_be_kept(tmp_path, frames, checkpoint):
    result, watcher = run(tmp_path, frames, checkpoint, Watcher(end_after=3))
    count = len(result.views)
    assert 8 < count < FRAMES
    assert [view["frame"] for view in result.views] == list(range(1, count + 1))
    assert result.manifest["is_partial"]
    assert len(result.load("w2c")) == count
    assert any("ended early" in note for note in watcher.notes)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_progress_grows_with_the_chunks(long):
    _, watcher = long
    first = next(i for i, detail in enumerate(watcher.details) if detail.startswith("chunk 1"))
    assert watcher.shares[first] < 0.4
    assert watcher.shares == sorted(watcher.shares)


def test_a_run_that_was_cancelled_goes_on_with_its_chunks(
    tmp_path, frames, checkpoint, long, monkeypatch
):
    with pytest.raises(CancelledError):
        run(tmp_path, frames, checkpoint, Watcher(stop_after=2))
    assert [path.name for path in tmp_path.iterdir()] == ["out.chunks"]
    looked = []
    predict = Predictor.predict

    def count(self, images, options=None, *rest):
        looked.append(1)
        return predict(self, images, options, *rest)

    monkeypatch.setattr(Predictor, "predict", count)
    again, _ = run(tmp_path, frames, checkpoint)
    assert len(looked) <= 3
    for name in ("w2c", "K", "points", "depth"):
        assert np.array_equal(again.load(name), long[0].load(name)), name
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_chunks_of_other_settings_are_not_taken(tmp_path, frames, checkpoint):
    with pytest.raises(CancelledError):
        run(tmp_path, frames, checkpoint, Watcher(stop_after=2))
    result, _ = run(tmp_path, frames, checkpoint, process_resolution=98)
    assert result.load("depth").shape[2] == 98


def test_memory_that_runs_out_makes_smaller_chunks(tmp_path, frames, checkpoint, monkeypatch):
    predict = Predictor.predict

    def predict_few(self, images, options=None, *rest):
        pictures = list(images)
        if len(pictures) > 9:
            raise EngineError(ErrorCode.OUT_OF_MEMORY, "too much", "less")
        return predict(self, pictures, options, *rest)

    monkeypatch.setattr(Predictor, "predict", predict_few)
    result, watcher = run(tmp_path, frames, checkpoint, chunk_frames=16)
    assert len(result.views) == FRAMES
    assert any("chunks of 8" in note for note in watcher.notes)


def test_chunks_fit_into_the_free_memory(tmp_path, frames, checkpoint, monkeypatch):
    describe, looked = Predictor.describe_device, []

    def describe_little(self):
        # beside the weights, by the estimate, 20 frames of 84 x 70 need 6 to 8 MB and 10 half of it
        return replace(describe(self), free_bytes=5_000_000)

    predict = Predictor.predict

    def count(self, images, options=None, *rest):
        pictures = list(images)
        looked.append(len(pictures))
        return predict(self, pictures, options, *rest)

    monkeypatch.setattr(Predictor, "describe_device", describe_little)
    monkeypatch.setattr(Predictor, "predict", count)
    _, watcher = run(tmp_path, frames, checkpoint, chunk_frames=20)
    assert max(looked) == 10
    assert any("chunks of 10: 20 at once do not fit" in note for note in watcher.notes)


def test_short_sequences_and_photos_go_through_at_once(tmp_path, frames, checkpoint):
    _, watcher = run(tmp_path, frames, checkpoint, frame_end=8)
    assert not watcher.chunks
    folder = tmp_path / "photos"
    shutil.copytree(frames, folder)
    _, watcher = run(tmp_path / "b", folder, checkpoint, input_kind="PHOTOS")
    assert not watcher.chunks


def test_smaller_chunks_are_gone_on_with_too(tmp_path, frames, checkpoint, monkeypatch):
    predict, looked = Predictor.predict, []

    def predict_few(self, images, options=None, *rest):
        pictures = list(images)
        looked.append(len(pictures))
        if len(pictures) > 9:
            raise EngineError(ErrorCode.OUT_OF_MEMORY, "too much", "less")
        return predict(self, pictures, options, *rest)

    monkeypatch.setattr(Predictor, "predict", predict_few)
    with pytest.raises(CancelledError):
        run(tmp_path, frames, checkpoint, Watcher(stop_after=2), chunk_frames=16)
    looked.clear()
    result, _ = run(tmp_path, frames, checkpoint, chunk_frames=16)
    assert len(result.views) == FRAMES
    assert max(looked) == 8
    assert len(looked) <= 3


def test_frames_that_were_replaced_are_looked_at_again(tmp_path, frames, checkpoint, monkeypatch):
    own = tmp_path / "own"
    shutil.copytree(frames, own)
    with pytest.raises(CancelledError):
        run(tmp_path, own, checkpoint, Watcher(stop_after=2))
    os.utime(own / "shot_0001.jpg", ns=(1, 1))
    watcher = Watcher()
    predict, looked = Predictor.predict, []

    def count(self, images, options=None, *rest):
        looked.append(1)
        return predict(self, images, options, *rest)

    monkeypatch.setattr(Predictor, "predict", count)
    run(tmp_path, own, checkpoint, watcher)
    assert len(looked) == watcher.chunks


def test_a_chunk_is_no_measure_of_the_speed(long):
    assert long[0].manifest["speed"] is None
