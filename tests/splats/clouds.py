# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds of Gaussians for tests, and the angle between two sets of rotations."""

import numpy as np

from da3_blender.splats.cloud import COEFFICIENTS, GaussianCloud, normalise_rotations


def make_cloud(count=1000, degree=3, seed=0, extent=2.0):
    """Give a cloud with flat and round, faint and dense Gaussians."""
    rng = np.random.default_rng(seed)
    coefficients = COEFFICIENTS[degree]
    harmonics = rng.uniform(-0.3, 0.3, (count, 3, coefficients))
    harmonics[:, :, 0] = rng.uniform(-1.5, 1.5, (count, 3))
    return GaussianCloud(
        rng.uniform(-extent, extent, (count, 3)).astype(np.float32),
        np.exp(rng.uniform(-5, -2, (count, 3))).astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        rng.uniform(0.02, 0.98, count).astype(np.float32),
        harmonics.astype(np.float32),
    )


def measure_turns(a, b):
    """Return the angles between rotations, radians."""
    a, b = (normalise_rotations(q).astype(np.float64) for q in (a, b))
    same = np.minimum(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
    return 4 * np.arcsin(np.clip(same / 2, 0, 1))
