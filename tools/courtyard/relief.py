# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masonry and paving as reliefs: every stone is in the mesh, none is like another.

Runs under the bpy wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .fractal import parse_colours, pick_colours, sample_noise, smooth_step
from .parts import Part, grid_quads, make_part

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray
LIMESTONE = parse_colours("d8c39a", "b79f78", "c9a87c", "a89a86", "e0d2b4", "8f8272", "bd8f68")
BRICK = parse_colours("a9553a", "8c3f2c", "c4714a", "74382b", "b8805c", "d39a72", "5d3a33")
COBBLE = parse_colours("8d8780", "6f6a66", "a39a8c", "7d746a", "585a5f", "b5a993", "94806c")
PLASTER = parse_colours("dcae72", "c98f55", "e6c79a")
MORTAR = parse_colours("a3937a")[0]
SOIL = parse_colours("4a4130")[0]
MOSS = parse_colours("59632c")[0]


class Cells(NamedTuple):
    """Which stone each point belongs to.

    Attributes:
        index: (M,) int64, number of the stone.
        inset: (M,) float64, metres to the edge of the stone.
    """

    index: Array
    inset: Array


class Bond(NamedTuple):
    """How a wall is laid: ranges of course heights and stone lengths, and how crooked; metres."""

    course: tuple[float, float]
    length: tuple[float, float]
    crooked: float
    joint: float
    depth: tuple[float, float]


RUBBLE = Bond((0.15, 0.33), (0.2, 0.6), 0.035, 0.03, (0.02, 0.055))
BRICKS = Bond((0.075, 0.088), (0.17, 0.26), 0.008, 0.013, (0.008, 0.024))
WELL_STONES = Bond((0.13, 0.21), (0.18, 0.42), 0.02, 0.025, (0.015, 0.04))


def lay_courses(
    rng: np.random.Generator, spots: Array, extent: tuple[float, float], bond: Bond
) -> Cells:
    """Divide a wall into stones.

    Args:
        rng: Source of the sizes.
        spots: (M, 2) float64, metres along and up the wall.
        extent: Length and height of the wall, metres.
        bond: How it is laid.

    Returns:
        The stone of each spot.
    """
    bent = spots + bond.crooked * np.stack(
        [sample_noise(spots, 0.35, 11), sample_noise(spots, 0.35, 23)], axis=1
    )
    levels = (
        np.cumsum(rng.uniform(*bond.course, int(extent[1] / bond.course[0]) + 3))
        - 2 * bond.crooked
        - 0.05
    )
    course = np.clip(np.searchsorted(levels, bent[:, 1]) - 1, 0, len(levels) - 2)
    index, inset = np.zeros(len(spots), np.int64), np.zeros(len(spots))
    started = 0
    for row in range(len(levels) - 1):
        ends = (
            np.cumsum(rng.uniform(*bond.length, int(extent[0] / bond.length[0]) + 4))
            - bond.length[1]
            - 0.1
        )
        here = course == row
        stone = np.clip(np.searchsorted(ends, bent[here, 0]) - 1, 0, len(ends) - 2)
        beside = np.minimum(bent[here, 0] - ends[stone], ends[stone + 1] - bent[here, 0])
        above = np.minimum(bent[here, 1] - levels[row], levels[row + 1] - bent[here, 1])
        near = np.maximum(np.stack([beside, above]), 1e-4)
        inset[here] = (near**-3.0).sum(axis=0) ** (-1 / 3)  # a soft minimum: round corners
        index[here] = started + stone
        started += len(ends)
    return Cells(index, inset)


