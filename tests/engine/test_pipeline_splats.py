# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussians of the network in the world of a result, and to disk and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch
from safetensors.torch import save_file

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import EngineError
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import ResultWriter, load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.similarity import Sim3
from da3_blender.inference.gaussians import Gaussians
from da3_blender.inference.prediction import Prediction
from da3_blender.inference.weights import build_empty_network, official_key
from da3_blender.network.presets import PRESETS, AnyViewPreset, BackbonePreset, HeadPreset
from da3_blender.pipeline import create_pipeline
from da3_blender.pipeline.export import EXPORTS
from da3_blender.pipeline.splats import gather_splats, measure_border, rank_shares
from da3_blender.splats.cloud import build_covariances
from da3_blender.splats.files import read_splats
from da3_blender.splats.result_arrays import load_splats, save_splats

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "courtyard"
VIEWS, HEIGHT, WIDTH = 3, 8, 12
K = np.array([[10.0, 0, WIDTH / 2], [0, 10, HEIGHT / 2], [0, 0, 1]])


class Notes:
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def turn(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def make_cameras():
    w2c = np.tile(np.eye(4), (VIEWS, 1, 1))
    for view in range(VIEWS):
        w2c[view, :3, :3] = turn(0.2 * view)
        w2c[view, :3, 3] = (0.3 * view, -0.1 * view, 0.05)
    return w2c


def lift(depth, w2c):
    """(N, H, W) depth to points (N * H * W, 3) of the world."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T
    local = rays * depth[..., None]  # (N, H, W, 3)
    c2w = invert_rigid(w2c)
    return (np.einsum("nij,nhwj->nhwi", c2w[:, :3, :3], local) + c2w[:, None, None, :3, 3]).reshape(
        -1, 3
    )


@pytest.fixture
def prediction():
    rng = np.random.default_rng(5)
    depth = rng.uniform(2, 4, (VIEWS, HEIGHT, WIDTH)).astype(np.float32)
    w2c, count = make_cameras(), VIEWS * HEIGHT * WIDTH
    return Prediction(
        depth=depth,
        confidence=rng.uniform(1, 2, depth.shape).astype(np.float32),
        w2c=w2c,
        K=np.tile(K, (VIEWS, 1, 1)),
        images=np.zeros((*depth.shape, 3), np.uint8),
        grid_from_original=np.tile(np.eye(3), (VIEWS, 1, 1)),
        cropped_share=np.zeros(VIEWS),
        gaussians=Gaussians(
            lift(depth, w2c).astype(np.float32),
            rng.uniform(0.01, 0.1, (count, 3)).astype(np.float32),
            rng.normal(size=(count, 4)).astype(np.float32),
            rng.normal(size=(count, 3, 9)).astype(np.float32),
            rng.uniform(0.2, 1, count).astype(np.float32),
        ),
    )


def test_without_a_change_they_stay_where_they_are(prediction):
    cloud = gather_splats(prediction, prediction.w2c, prediction.depth, 10_000, Notes())
    assert np.allclose(cloud.positions, prediction.gaussians.means, atol=1e-5)
    assert np.allclose(cloud.harmonics, prediction.gaussians.harmonics, atol=1e-5)
    assert np.allclose(cloud.scales, prediction.gaussians.scales, rtol=1e-5)
    assert np.array_equal(cloud.views, np.repeat(np.arange(VIEWS), HEIGHT * WIDTH))
    assert np.allclose(cloud.confidence, prediction.confidence.reshape(-1))


def test_they_follow_cameras_and_depth_of_the_result(prediction):
    """Another world, three times as large, and depth that was bent pixel by pixel."""
    world = Sim3(3.0, turn(0.7), np.array([1.0, 2, 3]))
    w2c = world.apply_to_w2c(prediction.w2c)
    bend = np.random.default_rng(6).uniform(0.8, 1.2, prediction.depth.shape)
    depth = (prediction.depth * 3 * bend).astype(np.float32)
    cloud = gather_splats(prediction, w2c, depth, 10_000, Notes())
    assert np.allclose(cloud.positions, lift(depth, w2c), atol=2e-4)
    factor = (3 * bend).reshape(-1, 1)
    assert np.allclose(cloud.scales, prediction.gaussians.scales * factor, rtol=1e-4)
    old = gather_splats(prediction, prediction.w2c, prediction.depth, 10_000, Notes())
    turned = world.rotation @ build_covariances(old) @ world.rotation.T
    assert np.allclose(build_covariances(cloud), turned * factor[..., None] ** 2, atol=1e-4)


def test_gaussians_of_another_world_come_to_that_of_the_cameras(prediction):
    """Known cameras: the Gaussians are still in the network's own world."""
    world = Sim3(0.5, turn(-0.4), np.array([0.5, 0, -1]))
    own = world.rotation.T @ (prediction.gaussians.means - world.translation).T / world.scale
    scales = prediction.gaussians.scales / np.float32(world.scale)
    gaussians = prediction.gaussians._replace(means=own.T.astype(np.float32), scales=scales)
    moved = replace(prediction, gaussians=gaussians, world_from_gaussians=world)
    cloud = gather_splats(moved, prediction.w2c, prediction.depth, 10_000, Notes())
    assert np.allclose(cloud.positions, prediction.gaussians.means, atol=1e-4)
    assert np.allclose(cloud.scales, prediction.gaussians.scales, rtol=1e-4)


def test_what_cannot_be_seen_is_left_out(prediction):
    gaussians, sky = prediction.gaussians, np.zeros(prediction.depth.shape, bool)
    gaussians.opacities[0] = 0.001
    gaussians.scales[1, 1] = -0.1
    gaussians.means[2] = np.nan
    sky[0, 0, 3] = True
    depth = prediction.depth.copy()
    depth[0, 0, 4] = 0
    known = replace(prediction, sky=sky)
    cloud = gather_splats(known, prediction.w2c, depth, 10_000, Notes())
    assert cloud.count == VIEWS * HEIGHT * WIDTH - 5
    hidden = gaussians._replace(opacities=np.zeros_like(gaussians.opacities))
    known = replace(prediction, gaussians=hidden)
    assert gather_splats(known, prediction.w2c, depth, 10_000, Notes()) is None


def test_views_are_left_out_evenly_and_it_is_said(prediction):
    notes = Notes()
    most = 2 * HEIGHT * WIDTH + 5
    cloud = gather_splats(prediction, prediction.w2c, prediction.depth, most, notes)
    assert np.unique(cloud.views).tolist() == [0, 2]
    assert "2 of 3 photos" in notes.said[0]


def test_border_and_far_share(prediction):
    border = measure_border(4, 8)
    assert border[0, 0] == pytest.approx(1 / 16)
    assert border[2, 4] == pytest.approx(0.375)
    assert border.max() <= 0.5
    assert rank_shares(np.array([3.0, 1.0, 2.0, 9.0])).tolist() == [0.5, 0.0, 0.25, 0.75]
    cloud = gather_splats(prediction, prediction.w2c, prediction.depth, 10_000, Notes())
    assert cloud.border.max() < 0.5
    near = prediction.depth[1].reshape(-1).argmin()
    assert cloud.far[HEIGHT * WIDTH + near] == 0


def test_to_disk_and_back(prediction, tmp_path):
    cloud = gather_splats(prediction, prediction.w2c, prediction.depth, 10_000, Notes())
    writer = ResultWriter(tmp_path / "result")
    save_splats(cloud, writer)
    writer.finish({"views": [], "source": {}})
    again = load_splats(load_result(Path(writer.folder)))
    for name in ("positions", "scales", "rotations", "opacities", "harmonics", "views", "far"):
        assert np.array_equal(getattr(again, name), getattr(cloud, name)), name


def test_a_model_without_a_gaussian_head_is_refused():
    settings = RunSettings(("/in",), "/out", model="da3-base", make_splats=True)
    assert any("no Gaussian splats" in text for text in settings.problems())
    assert not RunSettings(("/in",), "/out", model="da3-giant", make_splats=True).problems()


@pytest.fixture(scope="module")
def giant(tmp_path_factory):
    """A checkpoint with a Gaussian head of a small network: random, no offsets from the pixels."""
    preset = AnyViewPreset(
        "da3-giant",
        BackbonePreset(
            width=64,
            depth=10,
            ffn_hidden=96,
            has_gated_ffn=False,
            out_layers=(3, 5, 7, 9),
            multi_view_start=2,
            position_grid=4,
        ),
        HeadPreset(out_channels=(8, 8, 8, 8), features=8),
        has_gaussian_head=True,
    )
    state, generator = {}, torch.Generator().manual_seed(5)
    for name, parameter in build_empty_network(preset).state_dict().items():
        value = 0.15 * torch.randn(parameter.shape, generator=generator)
        if name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "gamma")):
            value += 1
        if "fc_fov.0" in name:  # a lens of 57 degrees for all
            value = torch.full_like(value, float(name.endswith("bias")))
        if name.startswith("gs_head.scratch.output_conv2.2"):
            value[[0, 1, 36]] = 0
        state[official_key(name)] = value
    folder = tmp_path_factory.mktemp("giant")
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_name": "da3-giant"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "da3-giant", preset)
        yield folder


