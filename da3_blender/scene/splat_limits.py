# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that tell which Gaussians are within the limits, for renders and proxies alike.

Runs in Blender. The same rules for arrays are in `splat_sorting.choose_shown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract import names
from . import splat_inputs as inputs

if TYPE_CHECKING:
    from .field_builder import Field, FieldBuilder

LEAST_ALPHA: Final = 1 / 255
"""What is fainter is cut off, as in 3D Gaussian Splatting."""


def add_limits(build: FieldBuilder, given: dict[str, Field]) -> Field:
    """Return what is true for the Gaussians within the limits and the crop box.

    Args:
        build: of the group.
        given: at least the inputs of `splat_inputs.LIMITS`.
    """
    opacity = build.read(names.ATTR_OPACITY, "FLOAT")
    least = build.compute("MAXIMUM", given[inputs.LEAST_OPACITY], LEAST_ALPHA)
    keep = build.compare("GREATER_EQUAL", opacity, least)
    for name, kind, limit, comparison in (
        (names.ATTR_CONFIDENCE, "FLOAT", inputs.LEAST_CONFIDENCE, "LESS_THAN"),
        (names.ATTR_BORDER, "FLOAT", inputs.TRIM_BORDER, "LESS_THAN"),
        (names.ATTR_FAR, "FLOAT", inputs.TRIM_FAR, "GREATER_THAN"),
        (names.ATTR_NEIGHBOURS, "INT", inputs.LEAST_NEIGHBOURS, "LESS_THAN"),
    ):
        node = build.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
        is_over = build.compare(comparison, build.get_output(node), given[limit])
        # where the attribute is missing nothing is hidden
        is_over = build.decide("AND", is_over, build.get_output(node, "Exists"))
        keep = build.decide("NIMPLY", keep, is_over)
    largest, middle, _ = sort_scales(build)
    stretch = largest / build.compute("MAXIMUM", middle, 1e-12)
    for value, limit, comparison in (
        (build.read(names.ATTR_RANK, "INT"), given[inputs.BUDGET], "GREATER_EQUAL"),
        (largest, given[inputs.LARGEST_SIZE], "GREATER_THAN"),
        (stretch, given[inputs.LARGEST_STRETCH], "GREATER_THAN"),
    ):
        has_limit = build.compare("GREATER_THAN", limit, 0.0)
        is_over = build.decide("AND", has_limit, build.compare(comparison, value, limit))
        keep = build.decide("NIMPLY", keep, is_over)
    return build.decide("NIMPLY", keep, _add_crop(build, given))


def sort_scales(build: FieldBuilder) -> tuple[Field, Field, Field]:
    """Return the largest, the middle and the smallest scale."""
    x, y, z = build.split(build.read(names.ATTR_SCALE, "FLOAT_VECTOR"))
    largest = build.compute("MAXIMUM", build.compute("MAXIMUM", x, y), z)
    smallest = build.compute("MINIMUM", build.compute("MINIMUM", x, y), z)
    return largest, x + y + z - largest - smallest, smallest


def _add_crop(build: FieldBuilder, given: dict[str, Field]) -> Field:
    """Tell what lies outside of the crop box, where there is one."""
    info = build.add(
        "GeometryNodeObjectInfo", {"Object": given[inputs.CROP_BOX]}, transform_space="RELATIVE"
    )
    inverse = build.add("FunctionNodeInvertMatrix", {0: build.get_output(info, "Transform")})
    position = build.get_output(build.add("GeometryNodeInputPosition"))
    inside = build.add("FunctionNodeTransformPoint", {0: position, 1: build.get_output(inverse)})
    parts = build.split(build.compute_vector("ABSOLUTE", build.get_output(inside)))
    farthest = build.compute("MAXIMUM", build.compute("MAXIMUM", parts[0], parts[1]), parts[2])
    is_out = build.compare("GREATER_THAN", farthest, 1.0)
    # without an object its scale is 0 and its transform does nothing
    size = build.compute_vector("LENGTH", build.get_output(info, "Scale"))
    has_box = build.decide(
        "AND", build.compare("GREATER_THAN", size, 0.0), build.get_output(inverse, "Invertible")
    )
    return build.decide("AND", build.decide("AND", given[inputs.CROP], has_box), is_out)
