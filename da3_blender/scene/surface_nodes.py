# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group that shows, of the surfaces of a whole shot, that of the current frame.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from .field_builder import FieldBuilder
from .recipes import get_geometry_nodes

if TYPE_CHECKING:
    from bpy.types import GeometryNodeTree

RECIPE: Final = "shot surface 1"


def get_surface_nodes() -> GeometryNodeTree:
    """Return the node group of this version's recipe; an older one keeps its users, renamed."""
    return get_geometry_nodes(names.NODES_SURFACE, RECIPE, _fill)


def _fill(group: GeometryNodeTree) -> None:
    new = group.interface.new_socket
    new("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    new("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    build = FieldBuilder(group)
    inputs = build.add("NodeGroupInput")
    now = build.get_output(build.add("GeometryNodeInputSceneTime"), "Frame")
    early = build.compare("LESS_THAN", now, build.read(names.ATTR_FRAME, "INT"))
    late = build.compare("GREATER_EQUAL", now, build.read(names.ATTR_FRAME_END, "INT"))
    delete = build.add(
        "GeometryNodeDeleteGeometry",
        {"Geometry": build.get_output(inputs), "Selection": build.decide("OR", early, late)},
        domain="FACE",
    )
    outputs = build.add("NodeGroupOutput")
    build.connect(outputs, 0, build.get_output(delete))