def run(tmp_path, giant, **changes):
    notes = []
    progress = Progress(lambda *_report: None, lambda: False, notes.append)
    inputs = tuple(str(path) for path in sorted(SAMPLES.glob("*.jpg"))[:4])
    settings = RunSettings(
        **{
            "inputs": inputs,
            "output": str(tmp_path / "out"),
            "model": "da3-giant",
            "checkpoint": str(giant),
            "cameras": "DA3",
            "process_resolution": 56,
            "make_splats": True,
            "check_photos": False,
            "square_pixels": False,
            **changes,
        }
    )
    return create_pipeline().run(settings, progress), load_result(tmp_path / "out"), notes


def test_a_whole_run_gives_splats_that_lie_on_their_pixels(tmp_path, giant):
    summary, result, _ = run(tmp_path, giant)
    cloud = load_splats(result)
    assert summary["splats"] == cloud.count > 1000
    w2c, K = np.array(result.load("w2c")), np.array(result.load("K"))
    grid, depth = np.array(result.load("grid_from_photo")), np.array(result.load("depth"))
    for view in range(4):
        mine = cloud.take(cloud.views == view)
        local = mine.positions @ w2c[view, :3, :3].T + w2c[view, :3, 3]
        pixels = (local / local[:, 2:]) @ (grid[view] @ K[view]).T
        row, column = np.floor(pixels[:, 1]).astype(int), np.floor(pixels[:, 0]).astype(int)
        assert np.abs(pixels[:, :2] % 1 - 0.5).max() < 0.01
        # the network's depth is a distance along the ray for its Gaussians
        distance = np.linalg.norm(local, axis=1)
        assert np.median(np.abs(distance / depth[view][row, column] - 1)) < 0.01


