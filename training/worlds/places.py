# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of places: rooms, halls, yards, hills and streets.

Runs in the environment `training`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .solids import Kind
from .things import THINGS, add_plant
from .world import Look, Sky, Terrain, World, WorldBuilder, make_turn

if TYPE_CHECKING:
    from numpy.random import Generator

_SURFACE = Look(least_size=0.25, greatest_size=1.5)
_FACADE = Look(("windows", "bricks", "tiles", "plaster", "panels", "patches", "stones"), 0.8, 2.5)
_GROUND = Look(least_size=0.4, greatest_size=2.5)
_EYE_LOW, _EYE_HIGH = 0.5, 2.0


def make_world(seed: int) -> World:
    """Make a world; the same seed gives the same world.

    Args:
        seed: any non-negative number.

    Returns:
        The world.
    """
    random = np.random.default_rng((seed, 1))
    names, shares = zip(*_SHARES.items(), strict=True)
    name = str(random.choice(names, p=shares))
    return _PLACES[name](random)


def _make_room(random: Generator) -> World:
    """Make a furnished room seen from inside."""
    b = WorldBuilder(random)
    half = np.array((random.uniform(1.5, 4.5), random.uniform(1.5, 4.5), random.uniform(1.15, 1.9)))
    _add_shell(b, half)
    _scatter_things(b, half[:2] - 0.5, count=int(random.integers(3, 8)), floor=0.0)
    _hang_pictures(b, half)
    _light_room(b, half)
    region = ((-half[0] + 0.3, -half[1] + 0.3, _EYE_LOW), (*(half[:2] - 0.3), 2 * half[2] - 0.3))
    return b.build("room", region, _pick_ambient(random, outdoors=False))


def _make_hall(random: Generator) -> World:
    """Make a long room with two rows of columns and arches."""
    b = WorldBuilder(random)
    half = np.array((random.uniform(1.8, 4.0), random.uniform(4.0, 9.0), random.uniform(1.3, 2.5)))
    _add_shell(b, half)
    stone, other = b.add_material(_SURFACE), b.add_material(_SURFACE)
    rows = int(random.integers(2, 5))
    radius = random.uniform(0.12, 0.3)
    for row in range(rows):
        y = half[1] * (2 * (row + 0.5) / rows - 1)
        for side in (-1, 1):
            place = (side * 0.62 * half[0], y, half[2])
            b.add(Kind.CYLINDER, place, (radius, radius, half[2]), stone)
        if random.random() < 0.4:  # noqa: PLR2004
            arch = (0.98 * half[0], 0.15, 0.98 * half[2])
            b.add(Kind.ARCH, (0, y + 0.3 * half[1] / rows, half[2]), arch, other)
        b.targets.append((0, y, 1.0))
    _scatter_things(b, half[:2] - 0.6, count=int(random.integers(1, 5)), floor=0.0)
    _hang_pictures(b, half)
    _light_room(b, half)
    region = ((-half[0] + 0.3, -half[1] + 0.3, _EYE_LOW), (*(half[:2] - 0.3), 2 * half[2] - 0.4))
    return b.build("hall", region, _pick_ambient(random, outdoors=False))


def _make_yard(random: Generator) -> World:
    """Make a group of things on flat ground in the open."""
    b = WorldBuilder(random)
    _add_flat_ground(b)
    spread = random.uniform(1.0, 3.5)
    _scatter_things(b, np.array((spread, spread)), count=int(random.integers(3, 9)), floor=0.0)
    if random.random() < 0.5:  # noqa: PLR2004
        _surround(b, random.uniform(6, 18))
    sky, ambient = _make_sky(b)
    reach = spread + random.uniform(1.5, 4)
    region = ((-reach, -reach, 0.4), (reach, reach, random.uniform(1.5, 3.0)))
    return b.build("yard", region, ambient, sky=sky)


def _make_hills(random: Generator) -> World:
    """Make things and trees on a hilly ground."""
    b = WorldBuilder(random)
    waves = int(random.integers(2, 4))
    angle = random.uniform(0, 2 * np.pi, waves)
    length = random.uniform(5, 22, waves)
    wave = 2 * np.pi / length[:, None] * np.stack((np.cos(angle), np.sin(angle)), -1)
    terrain = Terrain(
        base=0.0,
        amplitude=torch.from_numpy(random.uniform(0.015, 0.055, waves) * length).float(),
        wave=torch.from_numpy(wave).float(),
        phase=torch.from_numpy(random.uniform(0, 2 * np.pi, waves)).float(),
        material=b.add_material(_GROUND),
    )
    spread = random.uniform(1.5, 5)
    for _ in range(random.integers(3, 9)):
        x, y = random.uniform(-spread, spread, 2)
        floor = float(terrain.find_height(torch.tensor(x), torch.tensor(y))) - 0.1
        thing = add_plant if random.random() < 0.4 else random.choice(THINGS)  # noqa: PLR2004
        thing(b, x, y, floor)
    sky, ambient = _make_sky(b)
    top = float(terrain.amplitude.sum())
    reach = spread + random.uniform(2, 5)
    region = ((-reach, -reach, top + 0.5), (reach, reach, top + random.uniform(1.2, 3.0)))
    return b.build("hills", region, ambient, terrain=terrain, sky=sky)


