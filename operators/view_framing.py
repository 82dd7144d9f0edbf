# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the 3D view to what was built.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpy.types import Context

# With Blender's usual lens the whole box is in view from here.
_DISTANCE_PER_SIZE: Final = 1.1


def frame_result(context: Context, centre: tuple[float, float, float], size: float) -> bool:
    """Turn the 3D view to a place; views that look through a camera are left alone.

    Blender's own View Selected goes by the bounding box, and a cloud has outliers.

    Args:
        context: its area is turned, if it is a 3D view.
        centre: Blender's world.
        size: diagonal of what is to be seen, scene units.

    Returns:
        Whether there was a view to turn.
    """
    if context.area is None or context.area.type != "VIEW_3D":
        return False
    view = context.space_data.region_3d
    if view.view_perspective == "CAMERA":
        return False
    view.view_location = centre
    view.view_distance = _DISTANCE_PER_SIZE * size
    return True
