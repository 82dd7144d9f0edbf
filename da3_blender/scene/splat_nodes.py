# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group that renders Gaussians: one quad each, in the plane of the picture.

Runs in Blender. A Gaussian seen by a camera is, to first order, a flat Gaussian in the plane
through its centre parallel to the picture (EWA splatting). That plane is seen without distortion,
so a quad in it with exp(-r^2 / 2) is exactly what 3D Gaussian Splatting draws, and its depth is
that of the centre, which is the order in which 3D Gaussian Splatting blends.

Everything is computed in the camera's space and brought back with the inverse of the object's
transform, so that any transform of the object gives the right picture. In the viewport the group
gives the edges of the bounding box: `splat_drawing.py` draws there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from . import splat_inputs as inputs
from .field_builder import Field, FieldBuilder
from .recipes import get_geometry_nodes
from .splat_colour import add_colour
from .splat_limits import add_limits
from .splat_material import ATTR_LOOK, ATTR_PLACE

if TYPE_CHECKING:
    from bpy.types import GeometryNodeTree

RECIPE: Final = "splats 3"
SLOPE_LIMIT: Final = 1.3
"""How far beyond the picture's edges, in halves of its size, the projection is followed: farther
out its derivative explodes, and 3D Gaussian Splatting limits it likewise."""
_NEAREST: Final = 1e-4
_AXES: Final = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_ACROSS, _ALONG = "da3_across", "da3_along"


def get_splat_nodes() -> GeometryNodeTree:
    """Return the node group of this version's recipe; an older one keeps its users, renamed."""
    return get_geometry_nodes(names.NODES_SPLATS, RECIPE, _fill)


def _fill(group: GeometryNodeTree) -> None:
    inputs.add_sockets(group)
    _add_nodes(group)


def _add_nodes(group: GeometryNodeTree) -> None:
    build = FieldBuilder(group)
    entry = build.add("NodeGroupInput")
    given = {item.name: build.get_output(entry, item.name) for item in inputs.INPUTS}
    geometry = build.get_output(entry, "Geometry")
    camera = build.get_output(build.add("GeometryNodeInputActiveCamera"))
    object_info = build.add(
        "GeometryNodeObjectInfo", {"Object": camera}, transform_space="RELATIVE"
    )
    object_from_camera = build.get_output(object_info, "Transform")
    inverse = build.add("FunctionNodeInvertMatrix", {0: object_from_camera})
    camera_from_object = build.get_output(inverse)
    centre, size = _add_place(build, camera_from_object)
    quads = _add_choice(build, geometry, given, centre)
    quads = add_colour(build, quads, given, build.get_output(object_info, "Location"))
    quads = _add_shapes(build, quads, given, (camera, object_from_camera, camera_from_object), size)
    quads = build.remove(quads, "sh_*")
    for name in (names.ATTR_SCALE, names.ATTR_ROTATION, names.ATTR_OPACITY, names.ATTR_RANK):
        quads = build.remove(quads, name)
    quads = _add_sorting(build, quads, given, centre)
    quads = _add_quads(build, quads, given)
    outline = build.get_output(build.add("GeometryNodeBoundBox", {"Geometry": geometry}))
    edges = build.add(
        "GeometryNodeDeleteGeometry", {"Geometry": outline}, domain="FACE", mode="ONLY_FACE"
    )
    in_viewport = build.get_output(build.add("GeometryNodeIsViewport"))
    hides = build.decide("AND", in_viewport, build.compute("SUBTRACT", 1.0, given[inputs.DRAWN]))
    result = build.switch("GEOMETRY", hides, quads, build.get_output(edges))
    build.add("NodeGroupOutput", {0: result})


def _add_place(build: FieldBuilder, camera_from_object: Field) -> tuple[Field, Field]:
    """Return the centre in the camera's space and the scales."""
    position = build.get_output(build.add("GeometryNodeInputPosition"))
    node = build.add("FunctionNodeTransformPoint", {0: position, 1: camera_from_object})
    return build.get_output(node), build.read(names.ATTR_SCALE, "FLOAT_VECTOR")


def _add_choice(
    build: FieldBuilder, geometry: Field, given: dict[str, Field], centre: Field
) -> Field:
    """Keep what lies in front of the camera and within the limits."""
    _, _, depth = build.split(centre)
    is_before = build.compare("LESS_THAN", depth, -_NEAREST)
    keep = build.decide("AND", is_before, add_limits(build, given))
    chosen = build.add(
        "GeometryNodeSeparateGeometry", {"Geometry": geometry, "Selection": keep}, domain="POINT"
    )
    return build.get_output(chosen)


