# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds in other frames look the same from a camera that moved with them."""

from dataclasses import replace

import numpy as np
import pytest

from da3_blender.contract.cameras import to_blender_points
from da3_blender.contract.similarity import Sim3
from da3_blender.splats.axes import (
    UpAxis,
    bake_matrix,
    from_blender_cloud,
    move_cloud,
    rotate_cloud,
    to_blender_cloud,
    turn_from_opencv,
    turn_to_opencv,
)
from da3_blender.splats.cloud import (
    EXTRAS,
    GaussianCloud,
    build_covariances,
    find_sound,
    join_clouds,
)
from da3_blender.splats.harmonics import (
    build_harmonics_rotation,
    evaluate_basis,
    evaluate_colours,
)
from tests.splats.clouds import make_cloud, measure_turns


def make_rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def make_directions(count, seed=1):
    d = np.random.default_rng(seed).normal(size=(count, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def test_the_basis_is_orthonormal():
    # mean over the sphere of b_i b_j is 1 / (4 pi) for i = j, else 0
    d = make_directions(400_000)
    basis = evaluate_basis(d)
    assert np.allclose(4 * np.pi * basis.T @ basis / len(d), np.eye(16), atol=0.02)


def test_a_basis_value_by_hand():
    d = np.array([0.6, 0.0, 0.8])
    basis = evaluate_basis(d)
    assert basis[0] == pytest.approx(0.5 / np.sqrt(np.pi))
    assert basis[1:4] == pytest.approx(np.sqrt(3 / (4 * np.pi)) * np.array([0, 0.8, -0.6]))
    assert basis[6] == pytest.approx(0.25 * np.sqrt(5 / np.pi) * (2 * 0.64 - 0.36))
    assert basis[12] == pytest.approx(0.25 * np.sqrt(7 / np.pi) * 0.8 * (2 * 0.64 - 3 * 0.36))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_turned_coefficients_give_turned_colours(degree):
    rotation = make_rotation(degree)
    cloud = make_cloud(200, degree)
    turn = build_harmonics_rotation(rotation, degree)
    assert np.allclose(turn @ turn.T, np.eye(len(turn)), atol=1e-12)
    d = make_directions(200)
    before = evaluate_colours(cloud.harmonics, d)
    after = evaluate_colours(cloud.harmonics @ turn.T, d @ rotation.T)
    assert np.allclose(before, after, atol=1e-9)


def test_blenders_world_is_that_of_points():
    cloud = make_cloud(50)
    there = to_blender_cloud(cloud)
    assert np.array_equal(there.positions, to_blender_points(cloud.positions))
    back = from_blender_cloud(there)
    assert np.array_equal(back.positions, cloud.positions)
    assert measure_turns(back.rotations, cloud.rotations).max() < 1e-6
    assert np.allclose(back.harmonics, cloud.harmonics, atol=1e-6)


def test_up_axes_of_files():
    cloud = GaussianCloud(
        np.float32([[1, 2, 3]]),
        np.ones((1, 3), np.float32),
        np.float32([[1, 0, 0, 0]]),
        np.ones(1, np.float32),
        np.zeros((1, 3, 4), np.float32),
    )
    for up, wanted in (
        (UpAxis.MINUS_Y, [1, 2, 3]),
        (UpAxis.PLUS_Y, [1, -2, -3]),  # up is y, towards the viewer is z
        (UpAxis.PLUS_Z, [1, -3, 2]),  # up is z: OpenCV's down is y
    ):
        turned = turn_to_opencv(cloud, up)
        assert turned.positions[0] == pytest.approx(wanted)
        assert turn_from_opencv(turned, up).positions[0] == pytest.approx([1, 2, 3])


def test_moved_clouds_have_moved_shapes():
    cloud = make_cloud(100)
    move = Sim3(2.5, make_rotation(5), np.array([1.0, -2, 0.5]))
    moved = move_cloud(cloud, move)
    assert np.allclose(moved.positions, move.apply_to_points(cloud.positions), atol=1e-5)
    wanted = 2.5**2 * move.rotation @ build_covariances(cloud) @ move.rotation.T
    assert np.allclose(build_covariances(moved), wanted, atol=1e-6)


@pytest.mark.parametrize("scale", [(2, 2, 2), (1, 3, 0.5), (-1, 1, 1), (-2, 1, 0.3)])
def test_any_transform_of_an_object_can_be_baked(scale):
    cloud = make_cloud(100)
    matrix = np.eye(4)
    matrix[:3, :3] = make_rotation(2) @ np.diag(scale)
    matrix[:3, 3] = (1, 2, 3)
    baked = bake_matrix(cloud, matrix)
    linear = matrix[:3, :3]
    assert np.allclose(baked.positions, cloud.positions @ linear.T + matrix[:3, 3], atol=1e-5)
    wanted = linear @ build_covariances(cloud) @ linear.T
    assert np.allclose(build_covariances(baked), wanted, atol=1e-6)
    if abs(scale[0]) == abs(scale[1]) == abs(scale[2]):  # colours turn or mirror exactly
        d = make_directions(100)
        seen = d @ (linear / abs(scale[0])).T
        before = evaluate_colours(cloud.harmonics, d)
        assert np.allclose(evaluate_colours(baked.harmonics, seen), before, atol=1e-5)


def test_unsound_gaussians_are_found():
    cloud = make_cloud(6)
    for name, index, value in (
        ("positions", 0, np.nan),
        ("scales", 1, np.inf),
        ("rotations", 2, 0.0),
        ("opacities", 3, -np.inf),
        ("harmonics", 4, np.nan),
    ):
        getattr(cloud, name)[index] = value
    assert find_sound(cloud).tolist() == [False] * 5 + [True]


def test_arrays_that_do_not_belong_together_are_refused():
    cloud = make_cloud(4)
    with pytest.raises(ValueError, match="scales has the shape"):
        GaussianCloud(
            cloud.positions, cloud.scales[:3], cloud.rotations, cloud.opacities, cloud.harmonics
        )
    with pytest.raises(ValueError, match="harmonics"):
        GaussianCloud(
            cloud.positions,
            cloud.scales,
            cloud.rotations,
            cloud.opacities,
            cloud.harmonics[:, :, :5],
        )


def test_taking_some_keeps_what_belongs_to_them():
    cloud = make_cloud(10)
    extra = GaussianCloud(
        cloud.positions,
        cloud.scales,
        cloud.rotations,
        cloud.opacities,
        cloud.harmonics,
        np.arange(10, dtype=np.int32),
        np.linspace(0, 1, 10, dtype=np.float32),
    )
    taken = extra.take(extra.confidence > 0.5)
    assert taken.views.tolist() == [5, 6, 7, 8, 9]
    assert np.array_equal(taken.positions, cloud.positions[5:])
    assert rotate_cloud(taken, make_rotation(0)).views.tolist() == [5, 6, 7, 8, 9]


def add_extras(cloud, first=0):
    number = np.arange(first, first + cloud.count)
    return replace(
        cloud,
        views=number.astype(np.int32),
        confidence=(number / 2).astype(np.float32),
        border=(number / 50).astype(np.float32),
        far=(number / 20).astype(np.float32),
        neighbours=(number * 3).astype(np.int32),
    )


def test_what_a_gaussian_knows_stays_with_it():
    cloud = add_extras(make_cloud(10))
    move = Sim3(2.5, make_rotation(5), np.array([1.0, -2, 0.5]))
    for other in (move_cloud(cloud, move), bake_matrix(cloud, np.diag((1.0, 2, 3, 1)))):
        taken = other.take(np.array([7, 2])).limit_degree(1)
        for name in EXTRAS:
            assert np.array_equal(getattr(taken, name), getattr(cloud, name)[[7, 2]]), name


def test_joined_clouds_keep_what_they_know_and_no_limit_hides_the_rest():
    first, second = add_extras(make_cloud(4, 1)), make_cloud(3, 2)
    joined = join_clouds([second, first])
    assert (joined.count, joined.degree) == (7, 2)
    assert not joined.harmonics[3:, :, 4:].any()
    for name in EXTRAS:
        assert np.array_equal(getattr(joined, name)[3:], getattr(first, name)), name
    assert (joined.border[:3] == 0.5).all()
    assert (joined.far[:3] == 0).all()
    assert (joined.neighbours[:3] > 1e9).all()
    assert (joined.confidence[:3] > 1e30).all()
    assert joined.views.dtype == joined.neighbours.dtype == np.int32
    assert all(getattr(join_clouds([second, second]), name) is None for name in EXTRAS)
