# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move, turn and size a whole reconstruction by its root; put it back exactly.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract import names
from ..contract.cameras import invert_rigid, to_blender_matrix
from .flight_views import find_place, read_views
from .lookup import list_cameras

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from mathutils import Matrix
    from numpy.typing import NDArray

_ROTATIONS: Final = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
_SAME_SIZE: Final = 1e-6


def move_root(context: Context, root: Object, world_from_old: Matrix) -> None:
    """Move a reconstruction and everything below its root.

    Display sizes and clipping distances of cameras, which no scale reaches, are scaled too.

    Args:
        context: of the scene.
        root: of the reconstruction.
        world_from_old: (4, 4) similarity in the world: rotation, uniform scale, translation.
    """
    context.view_layer.update()
    root.matrix_world = world_from_old @ root.matrix_world
    context.view_layer.update()
    _scale_displays(root, world_from_old.median_scale)


def _scale_displays(root: Object, factor: float) -> None:
    if abs(factor - 1) < _SAME_SIZE:
        return
    for data in {ob.data for ob in root.children_recursive if ob.type == "CAMERA"}:
        data.display_size *= factor
        # clip_end first where it grows: Blender keeps the two in order
        for name in ("clip_end", "clip_start") if factor > 1 else ("clip_start", "clip_end"):
            setattr(data, name, getattr(data, name) * factor)


def read_place(ob: Object) -> dict[str, Any]:
    """Return the own place of an object as plain numbers, exactly."""
    rotation = _ROTATIONS.get(ob.rotation_mode, "rotation_euler")
    return {
        "location": list(ob.location),
        "mode": ob.rotation_mode,
        "rotation": list(getattr(ob, rotation)),
        "scale": list(ob.scale),
    }


def restore_place(ob: Object, place: dict[str, Any]) -> None:
    """Put an object where `read_place` has seen it."""
    ob.location, ob.scale = place["location"], place["scale"]
    ob.rotation_mode = place["mode"]
    rotation = _ROTATIONS.get(ob.rotation_mode, "rotation_euler")
    setattr(ob, rotation, place["rotation"])


def read_world_cameras(context: Context, root: Object) -> NDArray[np.float64]:
    """Return (N, 4, 4): where the cameras of a reconstruction are in the world, without scale.

    In the order of the result; Blender's axes; no cameras give (0, 4, 4).
    """
    if not list_cameras(root):
        return np.zeros((0, 4, 4))
    views = read_views(root, context.scene.frame_current)
    return place_in_world(to_blender_matrix(invert_rigid(views.path.c2w)), root)


def place_in_world(local: NDArray[np.float64], root: Object) -> NDArray[np.float64]:
    """Take (N, 4, 4) poses without scale from below a root to the world, still without scale."""
    place = np.array(root.matrix_world, np.float64)
    turn = np.array(root.matrix_world.to_quaternion().to_matrix(), np.float64)
    world = np.tile(np.eye(4), (len(local), 1, 1))
    world[:, :3, :3] = turn @ local[:, :3, :3]
    world[:, :3, 3] = local[:, :3, 3] @ place[:3, :3].T + place[:3, 3]
    return world


def read_world_matrix(ob: Object, root: Object) -> Matrix:
    """Return where an object below a root is, also where it is hidden and thus not evaluated."""
    return root.matrix_world @ find_place(ob, root) @ ob.matrix_basis


def read_positions(ob: Object) -> NDArray[np.float32]:
    """Return (M, 3): vertices of a mesh or points of a cloud, object space."""
    attribute = ob.data.attributes.get("position")
    positions = np.empty((0 if attribute is None else len(attribute.data), 3), np.float32)
    if attribute is not None:
        attribute.data.foreach_get("vector", positions.ravel())
    return positions


def read_world_points(root: Object, most: int) -> NDArray[np.float64]:
    """Return (M, 3) points of a reconstruction in the world: of its cloud, else of its surfaces.

    Args:
        root: of the reconstruction.
        most: an even share of more points is taken.
    """
    for role in (names.ROLE_POINTS, names.ROLE_MESH, names.ROLE_SPLATS):
        parts = [ob for ob in root.children_recursive if ob.get(names.PROP_ROLE) == role]
        found = [_read_share(ob, root, max(1, most // len(parts))) for ob in parts]
        if sum(map(len, found)):
            return np.concatenate(found)
    return np.zeros((0, 3))


def _read_share(ob: Object, root: Object, most: int) -> NDArray[np.float64]:
    positions = read_positions(ob)
    positions = positions[:: max(1, len(positions) // most)].astype(np.float64)
    place = np.array(read_world_matrix(ob, root), np.float64)
    return positions @ place[:3, :3].T + place[:3, 3]
