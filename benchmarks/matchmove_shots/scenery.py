# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places to film: the courtyard, a room with plain walls, and a figure that walks.

Runs under the bpy wheel. Light is baked into the colours of the vertices (sun with shadows, and a
few rays for how much sky a vertex sees), so that Workbench renders a frame in about a second.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import bpy
import numpy as np
from courtyard.fractal import sample_noise
from courtyard.scene import SUN_AZIMUTH, SUN_HEIGHT, build_courtyard
from mathutils import Vector
from mathutils.bvhtree import BVHTree

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray
LIT = "lit"
"""Name of the colour attribute that is shown."""
_SEED = 7
_STEP = 0.016  # metres between neighbouring points of the courtyard's surfaces
_SKY_RAYS = 3
_SUN, _SKY, _LEAST = 1.0, 0.75, 0.18  # how much light comes from where
_REACH = 2.5  # metres within which something hides the sky
_LIFT = 0.004  # metres by which rays start above the surface
ROOM = (6.0, 5.0, 2.7)  # metres


def build_place(scene: bpy.types.Scene, place: str) -> None:
    """Fill an empty scene with `courtyard` or `room`, with light in the colours of vertices."""
    if place == "courtyard":
        build_courtyard(scene, _STEP)
    else:
        _build_room(scene)
    _bake_light(scene, is_outside=place == "courtyard")


def add_walker(scene: bpy.types.Scene) -> bpy.types.Object:
    """Add a figure of capsules in patterned clothes, 1.8 m tall, feet at its origin."""
    parts = (
        ((0, 0, 1.62), (0.13, 0.13, 0.17)),
        ((0, 0, 1.15), (0.24, 0.17, 0.36)),
        ((0.12, 0.06, 0.45), (0.11, 0.12, 0.46)),
        ((-0.12, -0.06, 0.45), (0.11, 0.12, 0.46)),
        ((0.31, -0.05, 1.12), (0.08, 0.09, 0.34)),
        ((-0.31, 0.05, 1.12), (0.08, 0.09, 0.34)),
    )
    points, faces = _make_ball(48, 64)
    vertices = np.concatenate([points * size + at for at, size in parts])
    every = np.concatenate([faces + index * len(points) for index in range(len(parts))])
    pattern = sample_noise(vertices, 0.06, _SEED, 3)
    colours = np.array([0.35, 0.12, 0.1]) * np.exp(1.6 * pattern)[:, None]
    colours *= 0.6 + 0.4 * np.tile(points[:, 2:], (len(parts), 1))  # lighter above
    walker = _add_mesh(scene, "walker", vertices, every)
    _set_colours(walker, LIT, colours)
    return walker