def _add_shapes(
    build: FieldBuilder,
    geometry: Field,
    given: dict[str, Field],
    cameras: tuple[Field, Field, Field],
    scales: Field,
) -> Field:
    """Store the two sides of each quad, object space, and what its material needs."""
    camera, object_from_camera, camera_from_object = cameras
    centre, _ = _add_place(build, camera_from_object)
    x, y, z = build.split(centre)
    grown = build.compute("MINIMUM", given[inputs.LOOK] * 2.0, 1.0)
    softness = build.compute("MAXIMUM", given[inputs.LOOK] * 2.0 - 1.0, 0.0)
    full = build.compute_vector("SCALE", scales, given[inputs.SIZE])
    point = build.join(*(given[inputs.POINT_SIZE],) * 3)
    mix = build.add("ShaderNodeMix", data_type="VECTOR")
    for place, value in enumerate((grown, point, full)):
        build.connect(mix, place, value)
    lengths = build.split(build.get_output(mix))
    info = build.add("GeometryNodeCameraInfo", {0: camera})
    is_parallel = build.get_output(info, "Is Orthographic")
    # a step in depth moves the picture sideways by where it is seen: x / depth, y / depth
    matrix = build.add(
        "FunctionNodeSeparateMatrix", {0: build.get_output(info, "Projection Matrix")}
    )
    slopes = []
    for place, name in ((x, "Column 1 Row 1"), (y, "Column 2 Row 2")):
        limit = build.compute("DIVIDE", SLOPE_LIMIT, build.get_output(matrix, name))
        slope = build.compute("MINIMUM", place / (-z), limit)
        slope = build.compute("MAXIMUM", slope, -limit)
        slopes.append(build.switch("FLOAT", is_parallel, slope, 0.0))
    xx, xy, yy = _add_covariance(build, lengths, camera_from_object, slopes)
    pixel = _add_pixel(build, build.get_output(matrix), given, z, is_parallel)
    extra = pixel * pixel * given[inputs.FILTER] * grown
    xx, yy = xx + extra, yy + extra
    # any root of the matrix will do: the quad is a parallelogram around the ellipse
    root_xx = build.compute("SQRT", xx)
    root_xy = xy / root_xx
    root_yy = build.compute("SQRT", build.compute("MAXIMUM", yy - root_xy * root_xy, 1e-24))
    opacity = build.read(names.ATTR_OPACITY, "FLOAT")
    reach = build.compute(
        "SQRT", build.compute("LOGARITHM", opacity * 255.0, 2.718281828459045) * 2.0
    )
    reach = build.compute("MAXIMUM", reach * softness, 1.0)
    reach = build.switch("FLOAT", build.compare("GREATER_THAN", softness, 0.0), 1.0, reach)
    for name, side in (
        (_ACROSS, build.join(root_xx * reach, root_xy * reach, 0.0)),
        (_ALONG, build.join(0.0, root_yy * reach, 0.0)),
    ):
        node = build.add("FunctionNodeTransformDirection", {0: side, 1: object_from_camera})
        geometry = build.store(geometry, name, "FLOAT_VECTOR", build.get_output(node), "POINT")
    look = build.join(reach, opacity, softness)
    return build.store(geometry, ATTR_LOOK, "FLOAT_VECTOR", look, "POINT")


def _add_covariance(
    build: FieldBuilder,
    lengths: tuple[Field, Field, Field],
    camera_from_object: Field,
    slopes: list[Field],
) -> tuple[Field, Field, Field]:
    """Return the covariance in the plane of the picture: xx, xy, yy."""
    rotation = build.read(names.ATTR_ROTATION, "QUATERNION")
    total: list[Field] | None = None
    for axis, length in zip(_AXES, lengths, strict=True):
        turned = build.add("FunctionNodeRotateVector", {0: axis, 1: rotation})
        long = build.compute_vector("SCALE", build.get_output(turned), length)
        seen = build.add("FunctionNodeTransformDirection", {0: long, 1: camera_from_object})
        x, y, z = build.split(build.get_output(seen))
        x, y = x + slopes[0] * z, y + slopes[1] * z
        part = [x * x, x * y, y * y]
        total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
    return tuple(total)


def _add_pixel(
    build: FieldBuilder, m00: Field, given: dict[str, Field], z: Field, is_parallel: Field
) -> Field:
    """Return the size of a pixel at the depth of each Gaussian, camera units."""
    # width of the picture at depth 1: 2 / m00
    unit = build.compute("DIVIDE", 2.0, m00 * given[inputs.RENDER_WIDTH])
    return build.switch("FLOAT", is_parallel, unit * (-z), unit)


def _add_sorting(
    build: FieldBuilder, geometry: Field, given: dict[str, Field], centre: Field
) -> Field:
    """Put the farthest first: EEVEE blends triangles in their order."""
    _, _, z = build.split(centre)
    ordered = build.add("GeometryNodeSortElements", {"Geometry": geometry}, domain="POINT")
    build.connect(ordered, "Sort Weight", z)
    return build.switch("GEOMETRY", given[inputs.SORTED], geometry, build.get_output(ordered))


def _add_quads(build: FieldBuilder, geometry: Field, given: dict[str, Field]) -> Field:
    """Make one quad of each point."""
    grid = build.get_output(
        build.add(
            "GeometryNodeMeshGrid",
            {"Size X": 2.0, "Size Y": 2.0, "Vertices X": 2, "Vertices Y": 2},
        )
    )
    corner = build.get_output(build.add("GeometryNodeInputPosition"))
    grid = build.store(grid, ATTR_PLACE, "FLOAT_VECTOR", corner, "POINT")
    made = build.get_output(
        build.add("GeometryNodeInstanceOnPoints", {"Points": geometry, "Instance": grid})
    )
    place = build.get_output(build.add("GeometryNodeInputPosition"))
    across, along = (build.read(name, "FLOAT_VECTOR") for name in (_ACROSS, _ALONG))
    upright = build.compute_vector("CROSS_PRODUCT", across, along)
    columns = [
        part
        for column, last in ((across, 0.0), (along, 0.0), (upright, 0.0), (place, 1.0))
        for part in (*build.split(column), last)
    ]
    matrix = build.get_output(build.add("FunctionNodeCombineMatrix", dict(enumerate(columns))))
    made = build.get_output(
        build.add("GeometryNodeSetInstanceTransform", {"Instances": made, "Transform": matrix})
    )
    for name in (_ACROSS, _ALONG):
        made = build.remove(made, name)
    flat = build.get_output(build.add("GeometryNodeRealizeInstances", {"Geometry": made}))
    painted = build.add(
        "GeometryNodeSetMaterial", {"Geometry": flat, "Material": given[inputs.MATERIAL]}
    )
    return build.get_output(painted)
