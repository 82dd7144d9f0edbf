# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The materials: one recipe, a few sets of numbers.

Runs under the bpy wheel.
"""

from __future__ import annotations

from typing import NamedTuple

import bpy

Socket = bpy.types.NodeSocket


class Surface(NamedTuple):
    """How a material varies around the tint of its mesh.

    Attributes:
        stretch: Texture cycles per metre along the grain and in the two directions across it.
        contrast: Strength of the coarse pattern, 0 to 1.
        speckle: Strength of the fine pattern, ten times smaller, 0 to 1.
        bump: Depth of the unevenness, metres.
        roughness: Of the reflection.
        metallic: 0 or 1.
        stain: Scene-linear colour of lichen, rust or dirt.
        stained: Share of the surface that is stained, about 0 to 1.
        translucent: Share of the light that comes through, for leaves.
    """

    stretch: tuple[float, float, float]
    contrast: float
    speckle: float
    bump: float
    roughness: float
    stain: tuple[float, float, float]
    stained: float
    metallic: float = 0.0
    translucent: float = 0.0


SURFACES = {
    "stone": Surface((9, 9, 9), 0.52, 0.5, 0.006, 0.92, (0.42, 0.38, 0.22), 0.3),
    "wood": Surface((3, 45, 45), 0.5, 0.35, 0.003, 0.75, (0.05, 0.035, 0.025), 0.25),
    "paint": Surface((4, 22, 22), 0.25, 0.3, 0.002, 0.6, (0.32, 0.22, 0.14), 0.33),
    "clay": Surface((14, 14, 14), 0.3, 0.35, 0.002, 0.9, (0.62, 0.5, 0.4), 0.32),
    "iron": Surface((25, 25, 25), 0.4, 0.4, 0.002, 0.6, (0.16, 0.06, 0.025), 0.45, 0.6),
    "rope": Surface((120, 60, 60), 0.5, 0.3, 0.004, 0.95, (0.12, 0.08, 0.04), 0.2),
    "leaf": Surface((60, 60, 60), 0.3, 0.2, 0.001, 0.55, (0.3, 0.28, 0.05), 0.14, 0.0, 0.35),
    "glass": Surface((3, 3, 3), 0.3, 0.2, 0.0005, 0.12, (0.09, 0.085, 0.07), 0.2),
    "fruit": Surface((30, 30, 30), 0.25, 0.3, 0.0015, 0.45, (0.35, 0.3, 0.02), 0.2),
}


def add_node(
    tree: bpy.types.NodeTree, kind: str, inputs: dict[str | int, object], **settings: object
) -> bpy.types.Node:
    """Add a node; an input that is a socket is linked, any other value is set."""
    node = tree.nodes.new(kind)
    for name, value in settings.items():
        setattr(node, name, value)
    for name, value in inputs.items():
        if isinstance(value, Socket):
            tree.links.new(value, node.inputs[name])
        else:
            node.inputs[name].default_value = value
    return node


def add_noise(tree: bpy.types.NodeTree, where: Socket, scale: float, detail: float) -> Socket:
    """Add a noise texture and give its value, about 0.25 to 0.75."""
    inputs = {"Vector": where, "Scale": scale, "Detail": detail, "Roughness": 0.68}
    return add_node(tree, "ShaderNodeTexNoise", inputs).outputs[0]


def map_range(
    tree: bpy.types.NodeTree,
    value: Socket,
    source: tuple[float, float],
    target: tuple[float, float],
) -> Socket:
    """Map one range to another, clamped."""
    inputs = {0: value, 1: source[0], 2: source[1], 3: target[0], 4: target[1]}
    return add_node(tree, "ShaderNodeMapRange", inputs).outputs[0]


def add_colour(
    tree: bpy.types.NodeTree, surface: Surface, where: Socket, coarse: Socket, fine: Socket
) -> Socket:
    """Vary the mesh's tint by both patterns and stain it."""
    tint = add_node(tree, "ShaderNodeAttribute", {}, attribute_name="tint").outputs["Color"]
    for pattern, strength in ((coarse, surface.contrast), (fine, surface.speckle)):
        factor = map_range(tree, pattern, (0.28, 0.72), (1 - strength, 1 + strength))
        tint = add_node(
            tree, "ShaderNodeVectorMath", {0: tint, 1: factor}, operation="MULTIPLY"
        ).outputs[0]
    patches = add_noise(tree, where, 0.45, 6)
    edge = 0.72 - 0.45 * surface.stained
    mask = map_range(tree, patches, (edge, edge + 0.06), (0, 0.75))
    inputs = {0: mask, 6: tint, 7: (*surface.stain, 1)}
    return add_node(tree, "ShaderNodeMix", inputs, data_type="RGBA").outputs[2]


def make_material(name: str, surface: Surface) -> bpy.types.Material:
    """Build the node tree of one surface."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    grain = add_node(tree, "ShaderNodeAttribute", {}, attribute_name="grain").outputs["Vector"]
    where = add_node(
        tree, "ShaderNodeVectorMath", {0: grain, 1: surface.stretch}, operation="MULTIPLY"
    ).outputs[0]
    coarse, fine = add_noise(tree, where, 1, 4), add_noise(tree, where, 9, 3)
    colour = add_colour(tree, surface, where, coarse, fine)
    both = add_node(tree, "ShaderNodeMath", {0: coarse, 1: fine}, operation="ADD").outputs[0]
    bump = add_node(
        tree, "ShaderNodeBump", {"Height": both, "Distance": surface.bump, "Strength": 0.9}
    ).outputs[0]
    inputs = {
        "Base Color": colour,
        "Roughness": surface.roughness,
        "Metallic": surface.metallic,
        "Normal": bump,
    }
    inputs["Specular IOR Level"] = 0.3
    shader = add_node(tree, "ShaderNodeBsdfPrincipled", inputs).outputs[0]
    if surface.translucent > 0:
        through = add_node(
            tree, "ShaderNodeBsdfTranslucent", {"Color": colour, "Normal": bump}
        ).outputs[0]
        shader = add_node(
            tree, "ShaderNodeMixShader", {0: surface.translucent, 1: shader, 2: through}
        ).outputs[0]
    add_node(tree, "ShaderNodeOutputMaterial", {"Surface": shader})
    return material


def make_materials() -> dict[str, bpy.types.Material]:
    """Build all materials, by name."""
    return {name: make_material(name, surface) for name, surface in SURFACES.items()}
