# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ivy, pot plants, grass, fallen leaves and trees, all of single leaves.

Runs under the bpy wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .fractal import parse_colours, pick_colours
from .parts import Part, join_parts
from .shapes import make_leaves, make_tube

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray
IVY = parse_colours("4f7a2e", "3c6426", "78963c", "2f5224", "96a44a", "8a5a30")
HERB = parse_colours("6f9442", "55803a", "89aa58", "446b33")
SAGE = parse_colours("9aa98a", "7f9478", "b4bda0")
GERANIUM = parse_colours("d23a2e", "e8583e", "b82a3a", "f08a72")
LAVENDER = parse_colours("8a6cc0", "a488d4", "6f54a4")
YELLOW = parse_colours("f0c030", "e89a20", "f6dc70")
FALLEN = parse_colours("b5793a", "8a5528", "cf9d4a", "6a4a2a", "a8522e")
TREE = parse_colours("6d8a48", "587a3c", "86a058", "4a6834")
STEM = parse_colours("5d4a34")[0]


def aim_randomly(rng: np.random.Generator, count: int, lift: float = 0.0) -> Array:
    """Give (count, 3) unit vectors, in all directions for lift 0, more upright above."""
    aims = rng.normal(size=(count, 3)) + [0, 0, lift]
    return aims / np.linalg.norm(aims, axis=1, keepdims=True)


def grow_bush(
    rng: np.random.Generator,
    radius: float,
    count: int,
    palette: Array,
    leaf: float,
    width: float = 0.5,
) -> Part:
    """Grow a round plant upwards from the origin.

    Args:
        rng: Source of the growth.
        radius: Half of its width, metres.
        count: Number of leaves.
        palette: (n, 3) scene-linear colours.
        leaf: Length of a leaf, metres.
        width: Of a leaf, as a share of its length.

    Returns:
        The leaves.
    """
    aims = aim_randomly(rng, count, 0.9)
    at = aims * radius * (0.25 + 0.75 * rng.random((count, 1)) ** 0.5) * [1, 1, 1.25]
    at[:, 2] = np.abs(at[:, 2])
    along = aims + 0.7 * aim_randomly(rng, count) + [0, 0, -0.15]
    shade = 0.55 + 0.5 * np.linalg.norm(at, axis=1, keepdims=True) / radius
    tint = pick_colours(rng, palette, count) * shade
    return make_leaves(
        at, along, aim_randomly(rng, count, 2.5), leaf * rng.uniform(0.6, 1.25, count), tint, width
    )


def add_blossom(
    rng: np.random.Generator, radius: float, heads: int, palette: Array, petal: float
) -> Part:
    """Put round heads of petals onto a bush of the given radius in metres."""
    aims = aim_randomly(rng, heads, 1.4)
    centres = aims * radius * rng.uniform(0.95, 1.15, (heads, 1)) * [1, 1, 1.25]
    centres[:, 2] = np.abs(centres[:, 2])
    count = 26
    directions = aim_randomly(rng, heads * count)
    at = np.repeat(centres, count, axis=0) + directions * petal * 0.9
    tint = pick_colours(rng, palette, heads * count, 0.15)
    return make_leaves(
        at,
        directions + 0.4 * aim_randomly(rng, len(at)),
        directions,
        np.full(len(at), petal),
        tint,
        0.85,
        2,
    )


def grow_spikes(
    rng: np.random.Generator, radius: float, stems: int, height: float, palette: Array
) -> Part:
    """Grow upright stems with small flowers along their tops, for lavender."""
    feet = rng.normal(0, radius * 0.35, (stems, 3)) * [1, 1, 0]
    aims = aim_randomly(rng, stems, 4) + feet * 1.2
    per_stem = 34
    part = np.tile(np.linspace(0.0, 1, per_stem), stems)[:, None]
    at = (
        np.repeat(feet, per_stem, 0)
        + np.repeat(aims * rng.uniform(0.7, 1.1, (stems, 1)), per_stem, 0) * height * part
    )
    is_flower = part > 0.62
    tint = np.where(
        is_flower, pick_colours(rng, palette, len(at)), pick_colours(rng, SAGE * 0.7, len(at))
    )
    along = aim_randomly(rng, len(at), 0.8)
    size = np.where(is_flower[:, 0], 0.026, 0.05) * rng.uniform(0.7, 1.2, len(at))
    return make_leaves(at, along, aim_randomly(rng, len(at), 1), size, tint, 0.4, 2)


