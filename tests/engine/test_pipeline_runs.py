# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of the engine on the sample photos: COLMAP, DA3, both, photos and video.

The DA3 runs use a da3-small with random weights: its depth means nothing, so these tests hold
what must be true of any network (points lie on their photos, known cameras come out as they
went in). That the networks are right is shown by `check_golden.py`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from da3_blender.contract.progress import Progress
from da3_blender.contract.projection import project, unproject
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import View
from da3_blender.pipeline import create_pipeline
from da3_blender.pipeline.photos import name_copies

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "courtyard"
SHARED = ROOT.parent / "shared"
sys.path.append(str(ROOT / "tools"))


class Run:
    """One finished run with what it said on the way."""

    def __init__(self, tmp: Path, inputs, **changes) -> None:
        self.reports, self.notes = [], []
        progress = Progress(
            lambda *report: self.reports.append(report), lambda: False, self.notes.append
        )
        settings = RunSettings(tuple(str(p) for p in inputs), str(tmp / "out"), **changes)
        self.summary = create_pipeline().run(settings, progress)
        self.result = load_result(tmp / "out")
        self.views = self.result.views
        self.w2c, self.K = self.result.load("w2c"), self.result.load("K")
        self.points, self.colours = self.result.load("points"), self.result.load("colours")

    def photo(self, index: int) -> np.ndarray:
        with Image.open(self.result.photo_path(self.views[index])) as photo:
            return np.asarray(photo.convert("RGB")).astype(float)


def make_checkpoint(path: Path) -> Path:
    """A da3-small with random weights that gives finite depth and a lens of 57 degrees."""
    import torch
    from safetensors.torch import save_file

    from da3_blender.inference.weights import build_empty_network, official_key
    from da3_blender.network.presets import PRESETS

    generator = torch.Generator().manual_seed(4)
    state = {}
    for name, parameter in build_empty_network(PRESETS["da3-small"]).state_dict().items():
        value = 0.03 * torch.randn(parameter.shape, generator=generator)
        if name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
            value += 1
        if name.endswith("fc_fov.0.bias"):
            value = torch.ones(2)
        if name.endswith("fc_qvec.bias"):
            value = torch.tensor([0.0, 0, 0, 1])
        state[official_key(name)] = value
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture(scope="module")
def colmap(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("colmap"), [SAMPLES], cameras="COLMAP")


def compare(run: Run):
    from compare_cameras import compare_cameras

    names = [Path(view["name"]).name for view in run.views]
    return compare_cameras(names, run.w2c, run.K, SAMPLES)


def test_colmap_cameras_are_true(colmap):
    errors = compare(colmap)
    assert errors.count == errors.expected == 14
    assert errors.angle_worst < 0.2
    assert errors.position_worst < 0.5
    assert errors.focal_worst < 1


def test_the_summary_and_the_manifest_agree(colmap):
    summary, manifest = colmap.summary, colmap.result.manifest
    assert summary["cameras"] == len(manifest["views"]) == 14
    assert summary["points"] == len(colmap.points) > 3000
    assert summary["lost"] == 0
    assert manifest["solver"] == summary["solver"] == "COLMAP"
    assert manifest["name"] == "courtyard"
    assert manifest["source"]["kind"] == "photos"
    assert all(Path(view["photo"]).is_absolute() for view in manifest["views"])
    assert all(0 < view["residual_px"] < 1 for view in manifest["views"])
    assert "settings" in colmap.result.log_path.read_text(encoding="utf-8")
    kept = {p.name for p in colmap.result.folder.iterdir()}
    assert kept == {
        "K.npy", "colmap", "colours.npy", "confidence.npy", "log.txt", "manifest.json",
        "point_moving.npy", "point_view.npy", "point_view_count.npy", "points.npy", "w2c.npy",
    }  # fmt: skip
    assert [p.name for p in (colmap.result.folder / "colmap").iterdir()] == ["sparse"]


def test_sparse_points_lie_on_the_photos_in_their_colours(colmap):
    pixels, depth = project(colmap.points, colmap.K[6], colmap.w2c[6])
    inside = (depth > 0) & (pixels > 2).all(1) & (pixels < [1006, 670]).all(1)
    assert inside.sum() > 1000
    x, y = pixels[inside].astype(int).T
    there = colmap.photo(6)[y, x]
    difference = np.abs(there - colmap.colours[inside]).mean(1)
    # Points behind others and edges differ; most agree, and those of a moved photo would not.
    assert np.median(difference) < 25
    elsewhere = colmap.photo(6)[y, np.roll(x, 7)]
    assert np.median(np.abs(elsewhere - colmap.colours[inside]).mean(1)) > 40


def test_the_world_is_upright_and_on_the_ground(colmap):
    up = -colmap.w2c[:, 1, :3].mean(0)
    assert up[1] < -0.9  # OpenCV: up is -y; the walker looks slightly down
    assert np.quantile(colmap.points[:, 1], 0.98) == pytest.approx(0, abs=0.05)