def _make_street(random: Generator) -> World:
    """Make a street between two rows of houses."""
    b = WorldBuilder(random)
    _add_flat_ground(b)
    width = random.uniform(2.5, 6.0)
    road = b.add_material(Look(("plaster", "cloudy", "stones", "tiles", "bricks"), 0.4, 2.0))
    b.add(Kind.QUAD, (0, 0, 0.01), (0.6 * width, 60, 1), road, casts_shadow=False)
    looks = [b.add_material(_FACADE) for _ in range(5)]
    for side in (-1, 1):
        y = -random.uniform(8, 16)
        while y < 28:  # noqa: PLR2004
            _add_house(b, side, width, y, looks)
            y += random.uniform(4, 9)
    for _ in range(random.integers(2, 7)):
        x = random.choice((-1, 1)) * width * random.uniform(0.35, 0.85)
        random.choice(THINGS)(b, float(x), random.uniform(-4, 14), 0.0)
    if random.random() < 0.25:  # noqa: PLR2004
        gate = (0.95 * width, 0.5, random.uniform(2.0, 3.2))
        b.add(Kind.ARCH, (0, random.uniform(6, 14), gate[2]), gate, looks[0])
    b.targets += [(0, 8, 1.5), (width, 5, 1.5), (-width, 5, 1.5), (0, 14, 2.0)]
    sky, ambient = _make_sky(b)
    region = ((-0.8 * width, -7, 0.8), (0.8 * width, 8, random.uniform(1.8, 3.5)))
    return b.build("street", region, ambient, sky=sky)


def _add_house(b: WorldBuilder, side: int, width: float, y: float, looks: list[int]) -> None:
    random = b.random
    half = (random.uniform(1.5, 3.5), random.uniform(1.8, 4.2), random.uniform(1.2, 4.5))
    x = side * (width + half[0] + random.uniform(0, 0.8))
    wall = int(random.choice(looks))
    b.add(Kind.BOX, (x, y, half[2]), half, wall)
    if random.random() < 0.6:  # noqa: PLR2004
        rise = random.uniform(0.5, 1.4)
        turn = make_turn(random.integers(0, 2) * np.pi / 2)
        across = half if turn[0, 0] > 0.5 else (half[1], half[0])  # noqa: PLR2004
        roof = (1.08 * across[0], 1.05 * across[1], rise)
        b.add(Kind.GABLE, (x, y, 2 * half[2] + rise), roof, int(random.choice(looks)), turn)
    door = (0.03, random.uniform(0.35, 0.6), random.uniform(0.8, 1.1))
    front = x - side * (half[0] + 0.02)
    b.add(Kind.BOX, (front, y + random.uniform(-1, 1), door[2]), door, b.add_material())


def _add_shell(b: WorldBuilder, half: np.ndarray) -> None:
    """Add walls, floor and ceiling around (0, 0, half height)."""
    walls, floor, ceiling = (b.add_material(_SURFACE) for _ in range(3))
    b.add(Kind.BOX, (0, 0, half[2]), tuple(half), walls, casts_shadow=False)
    flat = (half[0], half[1], 1.0)
    b.add(Kind.QUAD, (0, 0, 0.002), flat, floor, casts_shadow=False)
    b.add(Kind.QUAD, (0, 0, 2 * half[2] - 0.002), flat, ceiling, casts_shadow=False)
    if b.random.random() < 0.5:  # noqa: PLR2004
        rug = (b.random.uniform(0.5, 1.5), b.random.uniform(0.5, 1.5), 1.0)
        place = (*b.random.uniform(-0.3, 0.3, 2) * half[:2], 0.006)
        turn = make_turn(b.random.uniform(0, np.pi))
        b.add(Kind.QUAD, place, rug, b.add_material(), turn, casts_shadow=False)


