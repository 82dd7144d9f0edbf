# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group that makes a closed surface around Gaussians.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from . import splat_inputs as inputs
from .field_builder import Field, FieldBuilder
from .recipes import get_geometry_nodes
from .splat_limits import add_limits, sort_scales

if TYPE_CHECKING:
    from bpy.types import GeometryNodeTree

RECIPE: Final = "proxy 1"
RESOLUTION: Final = "Resolution"
THICKNESS: Final = "Thickness"
SOLID_FROM: Final = "Solid From"
MATERIAL: Final = "Material"

_SPREAD: Final = 12**0.5
"""Side of an even block, in its standard deviations."""
_LEAST_CELLS: Final = 1.5
"""Smallest radius in cells: what is smaller falls between the cells of the volume."""
_LARGEST_SHARE: Final = 0.1
"""Largest radius, in sides of the cloud: time and memory grow with its cube."""
_SURFACE: Final = 0.1
"""Density at the surface, where it is 0 outside and 1 from 3 cells inside."""


def get_proxy_nodes() -> GeometryNodeTree:
    """Return the node group of this version's recipe; an older one keeps its users, renamed."""
    return get_geometry_nodes(names.NODES_PROXY, RECIPE, _fill)


def _fill(group: GeometryNodeTree) -> None:
    _add_sockets(group)
    _add_nodes(group)


def _add_sockets(group: GeometryNodeTree) -> None:
    new = group.interface.new_socket
    new("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    new("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    for name, kind, default, limits, description in (
        (RESOLUTION, "Int", 64, (4, 1024), "Cells along the longest side of most of the cloud"),
        (THICKNESS, "Float", 1.0, (0, 10), "Distance of the surface from the centres, in sizes"),
        (SOLID_FROM, "Float", 0.3, (0, 1), "Fainter Gaussians are not in the surface"),
    ):
        socket = new(name, in_out="INPUT", socket_type=f"NodeSocket{kind}")
        socket.default_value, socket.description = default, description
        socket.min_value, socket.max_value = limits
    new(MATERIAL, in_out="INPUT", socket_type="NodeSocketMaterial")
    inputs.add_sockets_of(group, (inputs.SIZE, *inputs.LIMITS))


def _add_nodes(group: GeometryNodeTree) -> None:
    build = FieldBuilder(group)
    entry = build.add("NodeGroupInput")
    given = {
        item.name: build.get_output(entry, item.name)
        for item in group.interface.items_tree
        if item.in_out == "INPUT"
    }
    opacity = build.read(names.ATTR_OPACITY, "FLOAT")
    is_solid = build.compare("GREATER_EQUAL", opacity, given[SOLID_FROM])
    keep = build.decide("AND", add_limits(build, given), is_solid)
    chosen = build.get_output(
        build.add(
            "GeometryNodeSeparateGeometry",
            {"Geometry": given["Geometry"], "Selection": keep},
            domain="POINT",
        )
    )
    side = _add_side(build, chosen)
    cell = side / given[RESOLUTION]
    _, middle, _ = sort_scales(build)
    radius = middle * given[THICKNESS] * given[inputs.SIZE]
    radius = build.compute("MINIMUM", radius, side * _LARGEST_SHARE)
    radius = build.compute("MAXIMUM", radius, cell * _LEAST_CELLS)
    points = build.add("GeometryNodeMeshToPoints", {"Mesh": chosen, "Radius": radius})
    volume = build.add("GeometryNodePointsToVolume")
    build.choose(volume, "resolution_mode", "VOXEL_SIZE", "Resolution Mode", "Size")
    for name, value in (("Points", build.get_output(points)), ("Voxel Size", cell)):
        build.connect(volume, name, value)
    # the radius of a point is an attribute of it; the node asks for it by itself
    build.connect(volume, "Radius", build.read("radius", "FLOAT"))
    surface = build.add(
        "GeometryNodeVolumeToMesh", {"Volume": build.get_output(volume), "Threshold": _SURFACE}
    )
    painted = build.add(
        "GeometryNodeSetMaterial",
        {"Geometry": build.get_output(surface), "Material": given[MATERIAL]},
    )
    build.add("NodeGroupOutput", {0: build.get_output(painted)})


def _add_side(build: FieldBuilder, geometry: Field) -> Field:
    """Return the longest side of most of the cloud; single ones far out hardly count."""
    position = build.get_output(build.add("GeometryNodeInputPosition"))
    node = build.add(
        "GeometryNodeAttributeStatistic",
        {"Geometry": geometry, "Attribute": position},
        data_type="FLOAT_VECTOR",
        domain="POINT",
    )
    x, y, z = build.split(build.get_output(node, "Standard Deviation"))
    spread = build.compute("MAXIMUM", build.compute("MAXIMUM", x, y), z)
    return build.compute("MAXIMUM", spread * _SPREAD, 1e-6)
