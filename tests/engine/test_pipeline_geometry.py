# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upright world and the fused cloud, on small scenes with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.depth_edges import find_depth_edges
from da3_blender.contract.similarity import Sim3
from da3_blender.pipeline.fusion import fuse_depth
from da3_blender.pipeline.points import make_cloud, thin_cloud
from da3_blender.pipeline.world import MEDIAN_DEPTH, find_up, orient_world


def look_at(eye, target, roll=0.0):
    """w2c of a held camera: OpenCV world with y down, level but for `roll` radians."""
    forward = np.subtract(target, eye) / np.linalg.norm(np.subtract(target, eye))
    right = np.cross([0, 1.0, 0], forward)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    turn = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = turn @ np.stack([right, down, forward])
    pose[:3, 3] = -pose[:3, :3] @ eye
    return pose


def make_orbit(pitch_height=-3.0):
    angles = np.linspace(-0.6, 0.6, 7)
    return np.stack(
        [look_at([4 * np.sin(a), pitch_height, -4 * np.cos(a)], [0, 0, 0]) for a in angles]
    )


def spoil(w2c, points, seed=0):
    """Put a scene into a solver's arbitrary world."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    sim = Sim3(0.137, q * np.sign(np.linalg.det(q)), rng.normal(size=3))
    return sim.apply_to_w2c(w2c), sim.apply_to_points(points)


def test_up_is_found_though_all_cameras_look_down():
    # Mean up-vector of these cameras leans by 37 degrees; level right-vectors do not.
    w2c = make_orbit()
    assert find_up(w2c) == pytest.approx([0, -1, 0], abs=1e-9)


def test_a_straight_dolly_falls_back_to_the_mean_up_vector():
    w2c = np.stack([look_at([x, 0, -4.0], [x, 0, 0]) for x in np.linspace(0, 1, 5)])
    assert find_up(w2c) == pytest.approx([0, -1, 0], abs=1e-9)


def test_a_spoiled_world_comes_back_upright_on_the_ground_and_in_size():
    rng = np.random.default_rng(1)
    points = np.concatenate(
        [
            rng.uniform([-2, -1, -2], [2, 0, 2], (3000, 3)),
            rng.uniform([-1, 1, -1], [1, 9, 1], (20, 3)),
        ]
    )  # a block on the ground y = 0, and stray points below it
    w2c, seen = spoil(make_orbit(), points)
    world = orient_world(w2c, seen, "AVERAGE", is_metric=False)
    moved, cameras = world.apply_to_points(seen), world.apply_to_w2c(w2c)
    assert find_up(cameras) == pytest.approx([0, -1, 0], abs=1e-6)
    heights = moved[:3000, 1]
    assert heights.max() == pytest.approx(0, abs=0.05 * np.ptp(heights))
    assert np.median(moved[:, [0, 2]], axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert cameras[:, 2, :3].mean(0)[2] > 0.5  # they look along +z
    depth = [np.median(moved @ c[2, :3] + c[2, 3]) for c in cameras]
    assert np.median(depth) == pytest.approx(MEDIAN_DEPTH, rel=0.02)


def test_metric_worlds_keep_their_size_and_none_keeps_everything_else():
    points = np.random.default_rng(2).normal(size=(100, 3))
    w2c, seen = spoil(make_orbit(), points)
    assert orient_world(w2c, seen, "AVERAGE", is_metric=True).scale == 1
    same = orient_world(w2c, seen, "NONE", is_metric=True)
    assert same.apply_to_points(seen) == pytest.approx(seen)


def test_the_first_camera_can_be_level():
    w2c, seen = spoil(make_orbit(), np.random.default_rng(3).normal(size=(50, 3)))
    world = orient_world(w2c, seen, "FIRST_CAMERA", is_metric=True)
    assert world.apply_to_w2c(w2c)[0, :3, :3] == pytest.approx(np.eye(3), abs=1e-9)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.full((5, 3), 2.0)])
def test_a_world_without_points_still_has_cameras(points):
    world = orient_world(make_orbit(), points, "AVERAGE", is_metric=False)
    assert np.isfinite(world.apply_to_w2c(make_orbit())).all()


def test_cameras_that_look_straight_down_do_not_break_the_world():
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    world = orient_world(np.stack([pose, pose]), np.zeros((0, 3)), "AVERAGE", is_metric=True)
    assert np.linalg.det(world.rotation) == pytest.approx(1)


def make_plane_depth(shape=(40, 60), slope=0.9):
    """Depth of a strongly slanted plane: 1 / z is linear in the picture."""
    x = (np.arange(shape[1]) + 0.5) / shape[1]
    return np.broadcast_to(1 / (1 - slope * x * 0.8), shape).astype(np.float32).copy()


def test_a_slanted_plane_has_no_edges_and_a_step_has():
    depth = make_plane_depth()
    assert not find_depth_edges(depth, 0.05).any()
    depth[:, 30:] *= 1.5
    edges = find_depth_edges(depth, 0.05)
    assert edges[:, 29:31].all()
    assert not edges[:, :29].any()
    assert not edges[:, 31:].any()
    assert not find_depth_edges(depth, 0).any()


def test_fused_points_lie_where_the_truth_is_and_carry_their_colour():
    K = np.array([[[50.0, 0, 30], [0, 50, 20], [0, 0, 1]]] * 2)
    w2c = np.stack([look_at([0, 0, -4.0], [0, 0, 0]), look_at([1, -1, -4.0], [0, 0, 0])])
    depth, images = np.zeros((2, 40, 60), np.float32), np.zeros((2, 40, 60, 3), np.uint8)
    c2w = invert_rigid(w2c)
    x, y = np.meshgrid(np.arange(60) + 0.5, np.arange(40) + 0.5)
    for i in range(2):  # the wall z = 0, coloured by its x coordinate
        rays = np.stack([(x - 30) / 50, (y - 20) / 50, np.ones_like(x)], -1) @ c2w[i, :3, :3].T
        depth[i] = -c2w[i, 2, 3] / rays[..., 2]
        wall_x = c2w[i, 0, 3] + rays[..., 0] * depth[i]
        images[i] = np.clip((wall_x[..., None] + 4) * 30, 0, 255).astype(np.uint8)
    confidence = np.tile(np.linspace(1, 2, 60, dtype=np.float32), (2, 40, 1))
    cloud = fuse_depth(depth, confidence, images, (K, w2c), (25.0, 0.05, 10**6))
    assert np.abs(cloud.positions[:, 2]).max() < 1e-5
    expected = np.clip((cloud.positions[:, 0] + 4) * 30, 0, 255)
    assert np.abs(cloud.colours[:, 0] - expected).max() <= 1.01
    assert len(cloud.positions) == pytest.approx(0.75 * 2 * 40 * 60, rel=0.02)
    assert cloud.confidence.min() >= 1.25 - 1 / 60
    assert set(cloud.view.tolist()) == {0, 1}


def test_invalid_depth_makes_no_points():
    depth = np.array([[[0.0, -1.0, np.nan, np.inf, 2.0]]], np.float32)
    cloud = fuse_depth(
        depth,
        np.ones_like(depth),
        np.zeros((1, 1, 5, 3), np.uint8),
        (np.eye(3)[None], np.eye(4)[None]),
        (0.0, 0.0, 10),
    )
    assert cloud.positions[:, 2].tolist() == [2.0]


@pytest.mark.parametrize("count", [500, 3000])
def test_thinning_is_even_bounded_repeatable_and_keeps_the_confident(count):
    rng = np.random.default_rng(5)
    positions = np.concatenate([rng.uniform(0, 1, (20000, 3)), rng.uniform(0, 0.1, (20000, 3))])
    cloud = make_cloud(
        positions.astype(np.float32),
        rng.integers(0, 255, (40000, 3), dtype=np.uint8),
        rng.uniform(1, 5, 40000).astype(np.float32),
        np.zeros(40000, np.int32),
    )
    thin = thin_cloud(cloud, count)
    assert 0.8 * count <= len(thin.positions) <= count
    crowded = (thin.positions < 0.1).all(1).mean()
    assert crowded < 0.05  # half of the points lay in a thousandth of the room
    assert thin.confidence.mean() > cloud.confidence.mean()
    again = thin_cloud(cloud, count)
    assert (again.positions == thin.positions).all()
    assert len(thin_cloud(cloud, 10**6).positions) == 40000


def make_known_scene(w2c_of_network=None, **facts):
    """Two cameras before the wall z = 0, points on it, and a network's depth of any size."""
    from da3_blender.inference.prediction import Prediction
    from da3_blender.pipeline.outcome import Observations, Outcome

    K = np.array([[[50.0, 0, 30], [0, 50, 20], [0, 0, 1]]] * 2)
    w2c = np.stack([look_at([0, 0, -4.0], [0, 0, 0]), look_at([1, -1, -4.0], [0, 0, 0])])
    c2w = invert_rigid(w2c)
    x, y = np.meshgrid(np.arange(60) + 0.5, np.arange(40) + 0.5)
    truth = np.zeros((2, 40, 60), np.float32)
    for i in range(2):
        rays = np.stack([(x - 30) / 50, (y - 20) / 50, np.ones_like(x)], -1) @ c2w[i, :3, :3].T
        truth[i] = -c2w[i, 2, 3] / rays[..., 2]
    rng = np.random.default_rng(8)
    points = np.zeros((60, 3), np.float32)
    points[:, :2] = rng.uniform(-1, 1, (60, 2))
    points[50:] = rng.uniform(2, 3, (10, 3))  # wrong matches
    known = Outcome(
        indices=[0, 1],
        w2c=w2c,
        K=K,
        cloud=make_cloud(points, np.zeros((60, 3), np.uint8), np.ones(60), np.full(60, -1)),
        observations=Observations(np.repeat([0, 1], 60), np.tile(np.arange(60), 2)),
    )
    factors = np.array([0.25, 0.5], np.float32) if w2c_of_network is None else np.float32([0.3] * 2)
    prediction = Prediction(
        depth=truth * factors[:, None, None],
        confidence=None,
        w2c=w2c_of_network,
        K=K,
        images=np.zeros((2, 40, 60, 3), np.uint8),
        grid_from_original=np.tile(np.eye(3), (2, 1, 1)),
        cropped_share=np.zeros(2),
        **facts,
    )
    return prediction, known, truth