def _make_ball(rings: int, spokes: int) -> tuple[Array, Array]:
    """Return (M, 3) points of a unit ball and (F, 4) faces."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, spokes + 1), indexing="ij"
    )
    points = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1
    )
    index = np.arange(points[..., 0].size).reshape(rings + 1, spokes + 1)
    faces = [index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]]
    return points.reshape(-1, 3), np.stack(faces, axis=-1).reshape(-1, 4)


def _build_room(scene: bpy.types.Scene) -> None:
    """Build walls of one colour with a skirting board, a picture and a socket."""
    wide, deep, high = ROOM
    wall, white, frame = (0.55, 0.52, 0.46), (0.75, 0.74, 0.72), (0.12, 0.07, 0.04)
    _add_wall(scene, "floor", (0, 0, 0), (wide, 0, 0), (0, deep, 0), (0.3, 0.27, 0.24))
    _add_wall(scene, "ceiling", (0, 0, high), (0, deep, 0), (wide, 0, 0), white)
    _add_wall(scene, "back", (0, deep, 0), (wide, 0, 0), (0, 0, high), wall)
    _add_wall(scene, "left", (0, 0, 0), (0, deep, 0), (0, 0, high), wall)
    _add_wall(scene, "right", (wide, deep, 0), (0, -deep, 0), (0, 0, high), wall)
    _add_wall(scene, "skirting", (0, deep - 0.015, 0), (wide, 0, 0), (0, 0, 0.09), white)
    _add_wall(scene, "skirting left", (0.015, 0, 0), (0, deep, 0), (0, 0, 0.09), white)
    _add_wall(scene, "frame", (2.4, deep - 0.03, 1.3), (1.0, 0, 0), (0, 0, 0.7), frame)
    _add_picture(scene, (2.46, deep - 0.035, 1.36), (0.88, 0, 0), (0, 0, 0.58))
    _add_wall(scene, "socket", (4.4, deep - 0.01, 0.28), (0.08, 0, 0), (0, 0, 0.08), white)
    _add_wall(scene, "hole", (4.428, deep - 0.012, 0.308), (0.024, 0, 0), (0, 0, 0.024), frame)


def _add_picture(
    scene: bpy.types.Scene, corner: Sequence[float], right: Sequence[float], up: Sequence[float]
) -> None:
    """Add a flat thing of soft colours that offer a tracker nothing but its corners."""
    picture = _add_grid(scene, "picture", (corner, right, up), 0.02)
    spots = _read_points(picture)
    tints = np.stack([sample_noise(spots, 0.5, _SEED + band, 1) for band in range(3)], axis=1)
    _set_colours(picture, "tint", 0.3 * np.exp(0.4 * tints))


def _add_wall(
    scene: bpy.types.Scene,
    name: str,
    corner: Sequence[float],
    right: Sequence[float],
    up: Sequence[float],
    colour: Sequence[float],
) -> None:
    """Add a flat thing of one colour."""
    wall = _add_grid(scene, name, (corner, right, up), 0.03)
    count = len(wall.data.vertices)
    _set_colours(wall, "tint", np.tile(np.array(colour, float), (count, 1)))


def _add_grid(
    scene: bpy.types.Scene, name: str, sides: tuple[Sequence[float], ...], spacing: float
) -> bpy.types.Object:
    """Add a flat grid: corner, side to the right and side upwards, metres; points so far apart."""
    corner, right, up = (np.array(each, float) for each in sides)
    counts = [max(2, int(np.ceil(np.linalg.norm(side) / spacing)) + 1) for side in (right, up)]
    u, v = np.meshgrid(*(np.linspace(0, 1, count) for count in counts), indexing="ij")
    points = corner + u[..., None] * right + v[..., None] * up
    index = np.arange(u.size).reshape(u.shape)
    faces = [index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]]
    faces = np.stack(faces, axis=-1).reshape(-1, 4)
    return _add_mesh(scene, name, points.reshape(-1, 3), faces)


def _add_mesh(scene: bpy.types.Scene, name: str, points: Array, faces: Array) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(thing)
    return thing


def _read_points(thing: bpy.types.Object) -> Array:
    points = np.empty((len(thing.data.vertices), 3), np.float32)
    thing.data.vertices.foreach_get("co", points.ravel())
    return points.astype(float)


def _set_colours(thing: bpy.types.Object, name: str, colours: Array) -> None:
    """Write (M, 3) scene-linear colours as an attribute of the vertices, and show it."""
    found = thing.data.color_attributes.get(name)
    found = found or thing.data.color_attributes.new(name, "FLOAT_COLOR", "POINT")
    whole = np.ones((len(colours), 4), np.float32)
    whole[:, :3] = colours
    found.data.foreach_set("color", whole.ravel())
    thing.data.color_attributes.active_color = found


def _bake_light(scene: bpy.types.Scene, *, is_outside: bool) -> None:
    """Give each vertex of each mesh its tint times the light that reaches it."""
    things = [thing for thing in scene.objects if thing.type == "MESH"]
    rng = np.random.default_rng(_SEED)
    obstacles = _gather_obstacles(things)
    level = np.cos(SUN_HEIGHT)
    sun = np.array([level * np.cos(SUN_AZIMUTH), level * np.sin(SUN_AZIMUTH), np.sin(SUN_HEIGHT)])
    for thing in things:
        points, normals = _read_points(thing), _read_normals(thing)
        tint = np.empty((len(points), 4), np.float32)
        thing.data.color_attributes["tint"].data.foreach_get("color", tint.ravel())
        if not is_outside:
            # A lamp under the ceiling, without shadows: plain walls stay plain.
            lamp = np.array(ROOM) * [0.6, 0.4, 0.9] - points
            far = np.linalg.norm(lamp, axis=1)
            light = 0.35 + 3.0 * np.abs((lamp * normals).sum(1)) / (far * (far * far + 2))
        else:
            light = _measure_sky(obstacles, points, normals, rng) * _SKY + _LEAST
            facing = np.clip(normals @ sun, 0, 1)
            light += _SUN * facing * _find_lit(obstacles, points, normals, sun, facing)
            grain = np.exp(0.35 * sample_noise(points, 0.05, _SEED, 2))
            light *= grain
        _set_colours(thing, LIT, tint[:, :3] * light[:, None])


def _gather_obstacles(things: Sequence[bpy.types.Object]) -> BVHTree:
    points, faces, first = [], [], 0
    for thing in things:
        points.append(_read_points(thing))
        thing.data.calc_loop_triangles()
        corners = np.empty((len(thing.data.loop_triangles), 3), np.int32)
        thing.data.loop_triangles.foreach_get("vertices", corners.ravel())
        faces.append(corners + first)
        first += len(points[-1])
    return BVHTree.FromPolygons(
        np.concatenate(points).tolist(), np.concatenate(faces).tolist(), all_triangles=True
    )


def _read_normals(thing: bpy.types.Object) -> Array:
    normals = np.empty((len(thing.data.vertices), 3), np.float32)
    thing.data.vertex_normals.foreach_get("vector", normals.ravel())
    return normals.astype(float)


def _find_lit(
    obstacles: BVHTree, points: Array, normals: Array, sun: Array, facing: Array
) -> Array:
    """Return (M,) 1 where the sun is seen, else 0."""
    towards = Vector(sun)
    starts = (points + _LIFT * normals).tolist()
    lit = np.zeros(len(points))
    for index in np.flatnonzero(facing > 0):
        lit[index] = obstacles.ray_cast(Vector(starts[index]), towards)[0] is None
    return lit


def _measure_sky(
    obstacles: BVHTree, points: Array, normals: Array, rng: np.random.Generator
) -> Array:
    """Return the (M,) share of rays that meet nothing near."""
    seen = np.zeros(len(points))
    starts = (points + _LIFT * normals).tolist()
    for _ in range(_SKY_RAYS):
        away = rng.normal(size=(len(points), 3))
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        away = (away + 1.02 * normals).tolist()  # Lambert's cosine law
        for index, start in enumerate(starts):
            hit = obstacles.ray_cast(Vector(start), Vector(away[index]), _REACH)
            seen[index] += hit[0] is None
    return seen / _SKY_RAYS
