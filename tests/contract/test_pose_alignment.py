# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worlds are joined by their cameras, also where these are few or in a line."""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.contract.pose_alignment import align_poses, measure_residual
from da3_blender.contract.similarity import Sim3
from tests.contract.test_geometry import make_pose, make_rotation

TRUTH = Sim3(2.5, make_rotation(11), np.array([1.0, -2.0, 3.0]))


def move(poses: np.ndarray) -> np.ndarray:
    moved = poses.copy()
    moved[:, :3, :3] = TRUTH.rotation @ poses[:, :3, :3]
    moved[:, :3, 3] = TRUTH.apply_to_points(poses[:, :3, 3])
    return moved


def make_line(count: int) -> np.ndarray:
    poses = np.stack([make_pose(i) for i in range(count)])
    poses[:, :3, 3] = np.linspace(0, 4, count)[:, None] * [1.0, 0.0, 0.0]
    return poses


@pytest.mark.parametrize("poses", [np.stack([make_pose(i) for i in range(6)]), make_line(5)])
def test_it_finds_the_similarity(poses):
    found = align_poses(poses, move(poses))
    assert found.scale == pytest.approx(TRUTH.scale)
    assert found.rotation == pytest.approx(TRUTH.rotation)
    assert found.translation == pytest.approx(TRUTH.translation)
    assert measure_residual(poses, move(poses), found) == pytest.approx((0, 0), abs=1e-6)


def test_one_pair_coincides_without_scale():
    poses = make_pose(1)[None]
    found = align_poses(poses, move(poses))
    assert found.scale == 1
    assert measure_residual(poses, move(poses), found) == pytest.approx((0, 0), abs=1e-6)


def test_the_residual_has_the_units_of_the_target():
    poses = np.stack([make_pose(i) for i in range(6)])
    target = move(poses)
    target[:, :3, 3] += [0, 0, 0.5]
    distance, angle = measure_residual(poses, target, TRUTH)
    assert distance == pytest.approx(0.5)
    assert angle == pytest.approx(0, abs=1e-6)


def test_no_pairs_are_refused():
    with pytest.raises(ValueError, match="pairs of cameras"):
        align_poses(np.zeros((0, 4, 4)), np.zeros((0, 4, 4)))
