# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that the user points at: picked points, selected vertices and objects, the 3D cursor.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from .lookup import list_parts
from .root_moves import read_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpy.types import Context, Object
    from numpy.typing import NDArray

POINT_NAME: Final = "DA3 Point"
_POINT_SIZE: Final = 0.2  # of the root's axes
_NO_PLACES: Final = (names.ROLE_ROOT, names.ROLE_POINTS, names.ROLE_MESH, names.ROLE_SPLATS)


class Places(NamedTuple):
    """Places in the world.

    Attributes:
        positions: (N, 3) float64, world.
        what: what they are, in words with their number.
        has_order: the last is the one that the user means most.
    """

    positions: NDArray[np.float64]
    what: str
    has_order: bool = False


def find_places(context: Context, root: Object, need: int, *, use_cursor: bool = False) -> Places:
    """Return the places that the user means.

    In Edit Mode, which is left, these are selected vertices; else selected objects, if they are
    enough; else the picked points of the reconstruction, if they are; else whichever is there.

    Args:
        context: of the operator.
        root: of the reconstruction.
        need: how many the tool works with.
        use_cursor: the 3D cursor alone.
    """
    if use_cursor:
        leave_edit_mode(context)
        return Places(np.array([context.scene.cursor.location], np.float64), "the 3D cursor")
    edited = [ob for ob in context.objects_in_mode if ob.mode == "EDIT"]
    leave_edit_mode(context)  # attributes are empty in it
    if edited:
        found = np.concatenate([_read_selected(ob) for ob in edited])
        return Places(found, _count(len(found), "selected vertex", "selected vertices"))
    chosen = _list_chosen(context)
    picked = list_picked(root)
    if len(chosen) < need and (len(picked) >= need or not chosen):
        found = np.array([ob.matrix_world.translation for ob in picked], np.float64)
        return Places(found.reshape(-1, 3), _count(len(picked), "picked point"), has_order=True)
    has_order = context.active_object in chosen or all(names.PROP_POINT in ob for ob in chosen)
    found = np.array([ob.matrix_world.translation for ob in chosen], np.float64)
    return Places(found, _count(len(chosen), "selected object"), has_order=has_order)


def require_places(places: Places, need: int, tool: str) -> None:
    """Raise where there are too few places.

    Raises:
        EngineError: INPUT_TOO_FEW.
    """
    if len(places.positions) < need:
        raise EngineError(
            ErrorCode.INPUT_TOO_FEW,
            f"{tool} needs {_count(need, 'point')}; there is only {places.what}."
            if len(places.positions)
            else f"{tool} needs {_count(need, 'point')}; there is none.",
            "Use Pick Point, select objects, or select vertices in Edit Mode.",
        )


def list_picked(root: Object) -> list[Object]:
    """Return the picked points of a reconstruction, by their number."""
    points = list_parts(root, names.ROLE_POINT)
    return sorted(points, key=lambda ob: int(ob.get(names.PROP_POINT, 0)))


def add_picked(context: Context, root: Object, position: Sequence[float]) -> Object:
    """Add a picked point below a root.

    Args:
        context: of the scene.
        root: of the reconstruction.
        position: in the world.
    """
    number = max((int(ob.get(names.PROP_POINT, 0)) for ob in list_picked(root)), default=0) + 1
    ob = bpy.data.objects.new(f"{POINT_NAME} {number}", None)
    ob[names.PROP_ROLE], ob[names.PROP_POINT] = names.ROLE_POINT, number
    ob.empty_display_type, ob.empty_display_size = "SPHERE", _POINT_SIZE * root.empty_display_size
    ob.show_in_front = True
    ob.parent = root
    root.users_collection[0].objects.link(ob)
    context.view_layer.update()
    ob.matrix_basis = Matrix.Translation(root.matrix_world.inverted_safe() @ Vector(position))
    context.view_layer.update()
    return ob


def leave_edit_mode(context: Context) -> None:
    """Go to Object Mode: moves of other objects are not undone in Edit Mode."""
    if context.mode != "OBJECT" and context.active_object is not None:
        bpy.ops.object.mode_set(mode="OBJECT")


def _list_chosen(context: Context) -> list[Object]:
    """Return selected objects whose origin means a place; the active one last."""
    chosen = [ob for ob in context.selected_objects if ob.get(names.PROP_ROLE) not in _NO_PLACES]
    if all(names.PROP_POINT in ob for ob in chosen):
        return sorted(chosen, key=lambda ob: int(ob[names.PROP_POINT]))
    return sorted(chosen, key=lambda ob: (ob == context.active_object, ob.name))


def _read_selected(ob: Object) -> NDArray[np.float64]:
    """Return (M, 3) selected vertices or points in the world."""
    positions = read_positions(ob).astype(np.float64)
    chosen = np.ones(len(positions), np.bool_)
    if ob.type == "MESH":
        ob.data.vertices.foreach_get("select", chosen)
    else:
        stored = ob.data.attributes.get(".selection")
        if stored is not None and stored.data_type == "BOOLEAN":  # without it all are selected
            stored.data.foreach_get("value", chosen)
    place = np.array(ob.matrix_world, np.float64)
    return positions[chosen] @ place[:3, :3].T + place[:3, 3]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
