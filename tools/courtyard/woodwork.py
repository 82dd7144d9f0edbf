# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things of wood and iron: door, shutters, barrels, crates, bench, wheel and the roof of the well.

Runs under the bpy wheel. Each function gives the parts by the name of their surface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .fractal import parse_colours, pick_colours, smooth_step
from .parts import Part, join_parts, make_part, make_turn, place_part
from .shapes import make_block, make_tube, turn_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray
Kit = dict[str, Part]
OAK = parse_colours("8a6a48", "a5835a", "6b4f36", "7d6a55", "947a5c", "5c4a3a")
PALE = parse_colours("c9a876", "b8925e", "d8bd90", "a98a62")
BLUE = parse_colours("3f7488", "4f8794", "356276", "6a9aa0")
GREEN = parse_colours("5f7d5a", "4d6b50", "7a9168")
IRON = parse_colours("4a4644")[0]
ROPE = parse_colours("b59a6a")[0]


def make_plank(
    rng: np.random.Generator,
    size: Sequence[float],
    at: Sequence[float],
    palette: Array,
    turn: Array | None = None,
) -> Part:
    """Make one board in a colour of the palette, a little out of place."""
    board = make_block(rng, size, pick_colours(rng, palette, 1, 0.2)[0], 0.006, 0.003)
    return place_part(board, np.asarray(at, float) + rng.normal(0, 0.003, 3), turn)


def make_door(rng: np.random.Generator, width: float, height: float) -> Kit:
    """Make a door of upright boards in the plane y = 0, with iron bands, studs and a ring."""
    count = 7
    pitch = width / count
    boards = [
        make_plank(
            rng,
            (pitch - 0.006, 0.05, height),
            ((i + 0.5) * pitch - width / 2, rng.normal(0, 0.004), height / 2),
            BLUE,
        )
        for i in range(count)
    ]
    iron = []
    for level in (0.35, height * 0.45, height * 0.78):
        iron.append(
            place_part(
                make_block(rng, (width * 0.82, 0.014, 0.055), IRON, 0.005, 0.002),
                (-width * 0.06, -0.034, level),
            )
        )
        for x in np.linspace(-width * 0.42, width * 0.28, 6):
            stud = turn_profile(np.array([[0.016, 0], [0.013, 0.012], [0, 0.016]]), 10, IRON * 1.3)
            iron.append(place_part(stud, (x, -0.04, level), make_turn("x", np.pi / 2)))
    angle = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack([0.05 * np.cos(angle), np.zeros(25), 0.05 * np.sin(angle)], axis=1)
    iron.append(place_part(make_tube(ring, 0.008, IRON), (width * 0.34, -0.045, height * 0.42)))
    back = place_part(
        make_block(rng, (width, 0.02, height), parse_colours("20262a")[0], 0.002, 0.0),
        (0, 0.05, height / 2),
    )
    return {"paint": join_parts(boards), "iron": join_parts([*iron, back])}


def make_window(rng: np.random.Generator, width: float, height: float) -> Kit:
    """Make a window with open shutters in the plane y = 0; the origin is the middle of its sill."""
    painted, half = [], width / 2
    for side in (-1, 1):
        painted.append(
            make_plank(rng, (0.06, 0.07, height), (side * half, 0.05, height / 2), GREEN)
        )
        hinge = side * (half + 0.04)
        turn = make_turn("z", -side * rng.uniform(0.12, 0.3))
        for number in range(4):
            centre = np.array([side * (number + 0.5) * half / 4, -0.02, height / 2])
            painted.append(
                make_plank(
                    rng,
                    (half / 4 - 0.005, 0.026, height),
                    turn @ centre + [hinge, -0.05, 0],
                    GREEN,
                    turn,
                )
            )
        for level in (0.16, 0.84):
            centre = np.array([side * half / 2, -0.045, height * level])
            painted.append(
                make_plank(
                    rng, (half * 0.95, 0.024, 0.07), turn @ centre + [hinge, -0.05, 0], GREEN, turn
                )
            )
    bars = [
        make_plank(rng, (width, 0.05, 0.05), (0, 0.06, level), GREEN)
        for level in (0.02, height * 0.5, height)
    ]
    bars.append(make_plank(rng, (0.045, 0.05, height), (0, 0.06, height / 2), GREEN))
    dark = make_block(
        rng, (width + 1.0, 0.02, height + 0.4), parse_colours("20262a")[0], 0.002, 0.0
    )
    sill = make_block(rng, (width + 0.3, 0.3, 0.08), parse_colours("b9a88a")[0], 0.012, 0.006, 7)
    lintel = make_plank(rng, (width + 0.4, 0.16, 0.16), (0, 0.04, height + 0.1), OAK)
    return {
        "paint": join_parts([*painted, *bars]),
        "glass": place_part(dark, (0, 0.1, height / 2)),
        "stone": place_part(sill, (0, -0.02, -0.05)),
        "wood": lintel,
    }


