# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositor nodes that lay renders over the plate, in the user's own tree where there is one.

Runs in Blender. Node trees of 4.5 belong to the scene; since 5.0 they are node groups of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from ..contract import names
from .compat import find_compositor_tree, make_compositor_output
from .shot_layers import FOREGROUND, SHADOW, find_layer

if TYPE_CHECKING:
    from bpy.types import Image, ImageUser, Node, NodeSocket, NodeTree, Scene

_PLATE: Final = "plate"
_FIT: Final = "fit"
_OVER: Final = "over"
_OUTPUTS: Final = ("CompositorNodeComposite", "NodeGroupOutput")
_LAYERS: Final = "CompositorNodeRLayers"
_DEFAULTS: Final = (_LAYERS, "CompositorNodeViewer", "NodeReroute", *_OUTPUTS)


def lay_over_plate(
    scene: Scene, plate: tuple[Image, ImageUser] | None, *, has_shadows: bool
) -> tuple[bool, bool]:
    """Add or set the nodes: plate, shadows over it, computer graphics over both.

    Args:
        scene: of the shot.
        plate: picture, and who knows how its frames run; None leaves black behind.
        has_shadows: the layer of shadows is worth laying over.

    Returns:
        Whether a whole tree was made, and whether the output shows the result; not where the
        user has put something else there.
    """
    tree, output, is_new = _get_tree(scene)
    plate_node = _get_node(tree, "CompositorNodeImage", _PLATE, (-600, 300))
    if plate is not None:
        _show_plate(plate_node, *plate)
    fit = _get_node(tree, "CompositorNodeScale", _FIT, (-400, 300))
    _fill_frame(fit)
    tree.links.new(plate_node.outputs[0], fit.inputs[0])
    below = fit.outputs[0]
    for index, name in enumerate((SHADOW, FOREGROUND)):
        layer = _get_node(tree, _LAYERS, name, (-600 + 300 * index, -100 - 300 * index))
        layer.scene, layer.layer = scene, find_layer(scene, name).name
        over = _get_node(tree, "CompositorNodeAlphaOver", f"{_OVER} {name}", (300 * index, 200))
        bottom, top = _list_pictures(over)
        tree.links.new(below, bottom)
        tree.links.new(layer.outputs["Image"], top)
        over.mute = name == SHADOW and not has_shadows
        below = over.outputs[0]
    is_shown = _connect(tree, output, below)
    scene.render.use_compositing = True
    return is_new, is_shown


def remove_plate_nodes(scene: Scene, *, is_whole_tree: bool) -> None:
    """Take the nodes of the set-up away, and the tree if it was made for them."""
    tree = find_compositor_tree(scene)
    if tree is None:
        return
    ours = [node for node in tree.nodes if names.PROP_ROLE in node]
    others = [n for n in tree.nodes if n not in ours and n.bl_idname not in _DEFAULTS]
    if is_whole_tree and not others:
        if hasattr(scene, "compositing_node_group"):  # 5.0 and later
            scene.compositing_node_group = None
            bpy.data.node_groups.remove(tree)
        else:
            tree.nodes.clear()
            scene.use_nodes = False
        return
    for node in ours:
        tree.nodes.remove(node)
    output = _find_output(tree)
    layers = next((node for node in tree.nodes if node.bl_idname == _LAYERS), None)
    if output is not None and layers is not None and not output.is_linked:
        tree.links.new(layers.outputs["Image"], output)


def _get_tree(scene: Scene) -> tuple[NodeTree, NodeSocket | None, bool]:
    """Return the scene's tree, the socket of its picture, and whether it was made just now."""
    tree = find_compositor_tree(scene)
    if tree is None:
        tree, output = make_compositor_output(scene)
        output.node.location = (700, 200)
        return tree, output, True
    return tree, _find_output(tree), False


def _find_output(tree: NodeTree) -> NodeSocket | None:
    nodes = [node for node in tree.nodes if node.bl_idname in _OUTPUTS and node.inputs]
    return nodes[0].inputs[0] if nodes else None


def _connect(tree: NodeTree, output: NodeSocket | None, picture: NodeSocket) -> bool:
    """Show the picture at the output, unless the user shows something of their own there."""
    if output is None:
        return False
    source = output.links[0].from_node if output.is_linked else None
    while source is not None and source.bl_idname == "NodeReroute" and source.inputs[0].is_linked:
        source = source.inputs[0].links[0].from_node
    if source is not None and names.PROP_ROLE not in source and source.bl_idname != _LAYERS:
        return False
    tree.links.new(picture, output)
    return True


def _get_node(tree: NodeTree, kind: str, part: str, place: tuple[float, float]) -> Node:
    for node in tree.nodes:
        if node.get(names.PROP_ROLE) == part and node.bl_idname == kind:
            return node
    node = tree.nodes.new(kind)
    node[names.PROP_ROLE] = part
    node.location = place
    return node


def _show_plate(node: Node, image: Image, user: ImageUser) -> None:
    node.image = image
    if image.source in ("SEQUENCE", "MOVIE"):
        node.frame_start, node.frame_offset = user.frame_start, user.frame_offset
        node.frame_duration = user.frame_duration
        node.use_auto_refresh = True


def _fill_frame(node: Node) -> None:
    if hasattr(node, "space"):
        node.space, node.frame_method = "RENDER_SIZE", "STRETCH"
    else:  # 5.0 and later: choices are sockets
        node.inputs["Type"].default_value = "Render Size"
        node.inputs["Frame Type"].default_value = "Stretch"


def _list_pictures(node: Node) -> list[NodeSocket]:
    """Return the sockets of the lower and the upper picture."""
    return [socket for socket in node.inputs if socket.type == "RGBA"]
