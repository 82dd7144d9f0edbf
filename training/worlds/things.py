# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that stand in synthetic rooms, yards and streets.

Runs in the environment `training`. Every function adds one thing, standing at (x, y) on `floor`,
to a builder; what it looks like is up to the builder's random numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .solids import Kind
from .world import Look, make_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import WorldBuilder

_FINE = Look(least_size=0.08, greatest_size=0.6)
_WOODEN = Look(("wood", "plaster", "stripes", "cloudy", "panels"), 0.2, 0.9)
_LEAFY = Look(("cloudy", "stones", "marble"), 0.2, 0.8)


def add_table(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a table with four legs and perhaps something on it."""
    r = b.random
    width, depth, height = r.uniform(0.35, 0.9), r.uniform(0.3, 0.6), r.uniform(0.4, 0.8)
    turn = make_turn(r.uniform(0, np.pi))
    top, legs = b.add_material(_WOODEN), b.add_material(_WOODEN)
    b.add(Kind.BOX, (x, y, floor + height), (width, depth, 0.03), top, turn)
    for sx in (-1, 1):
        for sy in (-1, 1):
            foot = turn @ (sx * (width - 0.06), sy * (depth - 0.06), 0)
            place = (x + foot[0], y + foot[1], floor + height / 2)
            b.add(Kind.CYLINDER, place, (0.035, 0.035, height / 2), legs)
    b.targets.append((x, y, floor + height))
    for _ in range(r.integers(0, 3)):
        spot = turn @ (r.uniform(-0.6, 0.6) * width, r.uniform(-0.6, 0.6) * depth, 0)
        add_trinket(b, x + spot[0], y + spot[1], floor + height + 0.03)


def add_trinket(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a small object: a box, ball, can or book."""
    r = b.random
    size = r.uniform(0.06, 0.2)
    kind = r.choice([Kind.BOX, Kind.ELLIPSOID, Kind.CYLINDER, Kind.GABLE])
    half = size * r.uniform(0.6, 1.5, 3)
    turn = make_turn(r.uniform(0, np.pi))
    b.add(Kind(kind), (x, y, floor + half[2]), tuple(half), b.add_material(_FINE), turn)


def add_shelf(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add an open shelf with boards and boxes."""
    r = b.random
    width, depth, height = r.uniform(0.4, 0.9), r.uniform(0.15, 0.25), r.uniform(0.6, 1.1)
    turn = make_turn(r.integers(0, 4) * np.pi / 2)
    wood = b.add_material(_WOODEN)
    for side in (-1, 1):
        edge = turn @ (side * width, 0, 0)
        b.add(
            Kind.BOX, (x + edge[0], y + edge[1], floor + height), (0.03, depth, height), wood, turn
        )
    boards = int(r.integers(2, 5))
    for board in range(boards):
        z = floor + 0.05 + 2 * (height - 0.05) * board / max(boards - 1, 1)
        b.add(Kind.BOX, (x, y, z), (width, depth, 0.025), wood, turn)
        spot = turn @ (r.uniform(-0.6, 0.6) * width, 0, 0)
        half = (r.uniform(0.05, 0.25) * width, 0.7 * depth, r.uniform(0.07, 0.16))
        centre = (x + spot[0], y + spot[1], z + 0.025 + half[2])
        b.add(Kind.BOX, centre, half, b.add_material(_FINE), turn)
    b.targets.append((x, y, floor + height))


def add_chair(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a chair or armchair made of boxes."""
    r = b.random
    half, seat = r.uniform(0.2, 0.4), r.uniform(0.2, 0.45)
    turn = make_turn(r.uniform(0, 2 * np.pi))
    cloth = b.add_material(_FINE)
    b.add(Kind.BOX, (x, y, floor + seat / 2), (half, half, seat / 2), cloth, turn)
    back = turn @ (0, half, 0)
    tall = r.uniform(0.25, 0.5)
    b.add(
        Kind.BOX,
        (x + back[0], y + back[1], floor + seat + tall / 2),
        (half, 0.06, tall / 2 + seat / 2),
        cloth if r.random() < 0.5 else b.add_material(_FINE),  # noqa: PLR2004
        turn,
    )
    b.targets.append((x, y, floor + seat))


def add_lamp(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a lamp on a pole."""
    r = b.random
    height, radius = r.uniform(1.0, 1.8), r.uniform(0.12, 0.3)
    b.add(Kind.CYLINDER, (x, y, floor + height / 2), (0.03, 0.03, height / 2), b.add_material())
    shade = b.add_material(Look(("plaster", "stripes", "dots")), glow=r.uniform(0.3, 1.5))
    kind = Kind.ELLIPSOID if r.random() < 0.5 else Kind.CYLINDER  # noqa: PLR2004
    place = (x, y, floor + height)
    b.add(kind, place, (radius, radius, radius), shade, casts_shadow=False)


def add_column(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a column on a square foot."""
    r = b.random
    radius, height = r.uniform(0.12, 0.35), r.uniform(0.8, 2.4)
    stone = b.add_material()
    b.add(Kind.CYLINDER, (x, y, floor + height / 2), (radius, radius, height / 2), stone)
    foot = (1.4 * radius, 1.4 * radius, 0.08)
    b.add(Kind.BOX, (x, y, floor + 0.08), foot, b.add_material())
    if r.random() < 0.5:  # noqa: PLR2004
        b.add(Kind.ELLIPSOID, (x, y, floor + height + radius), (radius,) * 3, b.add_material())
    b.targets.append((x, y, floor + height / 2))


def add_ball(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a ball or an egg."""
    r = b.random
    half = r.uniform(0.12, 0.55) * r.uniform(0.7, 1.3, 3)
    turn = make_turn(r.uniform(0, np.pi))
    b.add(Kind.ELLIPSOID, (x, y, floor + half[2]), tuple(half), b.add_material(), turn)
    b.targets.append((x, y, floor + half[2]))


def add_crates(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a pile of boxes."""
    r = b.random
    z = floor
    for _ in range(r.integers(1, 4)):
        half = r.uniform(0.12, 0.5, 3)
        turn = make_turn(r.uniform(0, np.pi))
        dx, dy = r.normal(0, 0.08, 2)
        b.add(Kind.BOX, (x + dx, y + dy, z + half[2]), tuple(half), b.add_material(), turn)
        z += 2 * half[2]
    b.targets.append((x, y, (floor + z) / 2))


def add_arch(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a free-standing arch."""
    r = b.random
    half = (r.uniform(0.6, 1.3), r.uniform(0.12, 0.4), r.uniform(0.8, 1.4))
    turn = make_turn(r.uniform(0, np.pi))
    b.add(Kind.ARCH, (x, y, floor + half[2]), half, b.add_material(), turn)
    b.targets.append((x, y, floor + half[2]))


def add_hut(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a small house with a gable roof."""
    r = b.random
    width, depth, height = r.uniform(0.4, 1.0), r.uniform(0.4, 1.0), r.uniform(0.3, 0.8)
    turn = make_turn(r.uniform(0, np.pi))
    wall, roof = b.add_material(), b.add_material()
    b.add(Kind.BOX, (x, y, floor + height), (width, depth, height), wall, turn)
    rise = r.uniform(0.2, 0.5)
    half = (1.15 * width, 1.1 * depth, rise)
    b.add(Kind.GABLE, (x, y, floor + 2 * height + rise), half, roof, turn)
    b.targets.append((x, y, floor + height))


def add_plant(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a pot with leaves, or a tree."""
    r = b.random
    scale = r.uniform(0.5, 1.3)
    stem = b.add_material(_WOODEN)
    b.add(Kind.CYLINDER, (x, y, floor + 0.4 * scale), (0.07 * scale,) * 2 + (0.4 * scale,), stem)
    leaves = b.add_material(_LEAFY)
    for _ in range(r.integers(1, 4)):
        dx, dy, dz = r.normal(0, 0.18, 3) * scale
        half = scale * r.uniform(0.25, 0.5, 3)
        b.add(Kind.ELLIPSOID, (x + dx, y + dy, floor + 0.95 * scale + dz), tuple(half), leaves)
    b.targets.append((x, y, floor + 0.7 * scale))


def add_leaning_board(b: WorldBuilder, x: float, y: float, floor: float) -> None:
    """Add a board or a beam at an angle."""
    r = b.random
    half = (r.uniform(0.2, 0.7), 0.04, r.uniform(0.3, 0.9))
    turn = make_turn(r.uniform(0, 2 * np.pi), r.uniform(-0.6, 0.6))
    b.add(Kind.BOX, (x, y, floor + 0.85 * half[2]), half, b.add_material(), turn)
    b.targets.append((x, y, floor + half[2]))


THINGS: tuple[Callable[[WorldBuilder, float, float, float], None], ...] = (
    add_table,
    add_shelf,
    add_chair,
    add_lamp,
    add_column,
    add_ball,
    add_crates,
    add_arch,
    add_hut,
    add_plant,
    add_leaning_board,
)
