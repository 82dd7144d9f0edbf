# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coefficients that were recoloured give recoloured colours from all sides."""

import numpy as np
import pytest

from da3_blender.splats.harmonics import evaluate_basis
from da3_blender.splats.recolour import build_colour_matrix, recolour_cloud
from tests.splats.clouds import make_cloud
from tests.splats.test_cloud import make_directions


def evaluate(cloud, directions):
    return 0.5 + np.einsum("gcd,gd->gc", cloud.harmonics, evaluate_basis(directions, cloud.degree))


def test_a_matrix_on_coefficients_is_one_on_colours():
    cloud, directions = make_cloud(100, 3), make_directions(100)
    matrix = build_colour_matrix((0.8, 0.5, 0.1), 0.3, 1.7)
    after = evaluate(recolour_cloud(cloud, matrix), directions)
    assert np.allclose(after, evaluate(cloud, directions) @ matrix.T, atol=1e-5)


def test_the_numbers_by_hand():
    grey = build_colour_matrix((1, 1, 1), 0, 1) @ (0.2, 0.4, 0.6)
    assert grey == pytest.approx([0.2126 * 0.2 + 0.7152 * 0.4 + 0.0722 * 0.6] * 3)
    # scene-linear 0.214041 is the display value 0.5, 0.002 is on the straight piece
    factors = build_colour_matrix((0.214041, 1, 0.002, 1), 1, 2).diagonal()
    assert factors == pytest.approx([1, 2, 2 * 12.92 * 0.002], abs=1e-5)
    cloud = make_cloud(5)
    assert recolour_cloud(cloud, build_colour_matrix((1, 1, 1), 1, 1)) is cloud
