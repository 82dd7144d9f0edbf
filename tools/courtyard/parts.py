# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of mesh with a colour and a grain direction, and their way into Blender.

Runs under the bpy wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray


class Part(NamedTuple):
    """A mesh of quads.

    Attributes:
        points: (V, 3) float64, metres, Blender axes.
        quads: (F, 4) int64, corners counter-clockwise seen from outside.
        tint: (V, 3) float64, scene-linear base colour.
        grain: (V, 3) float64, metres; where the texture is looked up, x along the grain of wood.
    """

    points: Array
    quads: Array
    tint: Array
    grain: Array


def make_part(points: Array, quads: Array, tint: Array, grain: Array | None = None) -> Part:
    """Complete a part: one colour for all points if there is one, points as default grain."""
    colours = np.broadcast_to(np.asarray(tint, float), points.shape)
    return Part(points, quads, colours, points if grain is None else grain)


def join_parts(parts: Sequence[Part]) -> Part:
    """Make one part of many."""
    starts = np.cumsum([0] + [len(part.points) for part in parts])
    quads = [part.quads + start for part, start in zip(parts, starts[:-1], strict=True)]
    return Part(
        np.concatenate([part.points for part in parts]),
        np.concatenate(quads),
        np.concatenate([part.tint for part in parts]),
        np.concatenate([part.grain for part in parts]),
    )


def make_turn(axis: str, angle: float) -> Array:
    """Give the (3, 3) rotation about "x", "y" or "z" by an angle in radians."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[second, first] = np.sin(angle)
    turn[first, second] = -np.sin(angle)
    return turn


def place_part(
    part: Part, at: Sequence[float], turn: Array | None = None, size: float = 1.0
) -> Part:
    """Scale, rotate ((3, 3), first) and move a part; its texture goes with it."""
    turn = np.eye(3) if turn is None else turn
    return part._replace(points=part.points @ turn.T * size + np.asarray(at, float))


def grid_quads(rows: int, columns: int, *, is_closed: bool = False) -> Array:
    """Connect a grid of points, row by row; closed joins the last column to the first.

    Returns:
        (F, 4) int64.
    """
    row = np.arange(rows - 1)[:, None] * columns
    column = np.arange(columns if is_closed else columns - 1)[None]
    following = (column + 1) % columns
    corners = (row + column, row + following, row + columns + following, row + columns + column)
    return np.stack([corner.reshape(-1) for corner in corners], axis=1)


def add_object(name: str, part: Part, material: bpy.types.Material) -> bpy.types.Object:
    """Put a part into the scene with the attributes "tint" and "grain" that the surfaces read."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(part.points))
    mesh.vertices.foreach_set("co", part.points.astype(np.float32).ravel())
    mesh.loops.add(part.quads.size)
    mesh.loops.foreach_set("vertex_index", part.quads.astype(np.int32).ravel())
    mesh.polygons.add(len(part.quads))
    mesh.polygons.foreach_set("loop_start", np.arange(0, part.quads.size, 4, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(part.quads), bool))
    tint = np.concatenate([part.tint, np.ones((len(part.tint), 1))], axis=1)
    mesh.attributes.new("tint", "FLOAT_COLOR", "POINT").data.foreach_set(
        "color", tint.astype(np.float32).ravel()
    )
    grain = mesh.attributes.new("grain", "FLOAT_VECTOR", "POINT")
    grain.data.foreach_set("vector", part.grain.astype(np.float32).ravel())
    mesh.materials.append(material)
    placed = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(placed)
    return placed
