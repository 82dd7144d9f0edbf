# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things of stone and clay: the well, the arch of the door, steps, roof tiles and pots.

Runs under the bpy wheel. All parts stand on z = 0 around the origin unless said otherwise.
"""

from __future__ import annotations

import numpy as np

from .fractal import parse_colours, pick_colours, sample_noise, smooth_step
from .parts import Part, join_parts, make_part, make_turn, place_part
from .relief import LIMESTONE, SOIL, make_ring_wall
from .shapes import make_block, turn_profile

Array = np.ndarray
CLAY = parse_colours("b8673f", "a2542f", "c98757", "8f4a30", "d29b6c")


def make_well(rng: np.random.Generator, radius: float = 0.62, height: float = 0.72) -> Part:
    """Make the stone ring of a well with a rim of cut blocks and dark water."""
    inner = radius - 0.2
    shaft = turn_profile(np.array([[inner, height], [inner, 0.2], [0.0, 0.2]]), 48, SOIL * 0.4)
    count = 11
    blocks = []
    for number, colour in enumerate(pick_colours(rng, LIMESTONE, count, 0.15)):
        arc = 2 * np.pi / count * (radius - 0.06)
        block = make_block(rng, (arc - 0.012, 0.34, 0.13), colour * 1.05, 0.025, 0.012, 7)
        angle = (
            2 * np.pi * number / count + block.points[:, 0] / (radius - 0.06) + rng.normal(0, 0.01)
        )
        reach = radius - 0.07 + block.points[:, 1] + rng.normal(0, 0.008)
        bent = np.stack(
            [reach * np.cos(angle), reach * np.sin(angle), height + 0.05 + block.points[:, 2]],
            axis=1,
        )
        blocks.append(block._replace(points=bent))
    return join_parts([make_ring_wall(rng, radius, height), shaft, *blocks])


def make_arch(rng: np.random.Generator, width: float, spring: float) -> Part:
    """Make jambs, a round arch and a threshold around an opening in the plane y = 0, looking to -y.

    Args:
        rng: Source of sizes and colours.
        width: Of the opening, metres.
        spring: Height at which the arch begins, metres.

    Returns:
        The blocks.
    """
    blocks, half, depth = [], width / 2, 0.42
    palette = LIMESTONE * 1.1
    for side in (-1, 1):
        level = 0.0
        while level < spring - 0.05:
            rise = min(rng.uniform(0.2, 0.34), spring - level)
            reach = rng.uniform(0.18, 0.3)
            block = make_block(
                rng,
                (reach, depth, rise - 0.012),
                pick_colours(rng, palette, 1, 0.12)[0],
                0.018,
                0.01,
            )
            blocks.append(
                place_part(
                    block, (side * (half + reach / 2 - 0.01), depth / 2 - 0.075, level + rise / 2)
                )
            )
            level += rise
    count = 11
    for number in range(count):
        angle = np.pi * (number + 0.5) / count
        reach = 0.3 if number == count // 2 else rng.uniform(0.22, 0.26)
        block = make_block(
            rng,
            (reach, depth, np.pi / count * (half + 0.1) - 0.012),
            pick_colours(rng, palette, 1, 0.12)[0],
            0.016,
            0.01,
        )
        wedge = block.points.copy()
        wedge[:, 2] *= 1 + 1.3 * block.points[:, 0]  # wider outside
        centre = half + reach / 2 - 0.01
        at = (centre * np.cos(angle), depth / 2 - 0.08, spring + centre * np.sin(angle))
        blocks.append(place_part(block._replace(points=wedge), at, make_turn("y", -angle)))
    threshold = make_block(rng, (width + 0.5, 0.62, 0.16), LIMESTONE[3], 0.03, 0.015, 9)
    step = make_block(rng, (width + 0.75, 0.5, 0.1), LIMESTONE[1], 0.03, 0.015, 9)
    return join_parts(
        [*blocks, place_part(threshold, (0, 0.0, 0.06)), place_part(step, (0.04, -0.42, 0.01))]
    )


def make_roof_tile(rng: np.random.Generator, tint: Array) -> Part:
    """Make one curved clay tile along y, 0.46 m long, its high end at the origin's +y side."""
    profile = np.linspace(0, np.pi, 9)
    along = np.linspace(-0.23, 0.23, 7)
    offset = rng.uniform(-50, 50, 3)
    points = []
    for place in along:
        radius = 0.098 - 0.045 * (place + 0.23)
        for reach in (radius, radius - 0.016):
            points.append(
                np.stack(
                    [reach * np.cos(profile), np.full(9, place), reach * np.sin(profile) * 0.8],
                    axis=1,
                )
            )
    outer, inner = np.concatenate(points[0::2]), np.concatenate(points[1::2])
    sheet = np.arange(6)[:, None] * 9 + np.arange(8)
    quads = np.stack([sheet, sheet + 9, sheet + 10, sheet + 1], axis=-1).reshape(-1, 4)
    front = np.stack(
        [np.arange(8), np.arange(1, 9), np.arange(1, 9) + 63, np.arange(8) + 63], axis=1
    )
    both = np.concatenate([outer, inner])
    both = both + 0.004 * sample_noise(both + offset, 0.1, 3)[:, None]
    return make_part(both, np.concatenate([quads, quads[:, ::-1] + 63, front]), tint, both + offset)


