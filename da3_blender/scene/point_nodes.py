# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group that turns vertices into points with a radius, a threshold and a material.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from .field_builder import Field, FieldBuilder
from .recipes import get_geometry_nodes

if TYPE_CHECKING:
    from bpy.types import GeometryNodeTree

RECIPE: Final = 2
INPUT_RADIUS: Final = "Radius"
INPUT_MIN_CONFIDENCE: Final = "Min Confidence"
INPUT_LEAST_VIEWS: Final = "Fewest Views"
INPUT_SHOW_MOVING: Final = "Show Moving"
INPUT_AT_FRAME: Final = "Moving at Its Frame"
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
    views = new(INPUT_LEAST_VIEWS, in_out="INPUT", socket_type="NodeSocketInt")
    views.min_value, views.max_value, views.default_value = 1, 25, 1
    views.description = "Points on which fewer views agree are hidden"
    moving = new(INPUT_SHOW_MOVING, in_out="INPUT", socket_type="NodeSocketBool")
    moving.default_value = False
    moving.description = "Show what moved through the scene"
    at_frame = new(INPUT_AT_FRAME, in_out="INPUT", socket_type="NodeSocketBool")
    at_frame.default_value = True
    at_frame.description = "What moved shows only while its frame is the current one"
    material = new(INPUT_MATERIAL, in_out="INPUT", socket_type="NodeSocketMaterial")
    material.description = "Material of the points"


def _add_nodes(group: GeometryNodeTree) -> None:
    """Vertices become points, native points keep being points; then limits and material."""
    build = FieldBuilder(group)
    inputs = build.add("NodeGroupInput")
    given = {socket.name: Field(build, socket) for socket in inputs.outputs if socket.name}
    parts = build.add("GeometryNodeSeparateComponents", {0: given["Geometry"]})
    from_mesh = build.add(
        "GeometryNodeMeshToPoints",
        {"Mesh": build.get_output(parts, "Mesh"), "Radius": given[INPUT_RADIUS]},
    )
    native = build.add(
        "GeometryNodeSetPointRadius",
        {"Points": build.get_output(parts, "Point Cloud"), "Radius": given[INPUT_RADIUS]},
    )
    join = build.add("GeometryNodeJoinGeometry", {0: build.get_output(from_mesh)})
    build.connect(join, 0, build.get_output(native))
    delete = build.add(
        "GeometryNodeDeleteGeometry",
        {"Geometry": build.get_output(join), "Selection": _add_limits(build, given)},
        domain="POINT",
    )
    paint = build.add(
        "GeometryNodeSetMaterial",
        {"Geometry": build.get_output(delete), "Material": given[INPUT_MATERIAL]},
    )
    outputs = build.add("NodeGroupOutput")
    build.connect(outputs, 0, build.get_output(paint))


def _add_limits(build: FieldBuilder, given: dict[str, Field]) -> Field:
    """Return what is true for the points that are hidden; missing attributes hide nothing.

    The same rules for arrays are in `point_drawing.choose_shown`.
    """
    hidden = build.decide(
        "OR",
        _is_below(build, names.ATTR_CONFIDENCE, "FLOAT", given[INPUT_MIN_CONFIDENCE]),
        _is_below(build, names.ATTR_VIEW_COUNT, "INT", given[INPUT_LEAST_VIEWS]),
    )
    now = build.get_output(build.add("GeometryNodeInputSceneTime"), "Frame")
    end = build.add(
        "GeometryNodeInputNamedAttribute", {"Name": names.ATTR_FRAME_END}, data_type="INT"
    )
    early = build.compare("LESS_THAN", now, build.read(names.ATTR_FRAME, "INT"))
    late = build.compare("GREATER_EQUAL", now, build.get_output(end))
    elsewhen = build.decide("OR", early, late)
    elsewhen = build.decide("AND", elsewhen, build.get_output(end, "Exists"))
    elsewhen = build.decide("AND", elsewhen, given[INPUT_AT_FRAME])
    shown = build.decide("NIMPLY", given[INPUT_SHOW_MOVING], elsewhen)
    moving = build.decide("NIMPLY", build.read(names.ATTR_MOVING, "BOOLEAN"), shown)
    return build.decide("OR", hidden, moving)


def _is_below(build: FieldBuilder, name: str, kind: str, limit: Field) -> Field:
    node = build.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
    below = build.compare("LESS_THAN", build.get_output(node), limit)
    return build.decide("AND", below, build.get_output(node, "Exists"))
