# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Point objects: positions, colours and confidence in bulk, with a modifier that shows them.

Runs in Blender. A cloud that exists gets new points; its modifiers, materials and place stay.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..contract import names
from ..contract.cameras import to_blender_points
from .byte_colours import fill_byte_colours
from .compat import get_modifier_input, set_modifier_input
from .fingerprint import is_edited, replace_data, stamp_geometry
from .lookup import list_parts
from .modifier_copy import copy_modifiers
from .point_material import get_point_material
from .point_nodes import (
    INPUT_LEAST_VIEWS,
    INPUT_MATERIAL,
    INPUT_MIN_CONFIDENCE,
    INPUT_RADIUS,
    INPUT_SHOW_MOVING,
    get_point_nodes,
)
from .written import Written

if TYPE_CHECKING:
    from bpy.types import Context, Mesh, NodesModifier, Object
    from numpy.typing import NDArray

    from .reconstruction import Reconstruction
    from .site import Site

_OPAQUE: Final = 255
_MODIFIER: Final = "modifier"


def make_points(
    context: Context,
    reconstruction: Reconstruction,
    site: Site,
    frames: dict[str, int] | None = None,
) -> Object | None:
    """Make or update the cloud: a mesh of vertices, or a native point cloud, below the root.

    Args:
        context: of the scene.
        reconstruction: gives the points.
        site: where they go.
        frames: number on the time line for each name of a view, where one camera moves: what
            moves then shows from its own frame to that of the next one only.
    """
    known = next(iter(list_parts(site.root, names.ROLE_POINTS)), None)
    if known is not None and site.options.keep_edits and is_edited(known.data):
        site.notes.append(
            f"{known.name} was edited by hand, so its points stay as they are. Delete it, or "
            "turn Keep My Edits off, and rebuild for new points."
        )
        return known
    fresh = _make_object(context, reconstruction, site, frames)
    if known is None:
        site.link(fresh)
        _set_modifier(fresh, site, is_new=True)
        return fresh
    if known.type == fresh.type:
        site.later.append(functools.partial(_take_over_data, known, fresh, site))
        return known
    site.later.append(functools.partial(_take_over_object, known, fresh, site))
    return fresh


def _make_object(
    context: Context,
    reconstruction: Reconstruction,
    site: Site,
    frames: dict[str, int] | None,
) -> Object:
    positions = np.ascontiguousarray(to_blender_points(reconstruction.points), np.float32)  # (M, 3)
    rgba = _make_rgba(reconstruction.colours)
    mesh = _make_mesh(f"{reconstruction.name} points", reconstruction, positions, rgba)
    if reconstruction.point_moving is not None and frames is not None:
        _store_frames(mesh, reconstruction, frames)
    ob = bpy.data.objects.new(mesh.name, mesh)
    ob[names.PROP_ROLE] = names.ROLE_POINTS
    if site.options.point_display == "POINTCLOUD":
        _convert_to_point_cloud(context, ob, site)
    ob.data.materials.append(get_point_material())
    stamp_geometry(ob.data, positions, rgba)
    return ob


def _set_modifier(ob: Object, site: Site, *, is_new: bool) -> None:
    """Add our modifier, or set its inputs where the user has left them alone."""
    record = Written(ob)
    if is_new:
        modifier = ob.modifiers.new(names.NODES_POINTS, "NODES")
        modifier.node_group = get_point_nodes()
        set_modifier_input(modifier, INPUT_MATERIAL, ob.data.materials[0])
        record.note(_MODIFIER, modifier.node_group.name_full)
    else:
        modifier = _find_modifier(ob)
        if modifier is None:
            return  # the user has removed it
    for name, value in (
        (INPUT_RADIUS, site.extent.radius * site.options.point_size),
        (INPUT_MIN_CONFIDENCE, site.options.min_confidence),
        (INPUT_LEAST_VIEWS, site.options.min_views),
        (INPUT_SHOW_MOVING, site.options.show_moving),
    ):
        if get_modifier_input(modifier, name, None) is None:
            continue  # of an older recipe
        record.put_by(
            name,
            functools.partial(get_modifier_input, modifier, name, None),
            functools.partial(set_modifier_input, modifier, name),
            value,
        )


