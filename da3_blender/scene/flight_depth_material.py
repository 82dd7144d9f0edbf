# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A material that shows everything as its distance: grey on a logarithmic scale, near is white.

Runs in Blender. As the override of a view layer it makes a depth video of any render engine,
without the compositor, whose interface differs between Blender's versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..contract import names
from .compat import get_material_nodes

if TYPE_CHECKING:
    from bpy.types import Material

RECIPE: Final = "depth 1"
_LEAST_RANGE: Final = 1.001  # a flat scene still needs a far and a near end


def get_depth_material(near: float, far: float) -> Material:
    """Return the material with its ends set.

    Args:
        near: depth along the viewing axis that is white, world units.
        far: depth that is black.
    """
    near = max(near, 1e-9)
    far = max(far, near * _LEAST_RANGE)
    material = next((m for m in bpy.data.materials if m.get(names.PROP_STAMP) == RECIPE), None)
    if material is None or material.library is not None:
        material = bpy.data.materials.new(names.MATERIAL_DEPTH)
        material[names.PROP_STAMP] = RECIPE
    tree = get_material_nodes(material)
    tree.nodes.clear()
    camera = tree.nodes.new("ShaderNodeCameraData")
    logarithm = tree.nodes.new("ShaderNodeMath")
    logarithm.operation = "LOGARITHM"
    logarithm.inputs[1].default_value = np.e
    ends = tree.nodes.new("ShaderNodeMapRange")
    for name, value in (
        ("From Min", np.log(far)),
        ("From Max", np.log(near)),
        ("To Min", 0.0),
        ("To Max", 1.0),
    ):
        ends.inputs[name].default_value = float(value)
    light = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(camera.outputs["View Z Depth"], logarithm.inputs[0])
    tree.links.new(logarithm.outputs[0], ends.inputs["Value"])
    tree.links.new(ends.outputs["Result"], light.inputs["Color"])
    tree.links.new(light.outputs[0], output.inputs["Surface"])
    for column, node in enumerate((camera, logarithm, ends, light, output)):
        node.location = (200 * column, 0)
    return material
