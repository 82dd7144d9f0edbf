# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the 3D view to what was built.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..da3_blender.contract import names

if TYPE_CHECKING:
    from bpy.types import Context


def frame_collection(context: Context, name: str) -> bool:
    """Frame the points (or the cameras, if there are none) of a collection in the 3D view.

    The selection stays. Views that look through a camera are left alone.

    Returns:
        Whether there was a view to turn.
    """
    space, area = context.space_data, context.area
    if area is None or area.type != "VIEW_3D" or context.region is None:
        return False
    if space.region_3d.view_perspective == "CAMERA":
        return False
    objects = bpy.data.collections[name].all_objects
    clouds = [ob for ob in objects if ob.get(names.PROP_ROLE) == names.ROLE_POINTS]
    region = next(r for r in area.regions if r.type == "WINDOW")
    selected = list(context.selected_objects)
    for ob in selected:
        ob.select_set(False)
    shown = clouds or list(objects)
    for ob in shown:
        ob.select_set(True)
    with context.temp_override(area=area, region=region):
        bpy.ops.view3d.view_selected()
    for ob in shown:
        ob.select_set(False)
    for ob in selected:
        ob.select_set(True)
    return True
