# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node groups of ours: made once, and made anew when a version makes them otherwise.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..contract import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpy.types import GeometryNodeTree


def get_geometry_nodes(
    name: str, recipe: int | str, fill: Callable[[GeometryNodeTree], None]
) -> GeometryNodeTree:
    """Return the node group of a recipe; an older one of the name keeps its users, renamed.

    Args:
        name: of the group.
        recipe: tells it from those of other versions and other names.
        fill: adds sockets and nodes to an empty group.
    """
    for group in bpy.data.node_groups:
        is_ours = group.library is None and group.bl_idname == "GeometryNodeTree"
        if is_ours and group.get(names.PROP_STAMP) == recipe:
            return group
    older = bpy.data.node_groups.get(name)
    if older is not None and names.PROP_STAMP in older:
        older.name = f"{name} (recipe {older[names.PROP_STAMP]})"
    group = bpy.data.node_groups.new(name, "GeometryNodeTree")
    group.is_modifier = True
    fill(group)
    group[names.PROP_STAMP] = recipe
    return group