def shape_masonry(
    rng: np.random.Generator, spots: Array, extent: tuple[float, float], bond: Bond, palette: Array
) -> tuple[Array, Array]:
    """Give relief and colour to a wall.

    Args:
        rng: Source of sizes and colours.
        spots: (M, 2) float64, metres along and up the wall.
        extent: Length and height, metres.
        bond: How it is laid.
        palette: (n, 3) scene-linear colours of the stones.

    Returns:
        (M,) float64 height above the mortar bed in metres, (M, 3) float64 scene-linear colours.
    """
    cells = lay_courses(rng, spots, extent, bond)
    count = cells.index.max() + 1
    body = smooth_step(cells.inset, bond.joint * 0.3, bond.joint * 1.3)
    rough = sample_noise(spots, 0.11, 5, 4)
    height = body * (
        rng.uniform(*bond.depth, count)[cells.index] + 0.25 * bond.joint * rough
    ) + 0.003 * sample_noise(spots, 0.03, 7, 2)
    stone = pick_colours(rng, palette, count)[cells.index] * (1 + 0.22 * rough)[:, None]
    damp = smooth_step(0.5 - spots[:, 1] + 0.35 * sample_noise(spots, 0.5, 9), 0, 0.7)[:, None]
    bed = MORTAR * (1 + 0.3 * sample_noise(spots, 0.05, 13))[:, None]
    bed = bed + (MOSS - bed) * damp * 0.8
    colour = bed + (stone * (1 - 0.3 * damp) - bed) * body[:, None]
    return height, np.clip(colour, 0.01, 0.9)


def cover_with_plaster(
    spots: Array, height: Array, colour: Array, seed: int, amount: float
) -> tuple[Array, Array]:
    """Lay old plaster over a wall, fallen off in places.

    Args:
        spots: (M, 2) float64, metres along and up.
        height: (M,) float64, relief below.
        colour: (M, 3) float64, colours below.
        seed: Which of many patterns.
        amount: Larger covers more; 0 is about half of the upper part.

    Returns:
        Height and colour as given, with plaster.
    """
    field = sample_noise(spots, 1.5, seed, 5) + 0.35 * (spots[:, 1] - 1.7) + amount
    cover = smooth_step(field, 0.0, 0.035)
    edge = smooth_step(field, 0.0, 0.25)
    stain = sample_noise(spots * [1, 0.35], 0.4, seed + 3, 5)
    drip = sample_noise(spots * [1, 0.08], 0.09, seed + 4, 3)
    mix = smooth_step(stain, -0.8, 0.9)[:, None]
    coat = PLASTER[1] + (PLASTER[2] - PLASTER[1]) * mix
    coat = coat * (1 + 0.16 * stain + 0.1 * drip)[:, None] * (0.8 + 0.2 * edge)[:, None]
    crack = 1 - smooth_step(np.abs(sample_noise(spots, 0.9, seed + 8, 4)), 0.004, 0.018)
    level = 0.058 + 0.004 * sample_noise(spots, 0.3, seed + 5, 3) - 0.006 * crack
    coat = coat * (1 - 0.55 * crack)[:, None]
    raised = height + (np.maximum(level, height * 0.6 + 0.02) - height) * cover
    return raised, colour + (coat - colour) * cover[:, None]


def make_wall(
    extent: tuple[float, float],
    step: float,
    paint: Callable[[Array], tuple[Array, Array]],
    is_open: Callable[[Array], Array],
) -> Part:
    """Make a wall that stands on the x axis and looks to -y.

    Args:
        extent: Length and height, metres.
        step: Distance of neighbouring mesh points, metres.
        paint: Takes (M, 2) spots, gives (M,) heights in metres and (M, 3) colours.
        is_open: Takes (F, 2) spots, says where the wall has an opening.

    Returns:
        The wall; its mortar bed is the plane y = 0.
    """
    columns, rows = (int(length / step) + 1 for length in extent)
    along, up = np.meshgrid(np.linspace(0, extent[0], columns), np.linspace(0, extent[1], rows))
    spots = np.stack([along.reshape(-1), up.reshape(-1)], axis=1)
    height, colour = paint(spots)
    quads = grid_quads(rows, columns)
    quads = quads[~is_open(spots[quads].mean(axis=1))]
    points = np.stack([spots[:, 0], -height, spots[:, 1]], axis=1)
    return make_part(points, quads, colour)