def _hang_pictures(b: WorldBuilder, half: np.ndarray) -> None:
    """Add pictures, doors and window frames on the walls."""
    random = b.random
    for _ in range(random.integers(2, 7)):
        wide, high = random.uniform(0.2, 0.8), random.uniform(0.2, 0.7)
        z = random.uniform(min(0.9, half[2]), max(half[2] * 1.4, 1.0))
        if random.random() < 0.3:  # noqa: PLR2004  a door
            wide, high = random.uniform(0.35, 0.55), min(1.0, 0.9 * half[2])
            z = high
        axis, side = int(random.integers(2)), int(random.choice((-1, 1)))
        along = random.uniform(-0.8, 0.8) * half[1 - axis]
        size, place = np.array((wide, wide, high)), np.array((along, along, z))
        size[axis], place[axis] = 0.03, side * (half[axis] - 0.02)
        glow = random.uniform(0.5, 2.0) if random.random() < 0.2 else 0.0  # noqa: PLR2004
        look = Look(least_size=0.08, greatest_size=0.6)
        b.add(Kind.BOX, tuple(place), tuple(size), b.add_material(look, glow=glow))


def _light_room(b: WorldBuilder, half: np.ndarray) -> None:
    random = b.random
    for _ in range(random.integers(1, 4)):
        x, y = random.uniform(-0.8, 0.8, 2) * half[:2]
        place = (float(x), float(y), float(2 * half[2] * random.uniform(0.7, 0.97)))
        tint = np.clip(random.normal(1, 0.12, 3), 0.5, 1.4)
        b.add_light(place, tint * random.uniform(0.5, 1.6), reach=random.uniform(1.5, 5.0))


def _scatter_things(b: WorldBuilder, spread: np.ndarray, count: int, floor: float) -> None:
    """Add things at places that are not too near to each other."""
    places: list[np.ndarray] = []
    for _ in range(count):
        tries = b.random.uniform(-1, 1, (6, 2)) * np.maximum(spread, 0.3)
        gaps = [min((float(np.linalg.norm(t - p)) for p in places), default=9.0) for t in tries]
        places.append(tries[int(np.argmax(gaps))])
        thing = THINGS[int(b.random.integers(len(THINGS)))]
        thing(b, float(places[-1][0]), float(places[-1][1]), floor)


def _add_flat_ground(b: WorldBuilder) -> None:
    ground = b.add_material(_GROUND)
    b.add(Kind.QUAD, (0, 0, 0), (200, 200, 1), ground, casts_shadow=False)


def _surround(b: WorldBuilder, distance: float) -> None:
    """Add some large blocks around a yard."""
    random = b.random
    for angle in random.uniform(0, 2 * np.pi, int(random.integers(2, 6))):
        half = (random.uniform(1.5, 4), random.uniform(0.5, 3), random.uniform(0.6, 4))
        far = distance + half[0]
        place = (far * np.cos(angle), far * np.sin(angle), half[2])
        b.add(Kind.BOX, place, half, b.add_material(_FACADE), make_turn(angle))


def _make_sky(b: WorldBuilder) -> tuple[Sky, np.ndarray]:
    """Add a sun; return the sky and the light that comes from it."""
    random = b.random
    angle, height = random.uniform(0, 2 * np.pi), random.uniform(0.25, 1.3)
    towards = (np.cos(angle) * np.cos(height), np.sin(angle) * np.cos(height), np.sin(height))
    is_overcast = random.random() < 0.3  # noqa: PLR2004
    strength = random.uniform(0.05, 0.3) if is_overcast else random.uniform(0.7, 1.8)
    warm = np.array((1.0, random.uniform(0.75, 1.0), random.uniform(0.5, 1.0)))
    b.add_light(towards, strength * warm)
    grey = random.uniform(0.5, 1.0)
    zenith = (
        grey * np.array((0.75, 0.8, 0.85)) if is_overcast else grey * np.array((0.15, 0.33, 0.75))
    )
    horizon = np.clip(zenith * random.uniform(1.0, 2.0) + 0.15, 0, 1.3)
    cloud = np.full(3, random.uniform(0.6, 1.2))
    sky = Sky(
        *(torch.tensor(x, dtype=torch.float32) for x in (horizon, zenith, cloud)), random.random()
    )
    return sky, _pick_ambient(random, outdoors=True)


def _pick_ambient(random: Generator, *, outdoors: bool) -> np.ndarray:
    """Return the light (2, 3) that comes from below and from above."""
    base = random.uniform(0.15, 0.5) * (1.3 if outdoors else 1.0)
    tint = np.clip(random.normal(1, 0.06, (2, 3)), 0.7, 1.3)
    return base * tint * np.array(((random.uniform(0.4, 0.9),), (1.0,)))


_PLACES = {
    "room": _make_room,
    "hall": _make_hall,
    "yard": _make_yard,
    "hills": _make_hills,
    "street": _make_street,
}
_SHARES = {"room": 0.42, "hall": 0.1, "yard": 0.24, "hills": 0.08, "street": 0.16}