def make_barrel(rng: np.random.Generator, radius: float = 0.3, height: float = 0.86) -> Kit:
    """Make a barrel of staves with hoops and a lid."""
    staves, around = 19, 10
    level = np.linspace(0, 1, 15)
    bulge = radius * (0.8 + 0.2 * np.sin(np.pi * level))
    profile = np.concatenate(
        [
            np.stack([bulge, level * height], 1),
            [[radius * 0.75, height], [radius * 0.74, height - 0.04], [0, height - 0.04]],
        ]
    )
    body = turn_profile(profile, staves * around, OAK[0])
    part = np.tile(np.arange(staves * around), len(profile))
    groove = smooth_step(np.minimum(part % around, around - part % around).astype(float), 0, 1.5)[
        :, None
    ]
    is_lid = (np.arange(len(part)) >= len(level) * staves * around)[:, None]
    board = np.clip(((body.points[:, 0] / radius + 1) * 3.5).astype(int), 0, 7)
    tint = np.where(
        is_lid,
        pick_colours(rng, PALE * 0.7, 8)[board],
        pick_colours(rng, OAK * 1.15, staves, 0.22)[part // around],
    )
    scale = np.where(is_lid, 1, 0.985 + 0.015 * groove) * [1, 1, 0] + [0, 0, 1]
    offset = rng.uniform(-20, 20, (staves, 3))[part // around]
    body = make_part(
        body.points * scale,
        body.quads,
        tint * np.where(is_lid, 1, 0.4 + 0.6 * groove),
        body.grain + offset,
    )
    hoops = []
    for place in (0.07, 0.24, 0.76, 0.93):
        edge = np.array([place - 0.028, place - 0.026, place + 0.026, place + 0.028])
        reach = radius * (0.8 + 0.2 * np.sin(np.pi * edge)) + [-0.004, 0.007, 0.007, -0.004]
        hoop = turn_profile(np.stack([reach, edge * height], 1), 64, IRON * rng.uniform(0.9, 1.5))
        hoops.append(hoop._replace(grain=hoop.grain + rng.uniform(-50, 50, 3)))
    return {"wood": body, "iron": join_parts(hoops)}


def make_crate(rng: np.random.Generator, size: tuple[float, float, float]) -> Kit:
    """Make an open crate of slats."""
    length, width, height = size
    boards = []
    count = max(2, round(height / 0.11))
    pitch = height / count
    for number in range(count):
        level = (number + 0.5) * pitch
        for side in (-1, 1):
            boards.append(
                make_plank(rng, (length, 0.018, pitch * 0.82), (0, side * width / 2, level), PALE)
            )
            boards.append(
                make_plank(rng, (0.018, width, pitch * 0.82), (side * length / 2, 0, level), PALE)
            )
    for x in (-1, 1):
        for y in (-1, 1):
            boards.append(
                make_plank(
                    rng,
                    (0.045, 0.045, height),
                    (x * (length / 2 - 0.03), y * (width / 2 - 0.03), height / 2),
                    PALE,
                )
            )
    for x in np.linspace(-length / 2 + 0.06, length / 2 - 0.06, 5):
        boards.append(make_plank(rng, (length / 5.5, width, 0.016), (x, 0, 0.03), PALE))
    return {"wood": join_parts(boards)}


def make_fruit(
    rng: np.random.Generator,
    length: float,
    width: float,
    level: float,
    palette: Array,
    radius: float,
) -> Part:
    """Heap fruit into a crate of the given inner length and width, up to a level in metres."""
    arc = np.linspace(-np.pi / 2, np.pi / 2, 11)
    ball = turn_profile(np.stack([np.cos(arc), np.sin(arc)], 1), 16, palette[0])
    fruit = []
    for layer in range(3):
        shrink = 1 - 0.22 * layer
        for x in np.arange(
            -length * shrink / 2 + radius, length * shrink / 2 - radius / 2, radius * 1.9
        ):
            for y in np.arange(
                -width * shrink / 2 + radius, width * shrink / 2 - radius / 2, radius * 1.9
            ):
                at = np.array([x, y, level + layer * radius * 1.3]) + rng.normal(
                    0, radius * 0.12, 3
                )
                one = ball._replace(
                    tint=np.repeat(pick_colours(rng, palette, 1, 0.12), len(ball.points), 0)
                )
                one = place_part(
                    one, at, make_turn("x", rng.uniform(0, 3)), radius * rng.uniform(0.9, 1.1)
                )
                fruit.append(one._replace(grain=one.points + rng.uniform(-50, 50, 3)))
    return join_parts(fruit)


def make_well_roof(rng: np.random.Generator) -> Kit:
    """Make posts along x, a windlass with rope and bucket, and a shingled roof over a well."""
    wood = [make_plank(rng, (0.12, 0.12, 2.0), (side * 0.56, 0, 1.0), OAK) for side in (-1, 1)]
    wood += [make_plank(rng, (1.5, 0.1, 0.1), (0, 0, 1.93), OAK)]
    axle = make_tube(np.linspace([-0.7, 0, 1.26], [0.74, 0, 1.26], 12), 0.05, OAK[1], 16)
    turns = np.linspace(0, 2 * np.pi * 9, 200)
    coil = np.stack(
        [np.linspace(-0.16, 0.16, 200), 0.062 * np.cos(turns), 1.26 + 0.062 * np.sin(turns)], axis=1
    )
    hanging = np.linspace([0.16, -0.062, 1.26], [0.16, -0.062, 0.98], 8)
    crank = np.array(
        [
            [0.74, 0, 1.26],
            [0.8, 0, 1.26],
            [0.8, 0, 1.2],
            [0.8, -0.12, 1.04],
            [0.82, -0.13, 1.03],
            [0.98, -0.13, 1.03],
        ]
    )
    shingles = []
    for side in (-1, 1):
        slope = make_turn("x", side * np.radians(38))
        for row in range(5):
            x = -0.85 + rng.uniform(0, 0.06)
            while x < 0.82:
                width = rng.uniform(0.09, 0.17)
                down = -side * (0.1 + 0.155 * row)
                at = slope @ np.array([0, down, 0.03 - 0.004 * row]) + [
                    x + width / 2,
                    0,
                    2.16 + 0.012,
                ]
                lean = slope @ make_turn("x", -side * 0.09)
                shingle = make_plank(
                    rng, (width - 0.008, 0.25 + rng.normal(0, 0.012), 0.022), at, OAK * 1.2, lean
                )
                shingles.append(shingle)
                x += width
    bucket = make_bucket(rng)
    at = np.array([0.16, -0.062, 0.66])
    return {
        "wood": join_parts([*wood, axle, *shingles, place_part(bucket["wood"], at)]),
        "rope": join_parts([make_tube(coil, 0.012, ROPE, 8), make_tube(hanging, 0.012, ROPE, 8)]),
        "iron": join_parts([make_tube(crank, 0.014, IRON), place_part(bucket["iron"], at)]),
    }


def make_bucket(rng: np.random.Generator) -> Kit:
    """Make a small wooden bucket with a handle, 0.24 m high."""
    profile = np.array(
        [[0, 0], [0.1, 0], [0.11, 0.08], [0.125, 0.24], [0.11, 0.24], [0.095, 0.05], [0, 0.05]]
    )
    body = turn_profile(profile, 60, OAK[1])
    stave = np.tile(np.arange(60), len(profile)) // 5
    body = body._replace(
        tint=pick_colours(rng, OAK * 1.2, 12, 0.2)[stave],
        grain=body.grain + rng.uniform(-9, 9, (12, 3))[stave],
    )
    hoop = turn_profile(
        np.array([[0.117, 0.1], [0.12, 0.1], [0.123, 0.135], [0.118, 0.135]]), 40, IRON
    )
    angle = np.linspace(0, np.pi, 20)
    handle = np.stack([0.122 * np.cos(angle), np.zeros(20), 0.22 + 0.12 * np.sin(angle)], axis=1)
    return {"wood": body, "iron": join_parts([hoop, make_tube(handle, 0.006, IRON)])}


def make_bench(rng: np.random.Generator, length: float = 1.4) -> Kit:
    """Make a plain bench along x."""
    boards = [make_plank(rng, (length, 0.12, 0.04), (0, y, 0.45), OAK) for y in (-0.13, 0, 0.13)]
    for x in (-length * 0.38, length * 0.38):
        boards.append(make_plank(rng, (0.07, 0.36, 0.06), (x, 0, 0.4), OAK))
        boards += [make_plank(rng, (0.07, 0.07, 0.42), (x, y, 0.2), OAK) for y in (-0.13, 0.13)]
    return {"wood": join_parts(boards)}


def make_wheel(rng: np.random.Generator, radius: float = 0.58) -> Kit:
    """Make a cart wheel in the plane y = 0, standing on the ground."""
    angle = np.linspace(0, 2 * np.pi, 73)
    circle = np.stack([np.cos(angle), np.zeros(73), np.sin(angle)], axis=1)
    rim = make_tube(circle * (radius - 0.05), 0.042, OAK[0], 12)
    hub = turn_profile(
        np.array(
            [[0, -0.12], [0.06, -0.12], [0.085, -0.03], [0.085, 0.03], [0.06, 0.12], [0, 0.12]]
        ),
        24,
        OAK[2],
    )
    parts = [rim, place_part(hub, (0, 0, 0), make_turn("x", np.pi / 2))]
    for number in range(12):
        spoke = make_plank(
            rng, (radius - 0.12, 0.036, 0.042), ((radius - 0.05) / 2 + 0.02, 0, 0), OAK
        )
        parts.append(place_part(spoke, (0, 0, 0), make_turn("y", np.pi * (number + 0.4) / 6)))
    tyre = turn_profile(
        np.array(
            [[radius - 0.012, -0.032], [radius, -0.03], [radius, 0.03], [radius - 0.012, 0.032]]
        ),
        72,
        IRON,
    )
    lift = (0, 0, radius)
    return {
        "wood": place_part(join_parts(parts), lift),
        "iron": place_part(tyre, lift, make_turn("x", np.pi / 2)),
    }


def make_ladder(rng: np.random.Generator, length: float = 2.9) -> Kit:
    """Make a ladder along z in the plane y = 0."""
    poles = [
        make_plank(rng, (0.055, 0.04, length), (side * 0.21, 0, length / 2), PALE * 0.7)
        for side in (-1, 1)
    ]
    rungs = [
        make_tube(
            np.linspace([-0.24, 0, z], [0.24, 0, z + rng.normal(0, 0.01)], 6),
            0.018,
            pick_colours(rng, PALE * 0.7, 1)[0],
        )
        for z in np.arange(0.25, length, 0.3)
    ]
    return {"wood": join_parts([*poles, *rungs])}
