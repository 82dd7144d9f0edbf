# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Point objects: positions, colours and confidence in bulk, with a modifier that shows them.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..contract import names
from ..contract.cameras import to_blender_points
from .compat import set_modifier_input
from .point_material import get_point_material
from .point_nodes import INPUT_MATERIAL, INPUT_MIN_CONFIDENCE, INPUT_RADIUS, get_point_nodes

if TYPE_CHECKING:
    from bpy.types import Context, Mesh, Object
    from numpy.typing import NDArray

    from .build_options import BuildOptions
    from .extent import Extent
    from .reconstruction import Reconstruction

_OPAQUE: Final = 255


def make_points(
    context: Context,
    reconstruction: Reconstruction,
    options: BuildOptions,
    extent: Extent,
    root: Object,
) -> Object:
    """Make the cloud: a mesh of vertices, or a native point cloud, below the root."""
    mesh = _make_mesh(f"{reconstruction.name} points", reconstruction)
    ob = bpy.data.objects.new(mesh.name, mesh)
    ob.parent = root
    ob[names.PROP_ROLE] = names.ROLE_POINTS
    root.users_collection[0].objects.link(ob)
    if options.point_display == "POINTCLOUD":
        _convert_to_point_cloud(context, ob)
    material = get_point_material()
    ob.data.materials.append(material)
    modifier = ob.modifiers.new(names.NODES_POINTS, "NODES")
    modifier.node_group = get_point_nodes()
    set_modifier_input(modifier, INPUT_RADIUS, extent.radius * options.point_size)
    set_modifier_input(modifier, INPUT_MIN_CONFIDENCE, options.min_confidence)
    set_modifier_input(modifier, INPUT_MATERIAL, material)
    return ob


def _make_mesh(name: str, reconstruction: Reconstruction) -> Mesh:
    positions = to_blender_points(reconstruction.points)  # (M, 3)
    count = len(positions)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(count)
    mesh.attributes["position"].data.foreach_set("vector", _flatten(positions, np.float32))
    colours = mesh.attributes.new(names.ATTR_COLOUR, "BYTE_COLOR", "POINT")
    colours.data.foreach_set("color_srgb", _make_rgba(reconstruction.colours).ravel())
    mesh.color_attributes.active_color = mesh.color_attributes[names.ATTR_COLOUR]
    for attribute, kind, values in (
        (names.ATTR_CONFIDENCE, "FLOAT", _flatten(reconstruction.confidence, np.float32)),
        (names.ATTR_VIEW, "INT", _flatten(reconstruction.point_view, np.int32)),
    ):
        mesh.attributes.new(attribute, kind, "POINT").data.foreach_set("value", values)
    mesh.update()
    return mesh


def _make_rgba(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (M, 4) float32 in 0..1, still sRGB: `color_srgb` gives the same bytes back."""
    rgba = np.full((len(colours), 4), _OPAQUE, np.uint8)
    rgba[:, :3] = colours
    return rgba / np.float32(_OPAQUE)


def _flatten(values: NDArray[np.generic], kind: type) -> NDArray[np.generic]:
    return np.ascontiguousarray(values, kind).ravel()


def _convert_to_point_cloud(context: Context, ob: Object) -> None:
    mesh = ob.data
    # PointCloud.resize exists from 5.1 only; the operator works alike in 4.5 and 5.2.
    with context.temp_override(
        active_object=ob, object=ob, selected_objects=[ob], selected_editable_objects=[ob]
    ):
        bpy.ops.object.convert(target="POINTCLOUD")
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