def make_coping(rng: np.random.Generator, length: float) -> Part:
    """Cover a wall along +x, at height 0, with two courses of tiles above bricks, sloping to -y."""
    parts = []
    for course, (y, z) in enumerate(((-0.13, 0.1), (0.17, 0.22))):
        places = np.arange(0.08, length, 0.185)
        for x, colour in zip(places, pick_colours(rng, CLAY, len(places), 0.28), strict=True):
            turn = make_turn("z", rng.normal(0, 0.03)) @ make_turn(
                "x", np.radians(19) + rng.normal(0, 0.02)
            )
            tile = make_roof_tile(rng, colour)
            parts.append(
                place_part(
                    tile,
                    (
                        x + 0.09 * course + rng.normal(0, 0.006),
                        y + rng.normal(0, 0.014),
                        z + rng.normal(0, 0.006),
                    ),
                    turn,
                )
            )
    start = 0.0
    while start < length:
        size = rng.uniform(0.2, 0.27)
        block = make_block(
            rng, (size - 0.01, 0.3, 0.07), pick_colours(rng, CLAY * 0.9, 1)[0], 0.008, 0.006, 4
        )
        parts.append(place_part(block, (start + size / 2, 0.02 + rng.normal(0, 0.01), 0.01)))
        start += size
    bed = make_block(rng, (length, 0.74, 0.1), CLAY[3] * 0.6, 0.01, 0.0, 4)
    return join_parts(
        [*parts, place_part(bed, (length / 2, 0.2, 0.085), make_turn("x", np.radians(19)))]
    )


def make_pot(rng: np.random.Generator, radius: float, height: float) -> Part:
    """Make a clay pot with a rim, filled with soil, stained white from below."""
    outline = [
        (0.0, 0.0),
        (0.66, 0.0),
        (0.7, 0.03),
        (0.8, 0.4),
        (0.92, 0.8),
        (0.93, 0.82),
        (1.04, 0.825),
        (1.07, 0.86),
        (1.06, 0.97),
    ]
    outline += [(1.02, 1.0), (0.95, 0.99), (0.9, 0.9), (0.0, 0.9 + 0.0028 * height)]
    profile = np.array(outline) * [radius, height]
    pot = turn_profile(profile, 48, pick_colours(rng, CLAY, 1, 0.12)[0])
    level = pot.points[:, 2] / height
    chalk = smooth_step(
        0.45 - level + 0.35 * sample_noise(pot.points + rng.uniform(-9, 9, 3), 0.15, 3), 0, 0.5
    )[:, None]
    tint = pot.tint + (parse_colours("d9c4a8") - pot.tint) * 0.6 * chalk
    is_soil = np.arange(len(tint)) >= 48 * (len(profile) - 1)
    return pot._replace(
        tint=np.where(is_soil[:, None], SOIL * 0.6, tint), grain=pot.grain + rng.uniform(-50, 50, 3)
    )
