# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user does with splats by a button; nothing is deleted by it.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from mathutils import Matrix, Vector

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..splats.neighbours import count_neighbours, measure_spacing
from . import splat_inputs as inputs
from .compat import set_modifier_input
from .splat_object import update_modifier

if TYPE_CHECKING:
    from bpy.types import Object

_DIRECTIONS: Final = {
    "PLUS_Y": (0, 1, 0),
    "MINUS_Y": (0, -1, 0),
    "PLUS_Z": (0, 0, 1),
    "MINUS_Z": (0, 0, -1),
    "PLUS_X": (1, 0, 0),
    "MINUS_X": (-1, 0, 0),
}


class FloaterReport(NamedTuple):
    """What a search found.

    Attributes:
        radius: that was looked in, object units.
        hidden: Gaussians with too few neighbours.
        count: of all.
    """

    radius: float
    hidden: int
    count: int


def find_floaters(ob: Object, reach: float, least: int) -> FloaterReport:
    """Count the neighbours of each Gaussian, store them, and hide those with too few.

    Args:
        ob: splats with their modifier, not in Edit Mode.
        reach: radius in typical distances from one Gaussian to the next.
        least: neighbours that a Gaussian needs to show.

    Raises:
        EngineError: INPUT_EMPTY, there are no distances to speak of.
    """
    mesh = ob.data
    positions = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions.ravel())
    radius = reach * measure_spacing(positions)
    if radius <= 0:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"All Gaussians of {ob.name} are at one place, so none is lonely.",
            "Choose splats with Gaussians at different places.",
        )
    found = count_neighbours(positions, radius)
    stored = mesh.attributes.get(names.ATTR_NEIGHBOURS)
    if stored is not None and (stored.data_type, stored.domain) != ("INT", "POINT"):
        mesh.attributes.remove(stored)
        stored = None
    if stored is None:
        stored = mesh.attributes.new(names.ATTR_NEIGHBOURS, "INT", "POINT")
    stored.data.foreach_set("value", found)
    mesh.update()
    set_modifier_input(update_modifier(ob), inputs.LEAST_NEIGHBOURS, least)
    ob.update_tag()
    return FloaterReport(radius, int((found < least).sum()), len(found))


def decimate(ob: Object, percentage: float) -> int:
    """Let only a share of the Gaussians show, the important first.

    Args:
        ob: splats with their modifier.
        percentage: above 0, to 100; 100 shows all.

    Returns:
        How many that are, before other limits.
    """
    total = len(ob.data.vertices)
    count = max(1, round(total * percentage / 100))
    set_modifier_input(update_modifier(ob), inputs.BUDGET, 0 if count >= total else count)
    ob.update_tag()
    return min(count, total)


def turn_up(ob: Object, axis: str) -> None:
    """Turn an object around its origin so that what pointed along an axis of the world is up.

    Args:
        ob: any.
        axis: a key such as PLUS_Y.
    """
    place = ob.matrix_world.translation.copy()
    turn = _find_turn(Vector(_DIRECTIONS[axis]))
    ob.matrix_world = (
        Matrix.Translation(place) @ turn @ Matrix.Translation(-place) @ ob.matrix_world
    )


def _find_turn(direction: Vector) -> Matrix:
    up = Vector((0, 0, 1))
    if direction.dot(up) < 0 and direction.cross(up).length == 0:
        return Matrix.Diagonal((1, -1, -1, 1))  # half a turn about x
    return direction.rotation_difference(up).to_matrix().to_4x4()
