# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courtyard put together: where everything stands, the sun and the sky.

Runs under the bpy wheel. Blender axes, metres; the walls meet at (-3, 3) and look into the yard.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import masonry, plants, relief, woodwork
from .fractal import parse_colours
from .parts import Part, add_object, join_parts, make_turn, place_part
from .surfaces import make_materials

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray
SEED = 20260
CORNER = (-3.0, 3.0)
WALL = (8.6, 2.75)
DOOR = (3.75, 1.1, 1.45)  # place along the back wall, width, height where its arch begins
WINDOW = (5.1, 1.12, 0.9, 1.15)  # place along the left wall, height of the sill, width, height
LEFT_TURN = make_turn("z", np.pi / 2)
QUARTER = np.pi / 2
SUN_HEIGHT, SUN_AZIMUTH = np.radians(40), np.radians(-28)


class Yard:
    """Collects parts by surface while the courtyard is put together.

    Attributes:
        rng: The one source of chance.
    """

    def __init__(self, seed: int) -> None:
        """Start empty."""
        self.rng = np.random.default_rng(seed)
        self._parts: dict[str, list[Part]] = defaultdict(list)

    def put(
        self, kit: dict[str, Part], at: Sequence[float] = (0, 0, 0), turn: Array | None = None
    ) -> None:
        """Place the parts of a thing."""
        for surface, part in kit.items():
            self._parts[surface].append(place_part(part, at, turn))

    def add_objects(self) -> None:
        """Make one Blender object of each surface."""
        materials = make_materials()
        for surface, parts in self._parts.items():
            add_object(surface, join_parts(parts), materials[surface])


def is_door(spots: Array) -> Array:
    """Say which (F, 2) spots of the back wall are in the doorway; (F,) bool."""
    place, width, spring = DOOR
    beside, above = spots[:, 0] - place, np.maximum(spots[:, 1] - spring, 0)
    return np.hypot(beside, above) < width / 2 + 0.06


def is_window(spots: Array) -> Array:
    """Say which (F, 2) spots of the left wall are in the window; (F,) bool."""
    place, sill, width, height = WINDOW
    return (np.abs(spots[:, 0] - place) < width / 2) & (
        np.abs(spots[:, 1] - sill - height / 2) < height / 2
    )


def build_walls(yard: Yard, step: float) -> None:
    """Put up the stone wall at the back and the brick wall on the left, door, window and tiles."""

    def paint_back(spots: Array) -> tuple[Array, Array]:
        laid = relief.shape_masonry(yard.rng, spots, WALL, relief.RUBBLE, relief.LIMESTONE)
        return relief.cover_with_plaster(spots, *laid, seed=71, amount=-0.35)

    def paint_left(spots: Array) -> tuple[Array, Array]:
        laid = relief.shape_masonry(yard.rng, spots, WALL, relief.BRICKS, relief.BRICK)
        return relief.cover_with_plaster(spots, *laid, seed=95, amount=-0.1)

    back = (CORNER[0], CORNER[1], 0)
    left = (CORNER[0], CORNER[1] - WALL[0], 0)
    yard.put({"stone": relief.make_wall(WALL, step, paint_back, is_door)}, back)
    yard.put({"stone": relief.make_wall(WALL, step, paint_left, is_window)}, left, LEFT_TURN)
    yard.put({"clay": masonry.make_coping(yard.rng, WALL[0])}, (back[0], back[1], WALL[1]))
    yard.put(
        {"clay": masonry.make_coping(yard.rng, WALL[0])}, (left[0], left[1], WALL[1]), LEFT_TURN
    )
    door = (CORNER[0] + DOOR[0], CORNER[1], 0)
    yard.put({"stone": masonry.make_arch(yard.rng, DOOR[1], DOOR[2])}, door)
    yard.put(
        woodwork.make_door(yard.rng, DOOR[1] + 0.02, DOOR[2] + DOOR[1] / 2 + 0.05),
        (door[0], door[1] + 0.2, 0.13),
    )
    window = (CORNER[0], left[1] + WINDOW[0], WINDOW[1])
    yard.put(woodwork.make_window(yard.rng, WINDOW[2], WINDOW[3]), window, LEFT_TURN)


