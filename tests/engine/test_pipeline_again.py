# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result is used again: a new cloud without a network, single views with one; and doubt."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.similarity import Sim3
from da3_blender.pipeline import again as again_module
from da3_blender.pipeline import run as run_module
from da3_blender.pipeline.doubt import find_doubt
from da3_blender.pipeline.outcome import Dense, Observations, Outcome
from da3_blender.pipeline.points import make_empty_cloud
from da3_blender.pipeline.rerun import choose_helpers, resample_map
from tests.engine.flat_world import GRID, PHOTO, WALL, make_cameras, paint, trace, write_result

OUT_OF_PLACE = 2


@pytest.fixture
def wall(tmp_path):
    return write_result(tmp_path / "wall")


def run_again(folder, pipeline=None, **changes):
    settings = RunSettings(("/gone",), str(folder), reuse=str(folder), **changes)
    progress = Progress(lambda *_report: None, lambda: False, lambda _text: None)
    return (pipeline or run_module.Pipeline()).run(settings, progress)


def load_all(folder):
    result = load_result(folder)
    return {name: np.array(result.load(name)) for name in result.manifest["arrays"]}


def test_a_new_cloud_needs_no_network_and_no_original_photos(wall):
    before = load_all(wall)
    summary = run_again(wall, drop_percent=0.0, edge_step=0.0)
    after = load_all(wall)
    assert summary["points"] == len(after["points"]) == 6 * GRID[0] * GRID[1]
    assert np.abs(after["points"][:, 2] - WALL).max() < 1e-4
    wrong = np.abs(after["colours"].astype(int) - paint(after["points"].astype(float)))
    assert wrong.max() <= 4
    for name in ("w2c", "K", "depth", "depth_confidence", "grid_from_photo"):
        assert np.array_equal(before[name], after[name])
    assert sorted(p.name for p in (wall / "photos").iterdir()) == [f"{n:02d}.png" for n in range(6)]
    manifest = load_result(wall).manifest
    assert manifest["settings"]["drop_percent"] == 0.0
    assert manifest["settings"]["inputs"] == ["/gone"]


def test_the_filters_of_the_cloud_act(wall):
    run_again(wall, drop_percent=50.0)
    half = load_all(wall)
    assert len(half["points"]) == pytest.approx(6 * GRID[0] * GRID[1] / 2, rel=0.02)
    assert half["confidence"].min() >= 1.49
    assert run_again(wall, drop_percent=0.0, max_points=500)["points"] <= 500
    assert run_again(wall, drop_percent=0.0)["points"] == 6 * GRID[0] * GRID[1]


def test_a_sparse_result_is_thinned(tmp_path):
    folder = write_result(tmp_path / "sparse", has_depth=False)
    assert run_again(folder, max_points=3)["points"] == 1  # all four lie at one place


def test_a_failure_leaves_the_old_result(wall):
    before = load_all(wall)
    (wall / "photos" / "03.png").unlink()
    with pytest.raises(EngineError) as caught:
        run_again(wall)
    assert "03.png" in caught.value.message
    after = load_all(wall)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert [p.name for p in wall.parent.iterdir()] == ["wall"]


class Truth:
    """A predictor that knows the wall, in a world and a size of its own."""

    precision = "float32"
    world = Sim3(0.4, np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0], np.ones(3))

    def __init__(self, count=6, grid=(56, 42)):
        self.K, self.w2c = make_cameras(count)
        self.grid = grid
        self.seen = None

    def predict(self, images, options, _progress, _is_cancelled):
        images = list(images)
        assert all(image.shape[1::-1] == PHOTO for image in images)
        views = [self.find(image) for image in images]
        self.seen = (views, options)
        grid = np.diag([self.grid[0] / PHOTO[0], self.grid[1] / PHOTO[1], 1.0])
        depth = np.stack([trace(grid @ self.K[v], self.w2c[v], self.grid)[0] for v in views])
        sim = self.world
        if np.linalg.det(sim.rotation) < 0:
            sim = sim._replace(rotation=-sim.rotation)
        w2c = sim.apply_to_w2c(self.w2c[views]) if options.w2c is None else options.w2c
        return SimpleNamespace(
            depth=(sim.scale * depth).astype(np.float32),
            confidence=np.full(depth.shape, 7, np.float32),
            w2c=w2c,
            K=grid @ self.K[views],
            grid_from_original=np.tile(grid, (len(views), 1, 1)),
            sky=None,
        )

    def find(self, image):
        """Return which view a photo is."""
        errors = [
            np.abs(trace(K, pose, PHOTO)[1].astype(int) - image).mean()
            for K, pose in zip(self.K, self.w2c, strict=True)
        ]
        return int(np.argmin(errors))


