# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositor nodes that take a lens's distortion out of a picture, or put it in, by ST-maps.

Runs in Blender. The maps are those of `exports/st_map.py`, or of any program that writes s and t
from the lower left corner into red and green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from .compat import find_compositor_tree, make_compositor_output

if TYPE_CHECKING:
    from pathlib import Path

    from bpy.types import Image, Node, NodeTree, Scene

MAPS: Final = (("undistort.exr", "DA3 Undistort"), ("redistort.exr", "DA3 Redistort"))
_PART: Final = "lens"


def add_lens_nodes(scene: Scene, folder: Path) -> list[Node]:
    """Make a node group for each ST-map in a folder and put one of each into the compositor.

    Groups of the same name get the new map. Nodes are left unconnected, for the user to say
    where: after the render to fit the plate as it was filmed, or after the plate.

    Args:
        scene: gets a compositor tree if it has none.
        folder: holds `undistort.exr`, `redistort.exr`, or both.

    Returns:
        The nodes.

    Raises:
        EngineError: INPUT_MISSING; there is no map.
    """
    found = [(folder / file, title) for file, title in MAPS if (folder / file).is_file()]
    if not found:
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            f"There is neither undistort.exr nor redistort.exr in {folder}.",
            "Export ST-Maps first (Export Layers and Plates), and choose their folder.",
        )
    tree = find_compositor_tree(scene)
    if tree is None:
        tree, _ = make_compositor_output(scene)
    nodes = []
    for number, (path, title) in enumerate(found):
        group = _make_group(title, _load_map(path))
        node = _find_node(tree, title) or tree.nodes.new("CompositorNodeGroup")
        node.node_tree = group
        node.name = node.label = title
        node[names.PROP_ROLE] = _PART
        node.location = (400, -200 * (number + 1))
        nodes.append(node)
    return nodes


def _find_node(tree: NodeTree, title: str) -> Node | None:
    node = tree.nodes.get(title)
    return node if node is not None and node.bl_idname == "CompositorNodeGroup" else None


def _load_map(path: Path) -> Image:
    image = bpy.data.images.load(str(path), check_existing=True)
    image.colorspace_settings.name = "Non-Color"
    image.reload()
    return image


def _make_group(title: str, image: Image) -> NodeTree:
    """Return a group that shows its picture through a map; an older one is refilled."""
    group = bpy.data.node_groups.get(title)
    if group is None or group.bl_idname != "CompositorNodeTree":
        group = bpy.data.node_groups.new(title, "CompositorNodeTree")
        group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
        group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    group.nodes.clear()
    kinds = ("NodeGroupInput", "CompositorNodeImage", "CompositorNodeSeparateColor")
    kinds += ("CompositorNodeCombineColor", "CompositorNodeMapUV", "NodeGroupOutput")
    begin, picture, apart, together, look, end = (group.nodes.new(kind) for kind in kinds)
    for place, node in enumerate(group.nodes):
        node.location = (200 * place, 0)
    picture.image = image
    links = group.links
    links.new(picture.outputs["Image"], apart.inputs[0])
    links.new(apart.outputs["Red"], together.inputs["Red"])
    links.new(apart.outputs["Green"], together.inputs["Green"])
    together.inputs["Blue"].default_value = 1.0  # Map UV takes it for opacity
    links.new(together.outputs[0], look.inputs["UV"])
    links.new(begin.outputs[0], look.inputs["Image"])
    links.new(look.outputs[0], end.inputs[0])
    return group