def put_wooden_things(yard: Yard) -> None:
    """Place well, barrels, crates, bench, wheel and ladder."""
    rng = yard.rng
    well = (-0.45, 0.55, 0)
    yard.put({"stone": masonry.make_well(rng)}, well, make_turn("z", 2.3))
    yard.put(woodwork.make_well_roof(rng), well, make_turn("z", 0.62))
    for x, y, spin in ((-2.5, 2.45, 0.4), (-1.78, 2.58, 2.0), (-2.58, 1.72, 4.1)):
        yard.put(woodwork.make_barrel(rng), (x, y, 0), make_turn("z", spin))
    orange, apple = (
        parse_colours("e88a1e", "f0a030", "d9701a"),
        parse_colours("b8322a", "c8573a", "a8a83a", "d0b040"),
    )
    crates = (
        ((0.72, 0.5, 0.34), (2.05, 2.12, 0), 0.18, orange, 0.042),
        ((0.62, 0.46, 0.3), (2.3, 1.42, 0), -0.5, apple, 0.04),
    )
    for size, at, spin, palette, radius in crates:
        turn = make_turn("z", spin)
        yard.put(woodwork.make_crate(rng, size), at, turn)
        yard.put(
            {
                "fruit": woodwork.make_fruit(
                    rng, size[0] - 0.08, size[1] - 0.08, size[2] - 0.07, palette, radius
                )
            },
            at,
            turn,
        )
    yard.put(woodwork.make_crate(rng, (0.55, 0.42, 0.42)), (2.85, 2.3, 0), make_turn("z", -0.1))
    yard.put(woodwork.make_bench(rng), (-2.55, -1.75, 0), make_turn("z", QUARTER + 0.06))
    yard.put(
        woodwork.make_wheel(rng),
        (-2.72, -0.72, 0.0),
        make_turn("z", QUARTER - 0.05) @ make_turn("x", -0.2),
    )
    yard.put(
        woodwork.make_ladder(rng), (-0.9, 2.25, 0), make_turn("z", 0.05) @ make_turn("x", -0.22)
    )


def put_pots(yard: Yard) -> None:
    """Place the pot plants."""
    rng = yard.rng
    pots = (
        (0.02, 2.52, 0.05, 0.19, 0.36, "geranium"),
        (1.46, 2.55, 0.05, 0.17, 0.32, "yellow"),
        (-2.5, 0.95, 0, 0.22, 0.42, "lavender"),
        (-2.45, -2.75, 0, 0.26, 0.46, "sage"),
        (0.72, -0.32, 0, 0.2, 0.34, "geranium"),
        (1.05, 0.02, 0, 0.15, 0.27, "lavender"),
        (0.62, 0.08, 0, 0.13, 0.2, "yellow"),
        (3.55, 2.4, 0, 0.25, 0.48, "sage"),
        (-1.55, -0.75, 0, 0.18, 0.3, "herb"),
    )
    for x, y, z, radius, height, kind in pots:
        yard.put(
            {"clay": masonry.make_pot(rng, radius, height)},
            (x, y, z),
            make_turn("z", rng.uniform(0, 6)),
        )
        yard.put({"leaf": make_pot_plant(rng, radius, kind)}, (x, y, z + height * 0.9))


def make_pot_plant(rng: np.random.Generator, radius: float, kind: str) -> Part:
    """Grow the plant of a pot of the given radius in metres."""
    if kind == "lavender":
        return plants.grow_spikes(rng, radius, 38, 0.42, plants.LAVENDER)
    if kind == "sage":
        return plants.grow_bush(rng, radius * 1.5, 700, plants.SAGE, 0.11, 0.32)
    bush = plants.grow_bush(rng, radius * 1.35, 420, plants.HERB, 0.085, 0.7)
    if kind == "herb":
        return bush
    palette = plants.GERANIUM if kind == "geranium" else plants.YELLOW
    return join_parts([bush, plants.add_blossom(rng, radius * 1.35, 15, palette, 0.028)])