@pytest.fixture
def pipeline(monkeypatch, tmp_path):
    """A pipeline whose network knows the truth."""
    made = run_module.Pipeline()
    made.truth = Truth()
    monkeypatch.setattr(made._networks, "get", lambda *_arguments: made.truth)
    monkeypatch.setattr(again_module, "choose_checkpoint", lambda *_arguments: tmp_path)
    return made


@pytest.fixture
def damaged(tmp_path):
    """The wall with one camera and one depth map out of place."""
    arrays = load_all(write_result(tmp_path / "good"))
    depth, w2c = arrays["depth"], arrays["w2c"]
    depth[OUT_OF_PLACE] *= 1.7
    w2c[OUT_OF_PLACE, :3, 3] += [0.8, 0.1, -0.4]
    return write_result(tmp_path / "wall", depth=depth, w2c=w2c)


def test_selected_views_get_new_depth_and_others_stay(damaged, pipeline):
    before = load_all(damaged)
    summary = run_again(damaged, pipeline, only_views=("02.png",), drop_percent=0.0)
    after = load_all(damaged)
    assert summary["again"] == ["02.png"]
    others = [view for view in range(6) if view != OUT_OF_PLACE]
    assert np.array_equal(after["w2c"], before["w2c"])
    for name in ("depth", "depth_confidence"):
        assert np.array_equal(after[name][others], before[name][others])
        assert not np.array_equal(after[name][OUT_OF_PLACE], before[name][OUT_OF_PLACE])
    K, w2c = make_cameras()
    grid = np.diag([GRID[0] / PHOTO[0], GRID[1] / PHOTO[1], 1.0])
    true = trace(grid @ K[OUT_OF_PLACE], w2c[OUT_OF_PLACE], GRID)[0]
    assert np.abs(after["depth"][OUT_OF_PLACE] / true - 1).max() < 0.02  # the grids differ
    views, options = pipeline.truth.seen
    assert OUT_OF_PLACE in views
    assert len(views) == 5
    assert np.array_equal(options.w2c, before["w2c"][views])
    assert np.array_equal(options.K_original, before["K"][views])
    assert load_result(damaged).manifest["again"] == [{"views": ["02.png"], "model": "da3-base"}]


def test_selected_cameras_are_placed_again_among_those_that_stay(damaged, pipeline):
    before = load_all(damaged)
    run_again(damaged, pipeline, only_views=("02.png",), renew_cameras=True, drop_percent=0.0)
    after = load_all(damaged)
    K, w2c = make_cameras()
    others = [view for view in range(6) if view != OUT_OF_PLACE]
    assert np.array_equal(after["w2c"][others], before["w2c"][others])
    assert np.array_equal(after["K"][others], before["K"][others])
    assert np.abs(after["w2c"][OUT_OF_PLACE] - w2c[OUT_OF_PLACE]).max() < 1e-6
    assert np.abs(after["K"][OUT_OF_PLACE] - K[OUT_OF_PLACE]).max() < 1e-6
    mine = after["points"][after["point_view"] == OUT_OF_PLACE]
    assert np.abs(mine[:, 2] - WALL).max() < 0.1