def test_progress_is_true_and_complete(colmap):
    fractions = [fraction for _, fraction, _, _ in colmap.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.95
    stages = list(dict.fromkeys(stage for stage, *_ in colmap.reports))
    assert stages[-4:] == [
        "Matching photos",
        "Placing cameras",
        "Preparing photos",
        "Writing the result",
    ]


def check_points_lie_on_their_photos(run: Run):
    """Every dense point must be seen by its own camera where the photo has its colour."""
    view_of_point = run.result.load("point_view")
    for view in (0, len(run.views) - 1):
        mine = view_of_point == view
        pixels, depth = project(run.points[mine], run.K[view], run.w2c[view])
        assert (depth > 0).all()
        size = [run.views[view]["width"], run.views[view]["height"]]
        assert (pixels > -1e-3).all()
        assert (pixels < np.add(size, 1e-3)).all()
        grid = run.result.load("grid_from_photo")[view]
        cells = (pixels * [grid[0, 0], grid[1, 1]] + grid[:2, 2]) % 1
        assert cells == pytest.approx(0.5, abs=0.01)  # pixel centres of the depth map
        with Image.open(run.result.photo_path(run.views[view])) as photo:
            shape = run.result.load("depth").shape
            small = photo.convert("RGB").resize((shape[2], shape[1]), Image.Resampling.BOX)
        column, row = (pixels * [grid[0, 0], grid[1, 1]] + grid[:2, 2]).astype(int).T
        small = np.asarray(small).astype(float)
        there = np.abs(small[row, column] - run.colours[mine]).mean()
        beside = np.abs(np.roll(small, 1, axis=1)[row, column] - run.colours[mine]).mean()
        assert there < 6  # the network sees a picture that was resized twice
        assert beside > 3 * there


def test_da3_finds_cameras_and_a_dense_cloud(tmp_path, checkpoint):
    run = Run(
        tmp_path, sorted(SAMPLES.glob("*.jpg"))[:4], model="da3-small",
        checkpoint=str(checkpoint), process_resolution=196, drop_percent=0.0, edge_step=0.0,
    )  # fmt: skip
    assert run.summary["solver"] == "DA3"
    assert run.notes == []
    assert run.result.load("depth").shape == (4, 126, 196)
    assert len(run.points) == 4 * 126 * 196
    assert (run.K[:, 0, 0] == run.K[:, 1, 1]).all()
    check_points_lie_on_their_photos(run)


def test_known_cameras_come_out_as_colmap_found_them(tmp_path, checkpoint, colmap):
    run = Run(
        tmp_path, [SAMPLES], cameras="COLMAP", model="da3-small",
        checkpoint=str(checkpoint), process_resolution=140,
    )  # fmt: skip
    assert run.summary["solver"] == "COLMAP + DA3"
    errors = compare(run)
    assert errors.count == 14
    assert errors.angle_worst < 0.2
    assert errors.position_worst < 0.5
    assert pytest.approx(colmap.K, rel=2e-3) == run.K
    check_points_lie_on_their_photos(run)


def test_depth_maps_are_in_the_same_world_as_the_points(tmp_path, checkpoint):
    run = Run(
        tmp_path, sorted(SAMPLES.glob("*.jpg"))[:2], model="da3-small",
        checkpoint=str(checkpoint), process_resolution=98, drop_percent=0.0, edge_step=0.0,
    )  # fmt: skip
    world = unproject(run.result.load("depth"), run.result.load("grid_from_photo") @ run.K, run.w2c)
    alone = run.result.load("point_view_count") == 1  # the others lie between both depth maps
    assert alone.sum() > 100
    assert world.reshape(-1, 3)[alone] == pytest.approx(run.points[alone], abs=1e-3)


def test_a_video_gives_frames_with_their_numbers(tmp_path):
    import av

    clip = tmp_path / "Straße 街.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 1008, 672, "yuv420p"
        for path in sorted(SAMPLES.glob("*.jpg"))[:9]:
            with Image.open(path) as photo:
                frame = av.VideoFrame.from_image(photo)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    # No distortion: five frames measure it to about the half pixel from which photos are undone.
    run = Run(tmp_path, [clip], cameras="COLMAP", frame_step=2, lens_model="SIMPLE_PINHOLE")
    manifest = run.result.manifest
    assert manifest["source"]["kind"] == "video"
    assert manifest["source"]["fps"] == pytest.approx(25)
    assert manifest["name"] == "Straße 街"
    assert [view["frame"] for view in run.views] == [1, 3, 5, 7, 9]
    assert {view["photo"] for view in run.views} == {str(clip)}


def test_mixed_sizes_turned_photos_and_odd_paths(tmp_path):
    folder = tmp_path / "Fotos für später 写真"
    folder.mkdir()
    for number, path in enumerate(sorted(SAMPLES.glob("*.jpg"))[:7]):
        with Image.open(path) as photo:
            exif = Image.Exif()
            if number == 2:  # a phone's way to store an upright picture
                turned = photo.transpose(Image.Transpose.ROTATE_90)
                exif[0x0112] = 6
                turned.save(folder / f"hof {number}.jpg", exif=exif, quality=95)
            elif number == 4:
                photo.resize((756, 504), Image.Resampling.LANCZOS).save(
                    folder / f"hof {number}.png"
                )
            else:
                shutil.copy(path, folder / f"hof {number}.jpg")
    run = Run(tmp_path, [folder], cameras="COLMAP")
    assert run.summary["cameras"] == 7
    turned = next(view for view in run.views if view["name"] == "hof 2.jpg")
    assert (turned["width"], turned["height"]) == (1008, 672)
    assert turned["photo"] == "photos/hof 2.jpg"
    with Image.open(run.result.photo_path(turned)) as copy:
        assert copy.size == (1008, 672)
    small = next(i for i, view in enumerate(run.views) if view["name"] == "hof 4.png")
    assert run.K[small, 0, 0] == pytest.approx(588, rel=0.01)


def test_copies_have_safe_unique_names():
    def view(name, frame=None):
        return View(name, f"/x/{name}", 10, 10, frame)

    names = name_copies(
        [
            view("a.heic"),
            view("A.tif"),
            view('q?:"<>|.png'),
            view("clip.mp4#000120", 120),
            view("s.0007.exr", 7),
        ]
    )
    assert names == ["a.jpg", "A-2.jpg", "q_.jpg", "clip_000120.jpg", "s_000007.jpg"]


def test_real_photos_of_a_castle(tmp_path):
    folder = SHARED / "data" / "sceaux"
    if not folder.is_dir():
        pytest.skip("the photos of Sceaux castle are not beside the checkout")
    run = Run(tmp_path, [folder], cameras="COLMAP", max_photo_side=1416)
    true_focal = float((folder / "K.txt").read_text().split()[0])
    assert run.summary["cameras"] == 11
    assert run.K[:, 0, 0] == pytest.approx(true_focal, rel=0.04)
    assert run.result.manifest["lenses"][0]["undistorted"]
    assert {view["photo"] for view in run.views} == {f"photos/100_71{n:02d}.jpg" for n in range(11)}


def test_low_memory_lowers_the_resolution_and_says_so(tmp_path, checkpoint, monkeypatch):
    import torch

    from da3_blender.network.any_view import AnyViewNetwork

    forward = AnyViewNetwork.forward

    def short_of_memory(self, images, *rest):
        if images.shape[-1] > 150:
            raise torch.OutOfMemoryError
        return forward(self, images, *rest)

    monkeypatch.setattr(AnyViewNetwork, "forward", short_of_memory)
    run = Run(
        tmp_path, sorted(SAMPLES.glob("*.jpg"))[:2], model="da3-small",
        checkpoint=str(checkpoint), process_resolution=252, drop_percent=0.0, edge_step=0.0,
    )  # fmt: skip
    assert run.result.load("depth").shape == (2, 84, 126)
    assert len(run.notes) == 2
    assert "252" in run.notes[0]
    assert "126" in run.notes[1]
    check_points_lie_on_their_photos(run)


def test_memory_that_is_never_enough_has_a_remedy(tmp_path, checkpoint, monkeypatch):
    import torch

    from da3_blender.contract.errors import EngineError, ErrorCode
    from da3_blender.network.any_view import AnyViewNetwork

    def out_of_memory(*_args):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(AnyViewNetwork, "forward", out_of_memory)
    with pytest.raises(EngineError) as caught:
        Run(
            tmp_path, sorted(SAMPLES.glob("*.jpg"))[:2], model="da3-small",
            checkpoint=str(checkpoint), process_resolution=196,
        )  # fmt: skip
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert "resolution" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["colmap", "npz"])
def test_results_go_to_other_programs(tmp_path, colmap, way, capsys):
    from da3_blender.cli import main

    folder = str(colmap.result.folder)
    assert main(["export", folder, "--format", way, "--out", str(tmp_path / "out")]) == 0
    assert str(tmp_path) in capsys.readouterr().out
    if way == "npz":
        with np.load(tmp_path / "out" / "results.npz") as arrays:
            assert (arrays["points"] == colmap.points).all()
        return
    import pycolmap

    model = pycolmap.Reconstruction(tmp_path / "out" / "sparse" / "0")
    assert model.num_images() == len(list((tmp_path / "out" / "images").iterdir())) == 14
    image = model.images[7]
    assert image.cam_from_world().matrix() == pytest.approx(colmap.w2c[6, :3])
    assert main(["export", str(tmp_path), "--format", way, "--out", str(tmp_path / "b")]) == 1
    assert "manifest" in capsys.readouterr().err
