# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Propose how a reconstruction stands upright on its floor; keep it or put it back.

Runs in Blender. The proposal lies in a custom property of the root, so it is saved and undone
with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from mathutils import Matrix, Vector

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..contract.ground_plane import find_floor, guess_up
from .root_moves import (
    move_root,
    read_place,
    read_world_cameras,
    read_world_points,
    restore_place,
)

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from numpy.typing import NDArray

    from ..contract.ground_plane import Floor

_MOST_POINTS: Final = 200_000
# A second look, where cameras that all look down the same way have guessed up badly.
_TILTS_DEG: Final = (20.0, 45.0)
_BEFORE: Final = "before"
_TEXT: Final = "text"


class Upright(NamedTuple):
    """What was found.

    Attributes:
        tilt_deg: how far the reconstruction was from standing upright.
        lift: how far it was moved up, scene units; 0 without a floor.
        share: of the points that lie on the floor, 0 to 1; 0 without a floor.
        text: all that in a sentence.
    """

    tilt_deg: float
    lift: float
    share: float
    text: str


def propose_upright(context: Context, root: Object) -> Upright:
    """Stand a reconstruction upright on its floor and remember where it was.

    An earlier proposal that waits for an answer is turned down first.

    Raises:
        EngineError: INPUT_MISMATCH; there are neither cameras nor points to tell what is up.
    """
    turn_down_upright(context, root)
    context.view_layer.update()
    cameras = read_world_cameras(context, root)
    points = read_world_points(root, _MOST_POINTS)
    if not len(cameras) and not len(points):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{root.name} has neither cameras nor points that could tell what is up.",
            "Turn Cameras or Points on under Make, and press Rebuild.",
        )
    up = guess_up(cameras[:, :3, 1], cameras[:, :3, 0]) if len(cameras) else np.array([0, 0, 1.0])
    floor = _find_floor(points, cameras[:, :3, 3], up)
    normal = up if floor is None else floor.plane.normal
    middle = np.median(points, axis=0) if len(points) else cameras[:, :3, 3].mean(axis=0)
    before = read_place(root)
    move = turn_to_up(normal, middle)
    lift = 0.0
    if floor is not None:
        lift = -float((move @ Vector(normal * floor.plane.offset)).z)
        move = Matrix.Translation((0, 0, lift)) @ move
    move_root(context, root, move)
    tilt = float(np.degrees(np.arccos(np.clip(normal[2], -1, 1))))
    text = _describe(tilt, lift, floor)
    root[names.PROP_PROPOSAL] = {_BEFORE: before, _TEXT: text}
    return Upright(tilt, lift, 0.0 if floor is None else floor.share, text)


def accept_upright(root: Object) -> None:
    """Keep the proposal, or whatever has become of it since."""
    if names.PROP_PROPOSAL in root:
        del root[names.PROP_PROPOSAL]


def turn_down_upright(context: Context, root: Object) -> bool:
    """Put the root exactly where it was before the proposal; False if there is none."""
    proposal = root.get(names.PROP_PROPOSAL)
    if proposal is None:
        return False
    restore_place(root, proposal.to_dict()[_BEFORE])
    del root[names.PROP_PROPOSAL]
    context.view_layer.update()
    return True


def turn_to_up(normal: NDArray[np.float64], pivot: NDArray[np.float64]) -> Matrix:
    """Return the least turn that takes a direction of the world to +z, around a place."""
    turn = Vector(normal).rotation_difference(Vector((0, 0, 1))).to_matrix().to_4x4()
    return Matrix.Translation(pivot) @ turn @ Matrix.Translation(-Vector(pivot))


def _find_floor(
    points: NDArray[np.float64], centres: NDArray[np.float64], up: NDArray[np.float64]
) -> Floor | None:
    for tilt in _TILTS_DEG:
        floor = find_floor(points, centres, up, tilt)
        if floor is not None:
            return floor
    return None


def _describe(tilt: float, lift: float, floor: Floor | None) -> str:
    if floor is None:
        return (
            f"Turned by {tilt:.1f}° after how the cameras were held. The points show no floor: "
            "set it by picked points"
        )
    where = "up" if lift > 0 else "down"
    return (
        f"Turned by {tilt:.1f}°, moved {where} by {abs(lift):.3g}; {100 * floor.share:.0f} % of "
        "the points are on the floor"
    )


def read_proposal(root: Object) -> str:
    """Return what the waiting proposal says, "" if there is none."""
    proposal: Any = root.get(names.PROP_PROPOSAL)
    return "" if proposal is None else str(proposal[_TEXT])
