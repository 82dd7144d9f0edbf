# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of frames between keyframes, with a stand-in for the network whose truth is known."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.rotations import measure_angle
from da3_blender.streaming.between import (
    LEAST_SIZE,
    Group,
    make_groups,
    measure_way_scale,
    place_group,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from streaming_world import StandIn, make_place

FRAMES = 120


@pytest.fixture(scope="module")
def rooms():
    return make_place("rooms", FRAMES)


def measure_errors(w2c, true):
    """Distances of the centres and angles in degrees."""
    centres = invert_rigid(w2c)[:, :3, 3] - invert_rigid(true)[:, :3, 3]
    return np.linalg.norm(centres, axis=1), np.degrees(
        measure_angle(w2c[:, :3, :3], true[:, :3, :3])
    )


def pose_all(place, keys, size=24, **errors):
    """Pose all frames from the true cameras of the keyframes."""
    looker = StandIn(place, seed=3, **errors)
    w2c = np.full_like(place.w2c, np.nan)
    w2c[keys] = place.w2c[keys]
    for group in make_groups(place.frames, keys, size):
        assert np.isfinite(w2c[group.known]).all()
        found = place_group(group, looker.predict(group.frames).w2c, w2c[group.known])
        w2c[group.between] = found
    return w2c


@pytest.mark.parametrize(
    "keys",
    [
        [0, 119],
        list(range(0, 120, 2)) + [119],
        [0, 5, 6, 7, 50, 51, 90, 119],
        [10, 20, 30, 100],  # the ends have no keyframe
        list(range(0, 120, 13)) + [119],
        [0],
    ],
)
@pytest.mark.parametrize("size", [LEAST_SIZE, 8, 24])
def test_groups_cover_every_frame_once_and_know_their_surroundings(keys, size):
    groups = make_groups(FRAMES, keys, size)
    between = [frame for group in groups for frame in group.between]
    assert between == sorted(set(range(FRAMES)) - set(keys))
    posed = set(keys)
    for group in groups:
        assert len(group.frames) <= size
        assert set(group.known) <= posed
        posed |= set(group.between)
        first, last = group.between[0], group.between[-1]
        before = [k for k in keys if k < first]
        after = [k for k in keys if k > last]
        assert set(before[-2:]) | set(after[:2]) <= set(group.known)
        # nothing between two frames of a group that is known is left out
        inside = set(range(first, last + 1))
        assert inside <= set(group.frames)


def test_short_gaps_share_a_group_and_long_ones_are_linked():
    assert len(make_groups(60, list(range(0, 60, 5)) + [59], 24)) <= 4
    groups = make_groups(100, [0, 1, 98, 99], 24)
    assert len(groups) == 6
    for earlier, later in itertools.pairwise(groups):
        assert earlier.between[-1] in later.known


def test_without_errors_of_the_network_the_cameras_are_the_true_ones(rooms):
    keys = list(range(0, FRAMES, 7)) + [FRAMES - 1]
    found = pose_all(rooms, keys, slip=0.0, turn_deg=0.0)
    distance, angle = measure_errors(found, rooms.w2c)
    assert distance.max() < 1e-6
    assert angle.max() < 1e-4


@pytest.mark.parametrize("step", [4, 7, 20])
def test_cameras_between_are_much_better_than_a_straight_line(rooms, step):
    keys = np.array(sorted({*range(0, FRAMES, step), FRAMES - 1}))
    found = pose_all(rooms, keys.tolist())
    between = np.setdiff1d(np.arange(FRAMES), keys)
    distance, angle = measure_errors(found[between], rooms.w2c[between])
    centres = invert_rigid(rooms.w2c)[:, :3, 3]
    line = np.stack([np.interp(between, keys, centres[keys, axis]) for axis in range(3)], axis=1)
    straight = np.linalg.norm(line - centres[between], axis=1)
    assert distance.mean() < 0.4 * straight.mean()
    assert angle.mean() < 1.0


def test_there_is_no_jump_at_keyframes_nor_between_groups(rooms):
    """A network that drifts: each step of the found way is about as long as the true one."""
    keys = [0, 1, 58, 59, 60, 118, 119]
    found = pose_all(rooms, keys, slip=0.1, turn_deg=0.2)
    assert len(make_groups(FRAMES, keys, 24)) > 4
    steps, true = (
        np.linalg.norm(np.diff(invert_rigid(w2c)[:, :3, 3], axis=0), axis=1)
        for w2c in (found, rooms.w2c)
    )
    assert np.abs(steps - true).max() < 0.8 * np.median(true)
    # without the spreading the last step to a keyframe would take all of the drift
    alone = StandIn(rooms, seed=3, slip=0.1, turn_deg=0.2)
    group = make_groups(FRAMES, keys, 24)[0]
    own = alone.predict(group.frames).w2c
    rows = np.searchsorted(group.frames, group.known)
    scale = measure_way_scale(invert_rigid(own[rows]), invert_rigid(rooms.w2c[group.known]))
    assert scale > 0


def test_a_camera_that_stands_stays_where_it_is():
    """Each look puts noise on a camera that does not move: the frames between must not wander."""
    rng = np.random.default_rng(2)

    def shake(count, size):
        c2w = np.tile(np.eye(4), (count, 1, 1))
        c2w[:, :3, 3] = rng.normal(0, size, (count, 3))
        return invert_rigid(c2w)

    group = Group([0, 10, 20, 30], list(range(11, 20)))
    found = place_group(group, shake(13, 5.0), shake(4, 0.001))
    assert np.linalg.norm(found[:, :3, 3], axis=1).max() < 0.01


def test_frames_beyond_the_last_keyframe_are_carried_on(rooms):
    keys = list(range(10, 100, 5))
    found = pose_all(rooms, keys, slip=0.0, turn_deg=0.0)
    distance, _ = measure_errors(found, rooms.w2c)
    assert np.isfinite(found).all()
    assert distance.max() < 1e-6
