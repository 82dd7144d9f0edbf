# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera flights: where they begin, end and turn.

Runs in the engine's environment.
"""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.flights.camera_paths import (
    MODES,
    RING_MODES,
    CameraPath,
    DollyZoom,
    FlightPlan,
    Showpieces,
    build_path,
    count_frames_per_gap,
    dolly_zoom,
    interpolate_views,
    smooth_path,
    wander,
)
from da3_blender.flights.pose_interpolation import interpolate_pose
from da3_blender.flights.timing import resample, reverse, turn_back


def make_views(count):
    """Cameras on a circle of radius 3 that look at the origin."""
    c2w = np.tile(np.eye(4), (count, 1, 1))
    for pose, angle in zip(c2w, np.linspace(0, 1.5, count), strict=True):
        c, s = np.cos(angle), np.sin(angle)
        pose[:3, :3] = [[c, 0, -s], [0, 1, 0], [s, 0, c]]
        pose[:3, 3] = -3 * pose[:3, 2]
    K = np.tile([[0.9, 0, 0.5], [0, 1.2, 0.5], [0, 0, 1]], (count, 1, 1))
    return CameraPath(c2w, K)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 2, 5, 60])
def test_every_mode_gives_cameras(mode, count):
    path = build_path(mode, make_views(count), 504)
    rotation = path.c2w[:, :3, :3]
    assert len(path.c2w) == len(path.K) > 0
    assert np.isfinite(path.c2w).all()
    assert np.allclose(np.linalg.norm(rotation, axis=1), 1, atol=1e-3)
    assert (np.linalg.det(rotation) > 0.9).all()
    if count == 1:
        assert len(path.c2w) == 122  # a single view is always wandered around


def test_unknown_modes_are_refused():
    with pytest.raises(ValueError, match="barrel"):
        build_path("barrel", make_views(3), 504)


def test_a_pose_between_two_keeps_its_eye_on_what_both_see():
    views = make_views(2)
    path = interpolate_pose(views.c2w[0], views.c2w[1], np.linspace(0, 1, 7))
    assert np.allclose(path[[0, -1]], views.c2w)
    assert np.allclose(np.linalg.norm(path[:, :3, 3], axis=1), 3)
    assert np.allclose(-3 * path[:, :3, 2], path[:, :3, 3])


def test_interpolation_meets_every_view_and_counts():
    for count, frames in ((5, 4 * 12 - 3), (60, 59 * 4 - 58), (200, 200)):
        views = make_views(count)
        path = interpolate_views(views)
        assert len(path.c2w) == frames
        nearest = np.abs(path.c2w[None] - views.c2w[:, None]).max(axis=(2, 3)).min(axis=1)
        assert nearest.max() < 1e-9


def test_extend_stops_half_way_for_two_showpieces():
    views = make_views(5)
    plain = build_path("interpolate_smooth", views, 504)
    path = build_path("extend", views, 504)
    assert len(path.c2w) == len(plain.c2w) + 38 + 36
    assert np.array_equal(path.c2w[0], plain.c2w[0])
    assert np.array_equal(path.c2w[-1], plain.c2w[-1])
    assert path.K[:, 0, 0].max() > plain.K[:, 0, 0].max()  # the dolly zoom


def test_wandering_moves_the_picture_by_so_many_pixels():
    view = make_views(1)
    path = wander(view, width=500, frames=41, travel_px=10)
    assert np.array_equal(path.c2w[0], view.c2w[0])
    assert np.array_equal(path.c2w[-1], view.c2w[0])
    sideways = (path.c2w[:, :3, 3] - view.c2w[0, :3, 3]) @ view.c2w[0, :3, 0]
    assert np.abs(sideways).max() * 0.9 * 500 == pytest.approx(10)  # at a depth of 1


def test_what_is_in_focus_keeps_its_size_in_a_dolly_zoom():
    view = make_views(1)
    path = dolly_zoom(view, 9, DollyZoom(focus=10.0, distance=2.0))
    moved = (path.c2w[:, :3, 3] - view.c2w[0, :3, 3]) @ view.c2w[0, :3, 2]
    assert moved.min() == pytest.approx(-2)
    size = path.K[:, 0, 0] / (10 - moved)
    assert np.allclose(size, size[0])
    release = dolly_zoom(view, 9, DollyZoom(10.0, 2.0, matches_release=True))
    assert (release.K[:, 0, 0] / (10 - moved)).min() < 0.7 * size[0]


def test_smoothing_leaves_an_even_motion_alone_and_calms_a_shaken_one():
    still = make_views(1)
    c2w = np.repeat(still.c2w, 21, axis=0)
    c2w[:, 0, 3] = np.linspace(0, 2, 21)
    smooth = smooth_path(CameraPath(c2w, np.repeat(still.K, 21, axis=0)), 5)
    assert np.allclose(smooth.c2w[2:-2], c2w[2:-2])
    shaken = c2w.copy()
    shaken[:, 1, 3] = (-1.0) ** np.arange(21)
    calm = smooth_path(CameraPath(shaken, smooth.K), 9).c2w
    assert np.abs(calm[5:-5, 1, 3]).max() < 0.05


def measure_steps(c2w):
    """Distances from each camera to the next, and from the last to the first."""
    positions = c2w[:, :3, 3]
    return np.linalg.norm(np.roll(positions, -1, axis=0) - positions, axis=1)


@pytest.mark.parametrize("mode", RING_MODES)
def test_a_ring_goes_on_from_the_last_view_to_the_first(mode):
    views = make_views(9)
    path = build_path(mode, views, 504, FlightPlan(is_ring=True))
    steps = measure_steps(path.c2w)
    assert steps[-1] < 1.5 * steps[:-1].max()
    if mode == "interpolate":
        assert len(path.c2w) == 9 * count_frames_per_gap(mode, 9, is_ring=True)


def test_a_mode_without_a_ring_says_so():
    with pytest.raises(ValueError, match="ring"):
        build_path("original", make_views(3), 504, FlightPlan(is_ring=True))


@pytest.mark.parametrize("count", [2, 5, 60, 200])
def test_frames_per_gap_are_counted_as_they_are_made(count):
    gap = count_frames_per_gap("interpolate", count)
    assert len(interpolate_views(make_views(count)).c2w) == (count - 1) * gap + 1


def test_showpieces_take_the_depth_of_their_view():
    views = make_views(5)
    deep = Showpieces(lambda view: 7.0 + view.c2w[0, 0, 3], travel=0.25)
    path = build_path("dolly_zoom", views, 504, FlightPlan(around=3, showpieces=deep))
    depth = 7.0 + views.c2w[3, 0, 3]
    moved = np.linalg.norm(path.c2w[:, :3, 3] - views.c2w[3, :3, 3], axis=1)
    assert moved.max() == pytest.approx(depth / 4, rel=0.01)
    assert np.ptp(path.K[:, 0, 0] / (depth + moved)) < 1e-9
    wandering = build_path("wander", views, 504, FlightPlan(around=3, showpieces=deep))
    plain = build_path("wander", views, 504, FlightPlan(around=3))
    assert np.allclose(wandering.c2w - views.c2w[3], depth * (plain.c2w - views.c2w[3]))


def test_other_speeds_stay_on_the_same_way():
    t = np.linspace(0, 2 * np.pi, 25)
    values = np.stack([np.cos(t), np.sin(t)], axis=1)
    assert np.allclose(resample(values, 25), values)
    slow = resample(values, 97)
    assert np.allclose(slow[::4], values)
    assert np.abs(np.linalg.norm(slow, axis=1) - 1).max() < 2e-3
    loop = resample(values[:-1], 48, is_loop=True)
    assert np.allclose(loop[::2], values[:-1])
    assert np.abs(np.linalg.norm(loop, axis=1) - 1).max() < 1e-3
    assert np.allclose(resample(values[:1], 3), values[0])


def test_there_and_back_and_backwards():
    path = build_path("original", make_views(4), 504)
    back = turn_back(path)
    assert len(back.c2w) == 6
    assert np.array_equal(back.c2w[4], path.c2w[2])
    assert np.array_equal(back.c2w[5], path.c2w[1])
    assert np.array_equal(reverse(path).c2w[0], path.c2w[3])
