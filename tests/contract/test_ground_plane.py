# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of rooms whose floor is known, with tables, ceilings, noise and stray points."""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.contract.ground_plane import estimate_normals, find_floor, fit_plane, guess_up

RANDOM = np.random.default_rng(3)
UP = np.array([0.0, 0.0, 1.0])


def make_patch(count: int, low: tuple[float, ...], high: tuple[float, ...]) -> np.ndarray:
    """Return (count, 3) points in a box that is flat along one axis."""
    return RANDOM.uniform(low, high, (count, 3))


def make_room() -> np.ndarray:
    """Return a room of 6 x 5 x 3 with its floor at z = 0, a large table and a ceiling."""
    return np.concatenate(
        [
            make_patch(8000, (0, 0, 0), (6, 5, 0)),
            make_patch(6000, (0, 0, 3), (6, 5, 3)),
            make_patch(5000, (1, 1, 0.8), (4, 3.5, 0.8)),
            make_patch(4000, (0, 5, 0), (6, 5, 3)),
            make_patch(4000, (0, 0, 0), (0, 5, 3)),
            make_patch(2000, (0, 0, -1), (6, 5, 4)),
        ]
    ) + RANDOM.normal(0, 0.005, (29000, 3))


def make_tilt(degrees: float, axis: int = 0) -> np.ndarray:
    """Return (3, 3): a turn around x or y."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = [i for i in range(3) if i != axis]
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = c
    rotation[first, second], rotation[second, first] = -s, s
    return rotation


CENTRES = np.array([[1.0, 1.0, 1.6], [3.0, 2.0, 1.7], [5.0, 4.0, 1.5]])


@pytest.mark.parametrize("degrees", [0, 7, -14])
def test_the_floor_of_a_tilted_room_is_found_below_table_and_ceiling(degrees):
    turn = make_tilt(degrees)
    shift = np.array([2.0, -1.0, 5.0])
    floor = find_floor(make_room() @ turn.T + shift, CENTRES @ turn.T + shift, UP)
    angle = np.degrees(np.arccos(min(1.0, floor.plane.normal @ turn @ UP)))
    assert angle < 0.1
    # 5 mm of noise in the points; the plane is the mean of over a thousand
    assert floor.plane.measure_heights(shift) == pytest.approx(0, abs=2e-3)
    assert floor.share == pytest.approx(8000 / 29000, abs=0.05)


def test_a_plane_above_the_cameras_is_no_floor():
    ceiling = make_patch(5000, (0, 0, 3), (6, 5, 3)) + RANDOM.normal(0, 0.005, (5000, 3))
    assert find_floor(ceiling, CENTRES, UP) is None
    assert find_floor(ceiling, CENTRES + [0, 0, 3], UP) is not None


def test_a_wall_and_a_ball_have_no_floor():
    wall = make_patch(4000, (0, 5, 0), (6, 5, 3)) + RANDOM.normal(0, 0.005, (4000, 3))
    assert find_floor(wall, CENTRES, UP) is None
    ball = RANDOM.normal(size=(4000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    floor = find_floor(ball, np.zeros((0, 3)), UP)
    assert floor is None or floor.share < 0.1


def test_few_points_are_no_floor():
    assert find_floor(np.zeros((5, 3)), CENTRES, UP) is None


def test_points_that_are_not_finite_are_left_out():
    points = make_room()
    points[::7] = np.nan
    floor = find_floor(points, CENTRES, UP)
    assert floor.plane.normal @ UP > np.cos(np.radians(0.2))


def test_up_is_perpendicular_to_level_cameras_that_look_down():
    turns = [make_tilt(degrees, axis=2) for degrees in (0, 40, 95, 170)]
    looks = make_tilt(-35)
    rotations = np.stack([turn @ looks for turn in turns])
    assert guess_up(rotations[:, :, 2], rotations[:, :, 0]) == pytest.approx(UP, abs=1e-9)


def test_up_of_a_straight_dolly_is_the_mean():
    rotations = np.stack([make_tilt(10)] * 5)
    up = guess_up(rotations[:, :, 2], rotations[:, :, 0])
    assert up == pytest.approx(make_tilt(10)[:, 2])


def test_a_plane_through_three_points():
    plane = fit_plane(np.array([[0, 0, 2.0], [1, 0, 2], [0, 1, 2]]), -UP)
    assert plane.normal == pytest.approx(-UP)
    assert plane.offset == pytest.approx(-2)


def test_points_on_a_line_are_refused():
    with pytest.raises(ValueError, match="on one line"):
        fit_plane(np.array([[0, 0, 0.0], [1, 1, 1], [2, 2, 2]]), UP)
    with pytest.raises(ValueError, match="needs three points, got 2"):
        fit_plane(np.zeros((2, 3)), UP)


def test_normals_of_a_wall():
    wall = make_patch(1000, (0, 5, 0), (6, 5, 3))
    normals, is_surface = estimate_normals(wall)
    assert np.abs(normals[:, 1]).min() > 0.999
    assert is_surface.all()
