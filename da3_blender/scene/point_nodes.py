# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group that turns vertices into points with a radius, a threshold and a material.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from .recipes import get_geometry_nodes

if TYPE_CHECKING:
    from bpy.types import GeometryNodeTree, Node, NodeSocket

RECIPE: Final = 1
INPUT_RADIUS: Final = "Radius"
INPUT_MIN_CONFIDENCE: Final = "Min Confidence"
INPUT_MATERIAL: Final = "Material"


def get_point_nodes() -> GeometryNodeTree:
    """Return the node group of this version's recipe; an older one keeps its users, renamed."""
    return get_geometry_nodes(names.NODES_POINTS, RECIPE, _fill)


def _fill(group: GeometryNodeTree) -> None:
    _add_sockets(group)
    _add_nodes(group)


def _add_sockets(group: GeometryNodeTree) -> None:
    new = group.interface.new_socket
    new("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    new("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    radius = new(INPUT_RADIUS, in_out="INPUT", socket_type="NodeSocketFloat")
    radius.subtype = "DISTANCE"
    radius.min_value = 0.0
    radius.default_value = 0.01
    radius.description = "Radius of each point"
    least = new(INPUT_MIN_CONFIDENCE, in_out="INPUT", socket_type="NodeSocketFloat")
    least.default_value = 0.0
    least.description = "Points that are less confident are hidden"
    material = new(INPUT_MATERIAL, in_out="INPUT", socket_type="NodeSocketMaterial")
    material.description = "Material of the points"


def _add_nodes(group: GeometryNodeTree) -> None:
    """Vertices become points, native points keep being points; then threshold and material."""
    inputs = _add(group, "NodeGroupInput", 0, 0)
    parts = _add(group, "GeometryNodeSeparateComponents", 1, 0)
    from_mesh = _add(group, "GeometryNodeMeshToPoints", 2, 1)
    native = _add(group, "GeometryNodeSetPointRadius", 2, -1)
    join = _add(group, "GeometryNodeJoinGeometry", 3, 0)
    confidence = _add(group, "GeometryNodeInputNamedAttribute", 3, -2)
    confidence.data_type = "FLOAT"
    confidence.inputs["Name"].default_value = names.ATTR_CONFIDENCE
    less = _add(group, "FunctionNodeCompare", 4, -2)
    less.data_type, less.operation = "FLOAT", "LESS_THAN"
    # Where the attribute was removed nothing is hidden.
    both = _add(group, "FunctionNodeBooleanMath", 5, -2)
    both.operation = "AND"
    delete = _add(group, "GeometryNodeDeleteGeometry", 6, 0)
    delete.domain = "POINT"
    paint = _add(group, "GeometryNodeSetMaterial", 7, 0)
    outputs = _add(group, "NodeGroupOutput", 8, 0)
    for source, target in (
        (inputs.outputs["Geometry"], parts.inputs[0]),
        (parts.outputs["Mesh"], from_mesh.inputs["Mesh"]),
        (parts.outputs["Point Cloud"], native.inputs["Points"]),
        (inputs.outputs[INPUT_RADIUS], from_mesh.inputs["Radius"]),
        (inputs.outputs[INPUT_RADIUS], native.inputs["Radius"]),
        (from_mesh.outputs[0], join.inputs[0]),
        (native.outputs[0], join.inputs[0]),
        (confidence.outputs["Attribute"], _get_float(less, 0)),
        (inputs.outputs[INPUT_MIN_CONFIDENCE], _get_float(less, 1)),
        (less.outputs[0], both.inputs[0]),
        (confidence.outputs["Exists"], both.inputs[1]),
        (join.outputs[0], delete.inputs["Geometry"]),
        (both.outputs[0], delete.inputs["Selection"]),
        (delete.outputs[0], paint.inputs["Geometry"]),
        (inputs.outputs[INPUT_MATERIAL], paint.inputs["Material"]),
        (paint.outputs[0], outputs.inputs[0]),
    ):
        group.links.new(source, target)


def _add(group: GeometryNodeTree, kind: str, column: int, row: int) -> Node:
    node = group.nodes.new(kind)
    node.location = (190 * column, 130 * row)
    return node


def _get_float(compare: Node, index: int) -> NodeSocket:
    return [socket for socket in compare.inputs if socket.type == "VALUE"][index]
