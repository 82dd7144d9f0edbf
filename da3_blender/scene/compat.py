# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between Blender 4.5 and 5.2, one function each.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from bpy.types import (
        GeometryNodeTree,
        Material,
        NodesModifier,
        NodeSocket,
        NodeTree,
        Scene,
        UILayout,
    )


def get_eevee_engine() -> str:
    """Return the identifier of EEVEE as a render engine."""
    # 4.5 calls it BLENDER_EEVEE_NEXT, 5.0 and later BLENDER_EEVEE.
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def get_material_nodes(material: Material) -> NodeTree:
    """Return the node tree of a material."""
    if bpy.app.version < (5, 0, 0):
        # 5.0 and later always have a tree and warn when use_nodes is set.
        material.use_nodes = True
    return material.node_tree


def _find_identifier(group: GeometryNodeTree, name: str) -> str | None:
    for item in group.interface.items_tree:
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name == name:
            return item.identifier
    return None


def set_modifier_input(modifier: NodesModifier, name: str, value: Any) -> None:  # noqa: ANN401 - any socket
    """Set an input of a Geometry Nodes modifier by the name that the user reads.

    Raises:
        KeyError: the node group has no such input.
    """
    identifier = _find_identifier(modifier.node_group, name)
    if identifier is None:
        raise KeyError(name)
    if hasattr(modifier, "properties"):
        # 5.2: inputs are real properties; a modifier has no custom properties any more.
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


def get_modifier_input(modifier: NodesModifier, name: str, default: Any) -> Any:  # noqa: ANN401 - any socket
    """Read an input of a Geometry Nodes modifier, or the default where there is none."""
    identifier = _find_identifier(modifier.node_group, name) if modifier.node_group else None
    if identifier is None:
        return default
    if hasattr(modifier, "properties"):
        # 5.2: see set_modifier_input.
        return getattr(modifier.properties.inputs, identifier).value
    return modifier.get(identifier, default)


def get_modifier_input_path(modifier: NodesModifier, name: str) -> str:
    """Return the data path of an input, from its object, for drivers and F-curves.

    Raises:
        KeyError: the node group has no such input.
    """
    identifier = _find_identifier(modifier.node_group, name)
    if identifier is None:
        raise KeyError(name)
    if hasattr(modifier, "properties"):
        # 5.2: see set_modifier_input.
        return getattr(modifier.properties.inputs, identifier).path_from_id("value")
    return f'modifiers["{bpy.utils.escape_identifier(modifier.name)}"]["{identifier}"]'


def copy_modifier_inputs(source: NodesModifier, target: NodesModifier) -> None:
    """Copy all inputs of a Geometry Nodes modifier to another one of the same node group."""
    group = source.node_group
    for item in group.interface.items_tree if group is not None else ():
        if item.item_type != "SOCKET" or item.in_out != "INPUT":
            continue
        if hasattr(source, "properties"):
            # 5.2: see set_modifier_input.
            value = getattr(source.properties.inputs, item.identifier, None)
            if value is not None and hasattr(value, "value"):
                getattr(target.properties.inputs, item.identifier).value = value.value
        elif item.identifier in source:
            target[item.identifier] = source[item.identifier]


def draw_modifier_input(layout: UILayout, modifier: NodesModifier, name: str) -> None:
    """Show an input of a Geometry Nodes modifier in a panel, where the group has it."""
    identifier = _find_identifier(modifier.node_group, name) if modifier.node_group else None
    if identifier is None:
        return
    if hasattr(modifier, "properties"):
        # 5.2: see set_modifier_input.
        layout.prop(getattr(modifier.properties.inputs, identifier), "value", text=name)
    else:
        layout.prop(modifier, f'["{identifier}"]', text=name)


def use_video_output(scene: Scene) -> None:
    """Let renders of a scene be written as a video with 8 bits a channel."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        # 5.0 and later: the kind of file is chosen before the format.
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    settings.color_mode = "RGB"
    settings.color_depth = "8"
    if hasattr(scene.render, "save_output"):
        # 5.2: animations can be rendered without a file.
        scene.render.save_output = True


def find_compositor_tree(scene: Scene) -> NodeTree | None:
    """Return the compositor tree that a scene uses, None if there is none."""
    if hasattr(scene, "compositing_node_group"):  # 5.0 and later
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def make_compositor_output(scene: Scene) -> tuple[NodeTree, NodeSocket]:
    """Give a scene an empty compositor tree; return it and the socket that takes the picture.

    Since 5.0 the tree is a node group of its own with a group output; before, it belongs to the
    scene and ends in a Composite node.
    """
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new(f"{scene.name} compositing", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return tree, tree.nodes.new("NodeGroupOutput").inputs[0]
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree, scene.node_tree.nodes.new("CompositorNodeComposite").inputs[0]
