# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies of splats: a closed surface for shadows, reflections and collisions.

Runs in Blender. A proxy has the mesh of its splats and a modifier of its own, so it follows every
edit. Drivers carry the limits over, so it also follows what is hidden, with animations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import bpy

from ..contract import names
from . import splat_inputs as inputs
from .compat import get_modifier_input, get_modifier_input_path, set_modifier_input
from .splat_object import update_modifier
from .splat_proxy_nodes import RESOLUTION, SOLID_FROM, THICKNESS, get_proxy_nodes

if TYPE_CHECKING:
    from bpy.types import Context, NodesModifier, Object

_COLLISION = "Collision"


class ProxyOptions(NamedTuple):
    """How a proxy is.

    Attributes:
        resolution: cells along the longest side.
        thickness: distance of the surface from the centres, in sizes of the Gaussians.
        solid_from: opacity.
        is_shadow_only: no camera and no reflection sees it.
        has_collision: cloth, soft bodies and particles bounce off it.
    """

    resolution: int
    thickness: float
    solid_from: float
    is_shadow_only: bool
    has_collision: bool


def add_proxy(context: Context, ob: Object, options: ProxyOptions) -> Object:
    """Add a proxy below splats, or set the one that they have.

    Args:
        context: where it is linked if the splats are nowhere.
        ob: splats with their modifier.
        options: how it shall be.
    """
    update_modifier(ob)
    proxy = find_proxy(ob)
    if proxy is None:
        proxy = bpy.data.objects.new(f"{ob.name} proxy", ob.data)
        proxy[names.PROP_ROLE] = names.ROLE_PROXY
        proxy.parent = ob
        next(iter(ob.users_collection), context.scene.collection).objects.link(proxy)
    proxy.data = ob.data
    modifier = _get_modifier(proxy)
    for name, value in (
        (RESOLUTION, options.resolution),
        (THICKNESS, options.thickness),
        (SOLID_FROM, options.solid_from),
    ):
        set_modifier_input(modifier, name, value)
    _follow_limits(proxy, modifier, ob)
    _set_visibility(proxy, is_shadow_only=options.is_shadow_only)
    _set_collision(proxy, has_collision=options.has_collision)
    proxy.update_tag()
    return proxy


def find_proxy(ob: Object) -> Object | None:
    """Return the proxy of splats, if they have one."""
    return next((c for c in ob.children if c.get(names.PROP_ROLE) == names.ROLE_PROXY), None)


def _get_modifier(proxy: Object) -> NodesModifier:
    for modifier in proxy.modifiers:
        if modifier.type == "NODES" and modifier.node_group is not None:
            if modifier.node_group == get_proxy_nodes():
                return modifier
            if modifier.node_group.name.startswith(names.NODES_PROXY):
                modifier.node_group = get_proxy_nodes()
                return modifier
    modifier = proxy.modifiers.new(names.NODES_PROXY, "NODES")
    modifier.node_group = get_proxy_nodes()
    return modifier


def _follow_limits(proxy: Object, modifier: NodesModifier, ob: Object) -> None:
    source = inputs.find_splat_modifier(ob)
    for name in (inputs.SIZE, *inputs.LIMITS):
        if name == inputs.CROP_BOX:  # drivers carry numbers; an object is set, and again on change
            set_modifier_input(modifier, name, get_modifier_input(source, name, None))
            continue
        path = get_modifier_input_path(modifier, name)
        proxy.driver_remove(path)
        driver = proxy.driver_add(path).driver
        driver.type = "SUM"
        variable = driver.variables.new()
        variable.type = "SINGLE_PROP"
        variable.targets[0].id = ob
        variable.targets[0].data_path = get_modifier_input_path(source, name)


def follow_crop_box(ob: Object, box: Object) -> None:
    """Tell the proxy of splats, if they have one, of their crop box."""
    proxy = find_proxy(ob)
    for modifier in () if proxy is None else proxy.modifiers:
        if modifier.type == "NODES" and modifier.node_group == get_proxy_nodes():
            set_modifier_input(modifier, inputs.CROP_BOX, box)
            proxy.update_tag()


def _set_visibility(proxy: Object, *, is_shadow_only: bool) -> None:
    is_seen = not is_shadow_only
    proxy.visible_camera = proxy.visible_diffuse = proxy.visible_glossy = is_seen
    proxy.visible_transmission = proxy.visible_volume_scatter = is_seen
    proxy.visible_shadow = True
    # in the viewport a surface would hide the splats, which lie inside
    proxy.display_type = "BOUNDS" if is_shadow_only else "TEXTURED"


def _set_collision(proxy: Object, *, has_collision: bool) -> None:
    known = next((m for m in proxy.modifiers if m.type == "COLLISION"), None)
    if has_collision and known is None:
        proxy.modifiers.new(_COLLISION, "COLLISION")
    elif not has_collision and known is not None:
        proxy.modifiers.remove(known)