def _find_modifier(ob: Object) -> NodesModifier | None:
    for modifier in ob.modifiers:
        if modifier.type == "NODES" and modifier.node_group is not None:
            is_ours = names.PROP_STAMP in modifier.node_group
            if is_ours and modifier.node_group.name.startswith(names.NODES_POINTS):
                return modifier
    return None


def _take_over_data(known: Object, fresh: Object, site: Site) -> None:
    data = fresh.data
    bpy.data.objects.remove(fresh)
    replace_data(known, data)
    _set_modifier(known, site, is_new=False)


def _take_over_object(known: Object, fresh: Object, site: Site) -> None:
    """Put an object of the other kind in the place of one, with everything that the user added."""
    old_data, name, data_name = known.data, known.name, known.data.name
    fresh.parent, fresh.parent_type = known.parent, known.parent_type
    fresh.matrix_parent_inverse = known.matrix_parent_inverse
    fresh.matrix_basis = known.matrix_basis
    for key in known.keys():  # noqa: SIM118 - custom properties have no __iter__
        fresh[key] = known[key]
    for collection in known.users_collection:
        collection.objects.link(fresh)
    fresh.data.materials.clear()
    for material in old_data.materials:
        fresh.data.materials.append(material)
    lost = copy_modifiers(known, fresh)
    if lost:
        site.notes.append(f"{fresh.type.title()} objects cannot have {', '.join(lost)}.")
    known.user_remap(fresh)
    bpy.data.objects.remove(known)
    if not old_data.users:
        bpy.data.batch_remove([old_data])
    fresh.name, fresh.data.name = name, data_name
    _set_modifier(fresh, site, is_new=False)


def _make_mesh(
    name: str,
    reconstruction: Reconstruction,
    positions: NDArray[np.float32],
    rgba: NDArray[np.uint8],
) -> Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(positions))
    mesh.attributes["position"].data.foreach_set("vector", positions.ravel())
    colours = mesh.attributes.new(names.ATTR_COLOUR, "BYTE_COLOR", "POINT")
    fill_byte_colours(colours, rgba)
    mesh.color_attributes.active_color = mesh.color_attributes[names.ATTR_COLOUR]
    for attribute, kind, values in (
        (names.ATTR_CONFIDENCE, "FLOAT", _flatten(reconstruction.confidence, np.float32)),
        (names.ATTR_VIEW, "INT", _flatten(reconstruction.point_view, np.int32)),
        (names.ATTR_VIEW_COUNT, "INT", reconstruction.point_view_count),
        (names.ATTR_MOVING, "BOOLEAN", reconstruction.point_moving),
    ):
        if values is not None:
            mesh.attributes.new(attribute, kind, "POINT").data.foreach_set("value", values)
    mesh.update()
    return mesh


def _store_frames(mesh: Mesh, reconstruction: Reconstruction, frames: dict[str, int]) -> None:
    """Tell for each point from which frame to which the picture of its view is the latest."""
    first = np.array([frames[view.name] for view in reconstruction.views])
    rising = np.unique(first[np.unique(reconstruction.point_view)])  # of views that made points
    following = np.append(rising, rising[-1] + 1)[np.searchsorted(rising, first) + 1]
    view = reconstruction.point_view
    for attribute, values in ((names.ATTR_FRAME, first), (names.ATTR_FRAME_END, following)):
        of_points = np.ascontiguousarray(values[view], np.int32)
        mesh.attributes.new(attribute, "INT", "POINT").data.foreach_set("value", of_points)


def _make_rgba(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (M, 4) opaque."""
    rgba = np.empty((len(colours), 4), np.uint8)
    for channel in range(3):  # channel by channel: five times faster than all at once
        rgba[:, channel] = colours[:, channel]
    rgba[:, 3] = _OPAQUE
    return rgba


def _flatten(values: NDArray[np.generic], kind: type) -> NDArray[np.generic]:
    return np.ascontiguousarray(values, kind).ravel()


def _convert_to_point_cloud(context: Context, ob: Object, site: Site) -> None:
    mesh = ob.data
    collection = site.root.users_collection[0]
    collection.objects.link(ob)  # the operator needs it in the scene
    # PointCloud.resize exists from 5.1 only; the operator works alike in 4.5 and 5.2.
    with context.temp_override(
        active_object=ob, object=ob, selected_objects=[ob], selected_editable_objects=[ob]
    ):
        bpy.ops.object.convert(target="POINTCLOUD")
    collection.objects.unlink(ob)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