def fit(prediction, known):
    from da3_blender.pipeline.depth_scale import fit_depth_to_points

    return fit_depth_to_points(prediction, prediction.grid_from_original, known)


def test_depth_of_single_views_takes_the_size_of_the_cameras():
    prediction, known, truth = make_known_scene()
    outcome, depth = fit(prediction, known)
    assert depth == pytest.approx(truth, rel=0.01)
    assert outcome is known


def test_metres_of_single_views_size_the_cameras():
    prediction, known, truth = make_known_scene(is_metric=True, metres_per_unit=1.0)
    outcome, depth = fit(prediction, known)
    size = outcome.world.scale  # views disagree, so metres lie between their two answers
    assert 0.25 <= size <= 0.5
    assert outcome.is_metric
    assert depth == pytest.approx(truth * size, rel=0.01)
    assert outcome.w2c[1, :3, 3] == pytest.approx(known.w2c[1, :3, 3] * size)


def test_depth_of_all_views_together_gets_one_factor():
    prediction, known, truth = make_known_scene(np.tile(np.eye(4), (2, 1, 1)))
    outcome, depth = fit(prediction, known)
    assert depth == pytest.approx(truth, rel=0.01)
    assert outcome is known


def test_too_few_points_leave_the_depth_alone():
    prediction, known, _ = make_known_scene()
    known = known.replace(observations=None)
    outcome, depth = fit(prediction, known)
    assert (depth == prediction.depth).all()
    assert outcome is known


def test_metres_follow_the_correction_by_points():
    prediction, known, truth = make_known_scene(
        np.tile(np.eye(4), (2, 1, 1)), metres_per_unit=2.0
    )  # two metres per unit of a depth that is 0.3 of the cameras' unit
    outcome, depth = fit(prediction, known)
    assert outcome.is_metric
    assert outcome.world.scale == pytest.approx(0.6, rel=0.01)
    assert depth == pytest.approx(0.6 * truth, rel=0.01)