def test_splats_stay_when_only_the_points_are_made_again(tmp_path, giant):
    _, result, _ = run(tmp_path, giant)
    before = load_splats(result)
    again, result, _ = run(tmp_path, giant, reuse=str(tmp_path / "out"), drop_percent=10.0)
    assert again["splats"] == before.count
    assert np.array_equal(load_splats(result).positions, before.positions)


def test_splats_of_views_that_run_again_go(tmp_path, giant):
    _, result, _ = run(tmp_path, giant)
    name = result.views[1]["name"]
    _, result, notes = run(tmp_path, giant, reuse=str(tmp_path / "out"), only_views=(name,))
    assert np.unique(load_splats(result).views).tolist() == [0, 2, 3]
    assert any("run again are gone" in note for note in notes)


@pytest.mark.parametrize("kind", ["ply", "spz"])
def test_splats_go_out_without_the_poor_ones_at_the_edges(tmp_path, giant, kind):
    _, result, _ = run(tmp_path, giant)
    path = EXPORTS[kind](result, tmp_path / "exported")
    cloud, read = load_splats(result), read_splats(path)
    assert read.cloud.count == int((cloud.border >= 8 / 256).sum()) < cloud.count


def test_a_result_without_splats_says_how_to_get_some(tmp_path, giant):
    _, result, _ = run(tmp_path, giant, make_splats=False)
    with pytest.raises(EngineError, match="no splats") as caught:
        EXPORTS["ply"](result, tmp_path / "exported")
    assert "--make-splats" in caught.value.hint
