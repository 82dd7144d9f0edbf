# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbours counted through cells are those of measuring all pairs."""

import numpy as np
import pytest

from da3_blender.splats.neighbours import EXACT_BELOW, count_neighbours, measure_spacing


def measure(positions):
    gap = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    return gap


@pytest.mark.parametrize("radius", [0.05, 0.2, 0.6])
def test_small_counts_are_exact_and_large_ones_near(radius):
    positions = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    wanted = (measure(positions) <= radius).sum(axis=1)
    found = count_neighbours(positions, radius)
    few = wanted < EXACT_BELOW
    assert few.sum() > 10
    assert np.array_equal(found[few], wanted[few])
    assert (found[~few] >= EXACT_BELOW / 2).all()
    if not few.all():  # from 32 of them: a standard error of about a quarter
        assert np.abs(found[~few] / wanted[~few] - 1).mean() < 0.35


def test_what_is_very_far_out_is_lonely_and_harmless():
    positions = np.random.default_rng(1).uniform(size=(500, 3)).astype(np.float32)
    positions[7], positions[8] = 1e30, np.nan
    found = count_neighbours(positions, 0.1)
    assert found[7] == found[8] == 0
    rest = np.delete(positions, (7, 8), axis=0)
    assert np.array_equal(np.delete(found, (7, 8)), (measure(rest) <= 0.1).sum(axis=1))


def test_spacing_is_the_median_to_the_nearest_other_place():
    positions = np.random.default_rng(2).normal(size=(900, 3)).astype(np.float32)
    assert measure_spacing(positions) == pytest.approx(np.median(measure(positions).min(axis=1)))
    twice = np.concatenate([positions, positions])
    assert measure_spacing(twice) == pytest.approx(measure_spacing(positions))
    assert measure_spacing(np.ones((5, 3), np.float32)) == 0
    assert measure_spacing(np.empty((0, 3), np.float32)) == 0
