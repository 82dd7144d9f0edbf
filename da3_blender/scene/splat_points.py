# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of what shows of a splat object, beside it.

Runs in Blender. Modifier and material are those of the points of a reconstruction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..splats.harmonics import coefficient_to_colour
from ..splats.recolour import build_colour_matrix
from . import splat_inputs as inputs
from .byte_colours import fill_byte_colours
from .compat import set_modifier_input
from .point_material import get_point_material
from .point_nodes import INPUT_MATERIAL, INPUT_RADIUS, get_point_nodes
from .splat_files import find_shown
from .splat_object import read_splat_mesh

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from numpy.typing import NDArray

    from ..splats.cloud import GaussianCloud


def add_points(context: Context, ob: Object) -> Object:
    """Make points of the Gaussians that show, in the colours that they have from all sides.

    Args:
        context: where the object is linked if the splats are nowhere.
        ob: splats; they stay as they are.

    Returns:
        A new object at the same place, that does not follow the splats.

    Raises:
        EngineError: INPUT_EMPTY, nothing shows; INPUT_MISMATCH, an attribute was removed.
    """
    settings = inputs.read_inputs(ob)
    cloud = read_splat_mesh(ob.data, 0).take(find_shown(ob))
    if cloud.count == 0:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"No Gaussian of {ob.name} is within its limits.",
            "Loosen the limits or move the crop box, then try again.",
        )
    mesh = bpy.data.meshes.new(f"{ob.name} points")
    mesh.vertices.add(cloud.count)
    mesh.attributes["position"].data.foreach_set("vector", cloud.positions.ravel())
    colours = mesh.attributes.new(names.ATTR_COLOUR, "BYTE_COLOR", "POINT")
    matrix = build_colour_matrix(
        settings[inputs.TINT], settings[inputs.SATURATION], settings[inputs.BRIGHTNESS]
    )
    fill_byte_colours(colours, _make_rgba(cloud, matrix))
    mesh.color_attributes.active_color = mesh.color_attributes[names.ATTR_COLOUR]
    for name, kind, values in (
        (names.ATTR_CONFIDENCE, "FLOAT", cloud.confidence),
        (names.ATTR_VIEW, "INT", cloud.views),
    ):
        if values is not None:
            mesh.attributes.new(name, kind, "POINT").data.foreach_set("value", values)
    mesh.update()
    mesh.materials.append(get_point_material())
    points = bpy.data.objects.new(mesh.name, mesh)
    points[names.PROP_ROLE] = names.ROLE_POINTS
    # not below the splats: a rebuild of their reconstruction would take it for its own points
    points.matrix_world = ob.matrix_world
    next(iter(ob.users_collection), context.scene.collection).objects.link(points)
    modifier = points.modifiers.new(names.NODES_POINTS, "NODES")
    modifier.node_group = get_point_nodes()
    set_modifier_input(modifier, INPUT_MATERIAL, mesh.materials[0])
    set_modifier_input(modifier, INPUT_RADIUS, settings[inputs.POINT_SIZE])
    return points


def _make_rgba(cloud: GaussianCloud, matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return (G, 4) sRGB, opaque."""
    colour = coefficient_to_colour(cloud.harmonics[:, :, 0]) @ matrix.T
    rgba = np.full((cloud.count, 4), 255, np.uint8)
    rgba[:, :3] = np.rint(np.clip(colour, 0, 1) * 255)
    return rgba