@pytest.mark.parametrize(
    ("names", "changes", "code", "words"),
    [
        (("nobody.png",), {}, ErrorCode.SETTINGS_INVALID, "no view nobody.png"),
        (tuple(f"{n:02d}.png" for n in range(6)), {}, ErrorCode.SETTINGS_INVALID, "All views"),
        (("02.png",), {"model": "da3mono-large"}, ErrorCode.SETTINGS_INVALID, "single photos"),
    ],
)
def test_what_cannot_be_run_again_is_told(wall, pipeline, names, changes, code, words):
    with pytest.raises(EngineError, match=words) as caught:
        run_again(wall, pipeline, only_views=names, **changes)
    assert caught.value.code is code


def test_a_result_without_depth_has_no_views_to_run_again(tmp_path, pipeline):
    folder = write_result(tmp_path / "sparse", has_depth=False)
    with pytest.raises(EngineError, match="no depth maps"):
        run_again(folder, pipeline, only_views=("02.png",))


def test_without_weights_the_remedy_is_a_download(wall, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EngineError) as caught:
        run_again(wall, only_views=("02.png",), checkpoint=str(tmp_path / "nothing"))
    assert caught.value.code is ErrorCode.CHECKPOINT_MISSING


def test_helpers_are_the_nearest_that_look_the_same_way():
    _, w2c = make_cameras(12)
    assert choose_helpers(w2c, [5]) == [3, 4, 6, 7]
    assert choose_helpers(w2c, range(12)) == []
    assert len(choose_helpers(w2c, [0, 6])) == 6


def test_maps_are_looked_up_on_another_grid():
    dense = Dense(
        np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 4)), np.diag([0.5, 0.5, 1.0])[None]
    )
    values = np.arange(48.0).reshape(6, 8)
    found = resample_map(values, np.eye(3), dense, 0)
    assert np.array_equal(found, values[1::2, 1::2])
    half = resample_map(values[:, :4], np.eye(3), dense, 0)
    assert np.array_equal(half, np.where(np.arange(4) < 2, found, 0))


def make_outcome(folder):
    arrays = load_all(folder)
    dense = Dense(arrays["depth"], arrays["depth_confidence"], arrays["grid_from_photo"])
    count = len(arrays["w2c"])
    return Outcome(
        indices=list(range(count)),
        w2c=arrays["w2c"],
        K=arrays["K"],
        cloud=make_empty_cloud(),
        residual_px=[0.5] * count,
        dense=dense,
    )


def test_nothing_is_doubtful_where_all_fits(wall):
    assert find_doubt(make_outcome(wall), None) == [""] * 6


def test_a_view_out_of_place_is_doubtful(damaged):
    doubt = find_doubt(make_outcome(damaged), None)
    assert "of its depth agrees with other photos" in doubt[OUT_OF_PLACE]
    assert sum(map(bool, doubt)) == 1


def test_each_kind_of_doubt_has_its_sentence(wall):
    outcome = make_outcome(wall)
    outcome.dense.confidence[4] *= 0.5
    residuals = [0.5, 0.6, 7.25, None, 0.4, 0.5]
    seen = np.repeat([0, 1, 2, 3, 4, 5], [200, 180, 220, 190, 210, 9])
    doubt = find_doubt(
        outcome.replace(residual_px=residuals), Observations(seen, np.zeros(len(seen), int))
    )
    assert doubt[2] == "its points are 7.2 px off, usual here are 0.5"
    assert doubt[4] == "the network is unsure of it: 50% of the usual confidence"
    assert doubt[5] == "only 9 points of it match other photos"
    assert doubt[0] == doubt[1] == doubt[3] == ""


def test_a_reuse_can_be_cancelled(wall):
    settings = RunSettings(("/gone",), str(wall), reuse=str(wall))
    progress = Progress(lambda *_report: None, lambda: True, lambda _text: None)
    with pytest.raises(CancelledError):
        run_module.Pipeline().run(settings, progress)
    assert load_result(wall).views
