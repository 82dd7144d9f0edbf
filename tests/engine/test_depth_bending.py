# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth that is smoothly wrong is mended by points; good depth and noise are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.pipeline.depth_bending import KnownDepth, bend_depth

HEIGHT, WIDTH = 56, 84


def make_truth():
    """A floor, a wall behind it, and a box before the wall."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth = np.minimum(6.0, 60.0 / (1.0 + np.maximum(y - 20, 0)))
    depth[15:35, 20:40] = 3.0
    return depth.astype(np.float32), x, y


def see(true, said, count, noise=0.0):
    """Points at random pixels, with the ratio of truth to what is said there."""
    random = np.random.default_rng(5)
    column, row = random.integers(0, WIDTH, count), random.integers(0, HEIGHT, count)
    ratio = true[row, column] / said[row, column]
    return KnownDepth(column, row, ratio * np.exp(noise * random.standard_normal(count)))


def measure(depth, true):
    return float((np.abs(depth - true) / true).mean())


def test_a_smooth_error_goes():
    true, x, y = make_truth()
    wrong = (true**0.7 * np.exp(0.4 * x / WIDTH - 0.3 * (y / HEIGHT) ** 2)).astype(np.float32)
    wrong *= np.median(true) / np.median(wrong)
    points = see(true, wrong, 600, noise=0.01)
    points.ratio[::10] *= 3  # a tenth of the points is wrong
    bent, count = bend_depth(wrong[None], [points])
    assert count == 1
    assert bent.dtype == np.float32
    assert measure(wrong, true) > 0.1
    assert measure(bent[0], true) < 0.2 * measure(wrong, true)


@pytest.mark.parametrize(("error", "noise"), [(0.0, 0.02), (0.0, 0.3)])
def test_good_depth_and_noisy_points_change_nothing(error, noise):
    true, x, _ = make_truth()
    said = (true * np.exp(error * x)).astype(np.float32)
    bent, count = bend_depth(said[None], [see(true, said, 600, noise)])
    assert count == 0
    assert (bent[0] == said).all()


def test_few_points_change_nothing():
    true, x, _ = make_truth()
    wrong = (true * np.exp(0.8 * x / WIDTH - 0.4)).astype(np.float32)
    _, count = bend_depth(wrong[None], [see(true, wrong, 50)])
    assert count == 0


def test_points_in_one_corner_do_not_bend_the_rest():
    true, x, _ = make_truth()
    wrong = (true * np.exp(0.8 * x / WIDTH - 0.4)).astype(np.float32)
    points = see(true, wrong, 6000)
    corner = (points.column < WIDTH // 4) & (points.row < HEIGHT // 4)
    bent, count = bend_depth(wrong[None], [KnownDepth(*(part[corner] for part in points))])
    assert count == 0
    assert (bent[0] == wrong).all()


def test_pixels_without_depth_stay_without():
    true, x, _ = make_truth()
    wrong = (true * np.exp(0.8 * x / WIDTH - 0.4)).astype(np.float32)
    points = see(true, wrong, 600)
    wrong[:5] = 0
    inside = points.row >= 5
    bent, count = bend_depth(wrong[None], [KnownDepth(*(part[inside] for part in points))])
    assert count == 1
    assert (bent[0, :5] == 0).all()
    assert np.isfinite(bent).all()