def climb_wall(
    rng: np.random.Generator,
    start: Sequence[float],
    along: Array,
    facing: Array,
    shoots: int,
    height: float,
) -> dict[str, Part]:
    """Let ivy climb a wall.

    Args:
        rng: Source of the growth.
        start: Foot of the plant, metres.
        along: (3,) level direction of the wall.
        facing: (3,) direction into which the wall looks.
        shoots: Number of branches.
        height: How far they climb, metres.

    Returns:
        The leaves and the stems, by surface.
    """
    stems, at, spread = [], [], np.array([0.0, 0.0, 1.0])
    for _ in range(shoots):
        angle, place = rng.normal(0, 0.45), np.asarray(start, float) + along * rng.normal(0, 0.2)
        path = [place]
        for _ in range(int(height * rng.uniform(0.35, 1) / 0.06)):
            angle = angle * 0.96 + rng.normal(0, 0.24)
            place = place + 0.06 * (spread * np.cos(angle) + along * np.sin(angle))
            path.append(place)
        line = np.array(path)
        stems.append(make_tube(line + facing * 0.05, np.linspace(0.014, 0.004, len(line)), STEM, 6))
        near = np.repeat(line[2:], 6, axis=0)
        off = along * rng.normal(0, 0.075, (len(near), 1)) + spread * rng.normal(
            0, 0.075, (len(near), 1)
        )
        at.append(near + off + facing * rng.uniform(0.05, 0.13, (len(near), 1)))
    places = np.concatenate(at)
    places[:, 2] = np.maximum(places[:, 2], 0.03)
    count = len(places)
    hang = facing * 0.35 - spread * 0.8 + 0.55 * aim_randomly(rng, count)
    leaves = make_leaves(
        places,
        hang,
        facing + 0.5 * aim_randomly(rng, count),
        rng.uniform(0.05, 0.115, count),
        pick_colours(rng, IVY, count),
        0.85,
    )
    return {"leaf": leaves, "wood": join_parts(stems)}


def scatter_litter(rng: np.random.Generator, spots: Array) -> Part:
    """Drop dry leaves onto the ground; spots: (n, 2) float64, metres."""
    count = len(spots)
    at = np.concatenate([spots, rng.uniform(0.0, 0.02, (count, 1))], axis=1)
    along = aim_randomly(rng, count) * [1, 1, 0.15]
    return make_leaves(
        at,
        along,
        aim_randomly(rng, count, 3),
        rng.uniform(0.04, 0.09, count),
        pick_colours(rng, FALLEN, count),
        0.55,
    )


def grow_grass(rng: np.random.Generator, spots: Array, height: float = 0.13) -> Part:
    """Grow a tuft of blades at each spot; spots: (n, 2) float64, metres."""
    blades = 22
    feet = np.repeat(
        np.concatenate([spots, np.full((len(spots), 1), -0.02)], axis=1), blades, axis=0
    )
    feet = feet + rng.normal(0, 0.03, feet.shape) * [1, 1, 0]
    count = len(feet)
    along = aim_randomly(rng, count, 2.2)
    return make_leaves(
        feet,
        along,
        aim_randomly(rng, count),
        height * rng.uniform(0.4, 1.3, count),
        pick_colours(rng, HERB, count),
        0.1,
        3,
    )


def grow_tree(
    rng: np.random.Generator, at: Sequence[float], crown: Sequence[float], count: int, leaf: float
) -> dict[str, Part]:
    """Grow a tree whose crown is a cloud of leafy clumps.

    Args:
        rng: Source of the growth.
        at: Foot, metres.
        crown: Half axes of the crown, metres.
        count: Number of leaves.
        leaf: Length of a leaf, metres.

    Returns:
        Leaves and trunk, by surface.
    """
    middle = np.asarray(at, float) + [0, 0, 1.4 + crown[2]]
    clumps = aim_randomly(rng, 46) * rng.uniform(0.45, 1, (46, 1))
    places = clumps[rng.integers(0, 46, count)] + rng.normal(0, 0.13, (count, 3))
    shade = np.clip(0.75 + 0.35 * places[:, 2:], 0.4, 1.2)
    tint = pick_colours(rng, TREE, count) * shade
    leaves = make_leaves(
        middle + places * crown,
        aim_randomly(rng, count, -0.4),
        aim_randomly(rng, count, 1),
        leaf * rng.uniform(0.7, 1.3, count),
        tint,
        0.55,
        2,
    )
    trunk = make_tube(np.linspace(at, middle, 12), np.linspace(0.2, 0.1, 12), STEM, 14)
    return {"leaf": leaves, "wood": trunk}