def put_greenery(yard: Yard) -> None:
    """Let ivy climb, grass grow along the walls and trees stand behind them."""
    rng = yard.rng
    x, y = np.eye(3)[0], np.eye(3)[1]
    yard.put(plants.climb_wall(rng, (-2.93, 2.6, 0), y, x, 26, 2.9))
    yard.put(plants.climb_wall(rng, (-2.5, 2.93, 0), x, -y, 20, 2.6))
    yard.put(plants.climb_wall(rng, (2.35, 2.93, 0), x, -y, 18, 2.9))
    yard.put(plants.climb_wall(rng, (-2.93, -3.5, 0), y, x, 18, 2.8))
    along = rng.uniform(-5.4, 5.4, (70, 1))
    back = np.concatenate([along[:35], 2.9 - np.abs(rng.normal(0, 0.06, (35, 1)))], axis=1)
    left = np.concatenate([-2.9 + np.abs(rng.normal(0, 0.06, (35, 1))), along[35:]], axis=1)
    angle = rng.uniform(0, 2 * np.pi, 22)
    well = np.stack([-0.45 + 0.7 * np.cos(angle), 0.55 + 0.7 * np.sin(angle)], axis=1)
    yard.put(
        {
            "leaf": plants.grow_grass(
                rng, np.concatenate([back, left, well, rng.uniform(-2.6, 2.8, (26, 2))])
            )
        }
    )
    yard.put({"leaf": plants.scatter_litter(rng, rng.normal([-1.2, 0.8], 1.7, (420, 2)))})
    trees = (
        ((-4.9, 4.9, 0), (1.7, 1.7, 1.5)),
        ((0.6, 5.8, 0), (1.9, 1.4, 1.35)),
        ((-5.9, -0.3, 0), (1.5, 2.1, 1.5)),
    )
    trees += (((4.6, 5.4, 0), (1.8, 1.5, 1.6)), ((-5.2, -4.6, 0), (1.4, 1.8, 1.6)))
    for at, crown in trees:
        yard.put(plants.grow_tree(rng, at, crown, 9000, 0.17))


def light_scene(scene: bpy.types.Scene) -> None:
    """Add the sun and a sky without a disc, so that only the lamp throws hard shadows."""
    lamp = bpy.data.lights.new("sun", "SUN")
    lamp.energy, lamp.angle, lamp.color = 4.2, np.radians(0.6), (1.0, 0.9, 0.76)
    sun = bpy.data.objects.new("sun", lamp)
    sun.rotation_euler = (np.pi / 2 - SUN_HEIGHT, 0, np.pi / 2 + SUN_AZIMUTH)
    scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    tree = world.node_tree
    sky = tree.nodes.new("ShaderNodeTexSky")
    sky.sky_type = (
        "HOSEK_WILKIE"  # the one physical model that 4.5 and 5.2 have under the same name
    )
    level = np.cos(SUN_HEIGHT)
    sky.sun_direction = (
        level * np.cos(SUN_AZIMUTH),
        level * np.sin(SUN_AZIMUTH),
        np.sin(SUN_HEIGHT),
    )
    sky.turbidity = 2.4
    tree.links.new(sky.outputs[0], tree.nodes["Background"].inputs["Color"])
    tree.nodes["Background"].inputs["Strength"].default_value = 2.1
    scene.world = world


def build_courtyard(scene: bpy.types.Scene, step: float = 0.012) -> None:
    """Build everything into an empty scene.

    Args:
        scene: Where to.
        step: Distance of neighbouring mesh points, metres; larger for quick looks.
    """
    yard = Yard(SEED)
    build_walls(yard, step)
    ground = relief.make_ground(yard.rng, (-3.3, -6.2), (6.4, 3.2), step)
    yard.put({"stone": ground})
    put_wooden_things(yard)
    put_pots(yard)
    put_greenery(yard)
    yard.add_objects()
    light_scene(scene)
