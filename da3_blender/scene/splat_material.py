# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The material of splats: the colour that the nodes computed, fading like a Gaussian.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from ..contract import names
from .compat import get_material_nodes

if TYPE_CHECKING:
    from bpy.types import Material, Node, NodeSocket, NodeTree

RECIPE: Final = "splats 1"
ATTR_PLACE: Final = "da3_place"  # on the quad: -1 to 1
ATTR_LOOK: Final = "da3_look"  # reach in standard deviations, opacity, softness
ATTR_SHADE: Final = "da3_shade"  # colour as it is emitted
_LARGEST_ALPHA: Final = 0.99
_LEAST_ALPHA: Final = 1 / 255


def get_splat_material() -> Material:
    """Return the material of this version's recipe; an older one keeps its users, renamed."""
    for material in bpy.data.materials:
        if material.library is None and material.get(names.PROP_STAMP) == RECIPE:
            return material
    older = bpy.data.materials.get(names.MATERIAL_SPLATS)
    if older is not None and names.PROP_STAMP in older:
        older.name = f"{names.MATERIAL_SPLATS} (recipe {older[names.PROP_STAMP]})"
    material = bpy.data.materials.new(names.MATERIAL_SPLATS)
    tree = get_material_nodes(material)
    tree.nodes.clear()
    _add_nodes(tree)
    # quads come sorted, the farthest first: EEVEE blends them in their order, without noise
    material.surface_render_method = "BLENDED"
    material.use_transparency_overlap = True
    material.use_transparent_shadow = False
    material[names.PROP_STAMP] = RECIPE
    return material


def _add_nodes(tree: NodeTree) -> None:
    place, look, shade = (
        tree.nodes.new("ShaderNodeAttribute") for _ in (ATTR_PLACE, ATTR_LOOK, ATTR_SHADE)
    )
    for row, (node, name) in enumerate(
        ((place, ATTR_PLACE), (look, ATTR_LOOK), (shade, ATTR_SHADE))
    ):
        node.attribute_name = name
        node.location = (0, -200 * row)
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(look.outputs["Vector"], parts.inputs[0])
    reach, opacity, softness = parts.outputs
    squared = tree.nodes.new("ShaderNodeVectorMath")
    squared.operation = "DOT_PRODUCT"
    for socket in squared.inputs[:2]:
        tree.links.new(place.outputs["Vector"], socket)
    radius = _math(
        tree, "MULTIPLY", squared.outputs["Value"], _math(tree, "MULTIPLY", reach, reach)
    )
    fading = _math(tree, "EXPONENT", _math(tree, "MULTIPLY", radius, -0.5))
    soft = _math(tree, "MINIMUM", _math(tree, "MULTIPLY", fading, opacity), _LARGEST_ALPHA)
    hard = _math(tree, "LESS_THAN", radius, 1.0)
    alpha = _math(tree, "MULTIPLY_ADD", softness, _math(tree, "SUBTRACT", soft, hard), hard)
    shown = _math(tree, "GREATER_THAN", alpha, _LEAST_ALPHA)
    alpha = _math(tree, "MULTIPLY", alpha, shown)
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    light = tree.nodes.new("ShaderNodeEmission")
    mix = tree.nodes.new("ShaderNodeMixShader")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(shade.outputs["Vector"], light.inputs["Color"])
    tree.links.new(alpha, mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(light.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    for column, node in enumerate((light, clear, mix, output)):
        node.location = (1600 + 200 * column, 0)


def _math(tree: NodeTree, operation: str, *values: NodeSocket | float) -> NodeSocket:
    node: Node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    node.location = (200 * (len(tree.nodes) - 3), -100 * (len(tree.nodes) % 3))
    for socket, value in zip(node.inputs, values, strict=False):
        if isinstance(value, float):
            socket.default_value = value
        else:
            tree.links.new(value, socket)
    return node.outputs[0]
