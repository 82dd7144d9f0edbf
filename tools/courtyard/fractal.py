# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random fields and random tables that are the same on every machine.

Runs anywhere; numpy only.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def hash_lattice(cells: Array, seed: int) -> Array:
    """Give every lattice cell a number that looks random.

    Args:
        cells: (M, 3) int64, lattice coordinates.
        seed: Which of many such tables.

    Returns:
        (M,) float64 in [-1, 1).
    """
    word = cells.astype(np.uint64) * np.array([73856093, 19349663, 83492791], np.uint64)
    mixed = word[:, 0] ^ word[:, 1] ^ word[:, 2] ^ np.uint64(seed * 2654435761 + 1013904223)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def sample_noise(points: Array, size: float, seed: int, octaves: int = 3) -> Array:
    """Sum octaves of smooth value noise.

    Args:
        points: (M, 2) or (M, 3) float64, metres.
        size: Width of the largest features, metres.
        seed: Which of many fields.
        octaves: How often the features are halved in width and strength.

    Returns:
        (M,) float64, mostly within [-1, 1].
    """
    scaled = np.zeros((len(points), 3))
    scaled[:, : points.shape[1]] = points / size
    total = np.zeros(len(points))
    for octave in range(octaves):
        at = scaled * 2**octave + 17.3 * octave
        cell = np.floor(at).astype(np.int64)
        part = at - cell
        part = part * part * (3 - 2 * part)
        value = np.zeros(len(points))
        for corner in np.ndindex(2, 2, 2):
            weight = np.where(np.array(corner) == 1, part, 1 - part).prod(axis=1)
            value += weight * hash_lattice(cell + np.array(corner), seed + octave)
        total += value / 2**octave
    return total


def smooth_step(value: Array, low: float, high: float) -> Array:
    """Rise smoothly from 0 at `low` to 1 at `high`; same shape as `value`."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def parse_colours(*codes: str) -> Array:
    """Turn sRGB codes such as "c8a878" into (n, 3) float64 scene-linear colours."""
    srgb = np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in codes])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def pick_colours(
    rng: np.random.Generator, palette: Array, count: int, spread: float = 0.25
) -> Array:
    """Draw colours between neighbours of a palette, each lighter or darker by chance.

    Args:
        rng: Source of the choices.
        palette: (n, 3) scene-linear colours.
        count: How many.
        spread: Standard deviation of the lightness, as a share.

    Returns:
        (count, 3) float64, scene linear.
    """
    first, second = palette[rng.integers(0, len(palette), (2, count))]
    mixed = first + (second - first) * rng.random((count, 1)) * 0.5
    return mixed * np.clip(rng.normal(1, spread, (count, 1)), 0.45, 1.7)
