# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks are chosen long and spread, every frame sees some, and a pair has parallax."""

from __future__ import annotations

import numpy as np

from da3_blender.contract.track_choice import choose_pair, choose_tracks

SIZE = (800, 600)


def make_tracks(lengths: list[int], places: np.ndarray, first: list[int]):
    track = np.repeat(np.arange(len(lengths)), lengths)
    place = np.concatenate([np.arange(f, f + n) for f, n in zip(first, lengths, strict=True)])
    return track, place, places[track]


def test_the_long_ones_of_each_corner_come_first():
    random = np.random.default_rng(0)
    corners = np.array([(50, 50), (750, 50), (50, 550), (750, 550)])
    places = np.repeat(corners, 100, axis=0) + random.uniform(-20, 20, (400, 2))
    lengths = [20 if index % 100 == 7 else 5 for index in range(400)]
    lengths[50] = 40  # the longest of all is beside that of its corner
    track, place, px = make_tracks(lengths, places, [0] * 400)
    chosen = choose_tracks(track, place, px, SIZE, 4)
    # sixteen in every frame for a solver; of each corner the longest is the first
    assert {50, 107, 207, 307} <= set(chosen.tolist())
    assert np.bincount(chosen // 100).min() >= 3


def test_every_frame_sees_what_a_solver_needs():
    random = np.random.default_rng(1)
    places = random.uniform((0, 0), SIZE, (600, 2))
    first = [index // 10 for index in range(600)]  # ten begin at each of 60 frames
    track, place, px = make_tracks([6] * 600, places, first)
    chosen = choose_tracks(track, place, px, SIZE, 20)
    seen = np.bincount(place[np.isin(track, chosen)])
    assert (seen[1:-6] >= 16).all()
    assert len(chosen) < 300


def test_short_tracks_are_left_out():
    track, place, px = make_tracks([2, 5, 2, 1], np.full((4, 2), 300.0), [0, 0, 3, 4])
    assert choose_tracks(track, place, px, SIZE, 10).tolist() == [1]
    assert len(choose_tracks(track[:0], place[:0], px[:0], SIZE, 10)) == 0


def test_the_pair_is_far_apart_and_sees_much_in_common():
    random = np.random.default_rng(2)
    points = random.uniform((-1, -1, 9), (1, 1, 11), (50, 3))
    centres = np.linspace((0, 0, 0), (3, 0, 0), 31)
    track = np.repeat(np.arange(50), 31)
    place = np.tile(np.arange(31), 50)
    seen = (track < 5) | (place < 21)  # after frame 20 only five points are left
    assert choose_pair(centres, points, track[seen], place[seen]) == (0, 20)
    assert choose_pair(centres, points, track[track < 5], place[track < 5]) is None
