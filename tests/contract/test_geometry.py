# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras, projections, similarities and rotations of the contract, against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.contract import cameras, projection, rotations, similarity


def make_rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def make_pose(seed: int) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = make_rotation(seed)
    pose[:3, 3] = np.random.default_rng(seed + 100).normal(size=3)
    return pose


def test_a_level_camera_looks_along_blenders_y():
    matrix = cameras.to_blender_matrix(np.eye(4))
    assert matrix @ [0, 0, -1, 0] == pytest.approx([0, 1, 0, 0])  # Blender cameras look along -z
    assert matrix @ [0, 1, 0, 0] == pytest.approx([0, 0, 1, 0])  # and hold their head up


def test_blender_matrix_and_back():
    poses = np.stack([make_pose(i) for i in range(8)])
    back = cameras.from_blender_matrix(cameras.to_blender_matrix(poses))
    assert np.abs(back - poses).max() < 1e-12


def test_points_and_cameras_go_to_the_same_world():
    pose = make_pose(3)
    centre = cameras.invert_rigid(pose)[:3, 3]
    assert cameras.to_blender_matrix(pose)[:3, 3] == pytest.approx(
        cameras.to_blender_points(centre[None])[0]
    )
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert (cameras.from_blender_points(cameras.to_blender_points(points)) == points).all()


@pytest.mark.parametrize(
    ("size", "focal", "centre"),
    [
        ((1920, 1080), (1500, 1500), (960, 540)),
        ((1080, 1920), (1500, 1500), (500, 1000)),
        ((1920, 1080), (1500, 1400), (900, 600)),
        ((640, 480), (900, 1000), (100, 430)),
    ],
)
def test_lens_and_back(size, focal, centre):
    K = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1.0]])
    lens = cameras.to_blender_lens(K, *size)
    assert min(lens.pixel_aspect_x, lens.pixel_aspect_y) == 1
    assert cameras.from_blender_lens(lens, *size) == pytest.approx(K)


def test_a_lens_without_focal_length_is_refused():
    with pytest.raises(ValueError, match="focal"):
        cameras.to_blender_lens(np.diag([0.0, 1.0, 1.0]), 10, 10)


def test_square_pixels_keep_the_centre_and_the_area():
    K = np.array([[[100.0, 0, 7], [0, 121.0, 9], [0, 0, 1]]])
    square = cameras.make_square_pixels(K)
    assert square[0, 0, 0] == square[0, 1, 1] == pytest.approx(110)
    assert square[0, :2, 2].tolist() == [7, 9]
    assert K[0, 0, 0] == 100


def test_unproject_and_project_meet():
    K = np.array([[[50.0, 0, 20], [0, 60, 16], [0, 0, 1]]])
    pose = make_pose(5)[None]
    depth = np.random.default_rng(1).uniform(1, 3, (1, 30, 40)).astype(np.float32)
    depth[0, 0, 0], depth[0, 1, 1] = 0, np.nan
    world = projection.unproject(depth, K, pose)
    assert np.isnan(world[0, 0, 0]).all()
    assert np.isnan(world[0, 1, 1]).all()
    pixels, z = projection.project(world[0, 12:14, 5], K[0], pose[0])
    assert pixels == pytest.approx(np.array([[5.5, 12.5], [5.5, 13.5]]), abs=1e-4)
    assert z == pytest.approx(depth[0, 12:14, 5], rel=1e-5)


def test_unproject_refuses_lists_of_different_length():
    with pytest.raises(ValueError, match="2 depth maps"):
        projection.unproject(np.ones((2, 2, 2)), np.eye(3)[None], np.eye(4)[None])


def test_sim3_moves_cameras_and_points_alike():
    sim = similarity.Sim3(2.5, make_rotation(7), np.array([1.0, -2, 3]))
    pose, K = make_pose(8), np.diag([100.0, 100, 1])
    points = np.random.default_rng(2).normal(size=(20, 3))
    before, z = projection.project(points, K, pose)
    after, z_after = projection.project(sim.apply_to_points(points), K, sim.apply_to_w2c(pose))
    assert after == pytest.approx(before)
    assert z_after == pytest.approx(2.5 * z)


def test_fit_sim3_finds_what_was_applied():
    true = similarity.Sim3(0.3, make_rotation(9), np.array([5.0, 6, 7]))
    points = np.random.default_rng(3).normal(size=(6, 3))
    found = similarity.fit_sim3(points, true.apply_to_points(points))
    assert found.scale == pytest.approx(0.3)
    assert found.rotation == pytest.approx(true.rotation)
    assert found.translation == pytest.approx(true.translation)


@pytest.mark.parametrize("points", [np.zeros((2, 3)), np.ones((5, 3))])
def test_fit_sim3_refuses_what_decides_nothing(points):
    with pytest.raises(ValueError, match="point"):
        similarity.fit_sim3(points, points)


def test_quaternions_turn_like_their_matrices():
    matrices = np.stack([make_rotation(i) for i in range(50)] + [np.diag([1.0, -1, -1])])
    w, x, y, z = rotations.matrix_to_quaternion(matrices).T
    back = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    assert np.abs(back - matrices).max() < 1e-12


def test_continuous_quaternions_never_jump():
    angles = np.linspace(0, 4 * np.pi, 60)
    c, s, o, i = np.cos(angles), np.sin(angles), np.zeros(60), np.ones(60)
    turn = np.array([[c, -s, o], [s, c, o], [o, o, i]]).transpose(2, 0, 1)
    jumping = rotations.matrix_to_quaternion(turn)
    smooth = rotations.make_continuous(jumping)
    assert np.abs(np.diff(jumping, axis=0)).max() > 1
    assert np.abs(np.diff(smooth, axis=0)).max() < 0.2
    assert np.abs(smooth) == pytest.approx(np.abs(jumping))


def test_small_angles_are_exact():
    a = 1e-6
    turn = np.array([[1, -a, 0], [a, 1, 0], [0, 0, 1]])
    assert rotations.measure_angle(np.eye(3), turn) == pytest.approx(a, rel=1e-6)
