# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The material that shows the colours of points unlit, as they are in the photos.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from ..contract import names
from .compat import get_material_nodes

if TYPE_CHECKING:
    from bpy.types import Material

RECIPE: Final = 1


def get_point_material() -> Material:
    """Return the material of this version's recipe; an older one keeps its users, renamed."""
    for material in bpy.data.materials:
        is_ours = material.library is None and material.get(names.PROP_STAMP) == RECIPE
        if is_ours and names.PROP_IMAGE not in material:
            return material
    older = bpy.data.materials.get(names.MATERIAL_POINTS)
    if older is not None and names.PROP_STAMP in older:
        older.name = f"{names.MATERIAL_POINTS} (recipe {older[names.PROP_STAMP]})"
    material = bpy.data.materials.new(names.MATERIAL_POINTS)
    tree = get_material_nodes(material)
    tree.nodes.clear()
    attribute = tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = names.ATTR_COLOUR
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    for place, node in enumerate((attribute, emission, output)):
        node.location = (220 * place, 0)
    tree.links.new(attribute.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    material[names.PROP_STAMP] = RECIPE
    return material