def make_ring_wall(rng: np.random.Generator, radius: float, height: float) -> Part:
    """Make a round wall of stones about the z axis, its seam at +x."""
    extent = (2 * np.pi * radius, height)
    columns, rows = int(extent[0] / 0.012), int(height / 0.012)
    along, up = np.meshgrid(np.arange(columns) / columns * extent[0], np.linspace(0, height, rows))
    spots = np.stack([along.reshape(-1), up.reshape(-1)], axis=1)
    relief, colour = shape_masonry(rng, spots, extent, WELL_STONES, LIMESTONE * 0.9)
    reach, angle = radius + relief, spots[:, 0] / radius
    points = np.stack([reach * np.cos(angle), reach * np.sin(angle), spots[:, 1]], axis=1)
    return make_part(points, grid_quads(rows, columns, is_closed=True), colour)


def find_cobbles(rng: np.random.Generator, spots: Array, width: float) -> Cells:
    """Divide the ground into Voronoi cells of jittered centres.

    Args:
        rng: Source of the jitter.
        spots: (M, 2) float64, metres.
        width: Mean distance of the centres, metres.

    Returns:
        The cobble of each spot.
    """
    bent = spots + 0.012 * np.stack(
        [sample_noise(spots, 0.09, 31, 2), sample_noise(spots, 0.09, 37, 2)], axis=1
    )
    low = np.floor(bent.min(axis=0) / width).astype(np.int64) - 2
    shape = np.floor(bent.max(axis=0) / width).astype(np.int64) - low + 3
    centres = (
        np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
        + low
        + rng.uniform(0.08, 0.92, (*shape, 2))
    )
    home = np.floor(bent / width).astype(np.int64) - low
    nearest, second, index = (
        np.full(len(spots), 9.0),
        np.full(len(spots), 9.0),
        np.zeros(len(spots), np.int64),
    )
    for offset in np.ndindex(5, 5):
        cell = home + np.array(offset) - 2
        distance = np.linalg.norm(centres[cell[:, 0], cell[:, 1]] * width - bent, axis=1)
        is_nearer = distance < nearest
        second = np.where(is_nearer, nearest, np.minimum(second, distance))
        nearest = np.where(is_nearer, distance, nearest)
        index = np.where(is_nearer, cell[:, 0] * shape[1] + cell[:, 1], index)
    return Cells(index, (second - nearest) / 2)


def make_ground(
    rng: np.random.Generator, low: tuple[float, float], high: tuple[float, float], step: float
) -> Part:
    """Pave a rectangle of the plane z = 0 with cobbles, moss and soil between them.

    Args:
        rng: Source of the pattern and colours.
        low: Corner with the smallest x and y, metres.
        high: Corner with the largest x and y, metres.
        step: Distance of neighbouring mesh points, metres.

    Returns:
        The ground.
    """
    columns, rows = (int((b - a) / step) + 1 for a, b in zip(low, high, strict=True))
    x, y = np.meshgrid(np.linspace(low[0], high[0], columns), np.linspace(low[1], high[1], rows))
    spots = np.stack([x.reshape(-1), y.reshape(-1)], axis=1)
    cells = find_cobbles(rng, spots, 0.17)
    count = cells.index.max() + 1
    body = smooth_step(cells.inset, 0.004, 0.035)
    rough = sample_noise(spots, 0.06, 41, 3)
    height = (
        body * (rng.uniform(0.012, 0.035, count)[cells.index] + 0.004 * rough)
        + 0.02 * sample_noise(spots, 1.6, 43, 2)
        - 0.03
    )
    stone = pick_colours(rng, COBBLE, count, 0.3)[cells.index] * (1 + 0.25 * rough)[:, None]
    green = smooth_step(sample_noise(spots, 1.1, 47, 4), -0.1, 0.5)[:, None]
    bed = (SOIL + (MOSS - SOIL) * green) * (1 + 0.35 * sample_noise(spots, 0.04, 53, 2))[:, None]
    colour = bed + (stone - bed) * body[:, None]
    points = np.concatenate([spots, height[:, None]], axis=1)
    return make_part(points, grid_quads(rows, columns), np.clip(colour, 0.01, 0.9))
