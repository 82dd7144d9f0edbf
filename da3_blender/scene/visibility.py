# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show and hide objects as the eyes of the outliner do, and photos behind cameras.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpy.types import Object, ViewLayer


def are_shown(objects: Sequence[Object], layer: ViewLayer) -> bool:
    """Tell whether any of these objects is switched on in a view layer."""
    return any(ob.name in layer.objects and not ob.hide_get(view_layer=layer) for ob in objects)


def show_objects(objects: Sequence[Object], layer: ViewLayer, *, is_shown: bool) -> None:
    """Switch objects on or off; those that the view layer does not have are left alone."""
    for ob in objects:
        if ob.name in layer.objects:
            ob.hide_set(not is_shown, view_layer=layer)
            if is_shown:  # the builder hides points behind splats in renders, too
                ob.hide_render = False


def are_photos_shown(cameras: Sequence[Object]) -> bool:
    """Tell whether any of these cameras shows pictures."""
    return any(ob.data.show_background_images and len(ob.data.background_images) for ob in cameras)


def show_photos(cameras: Sequence[Object], *, is_shown: bool) -> None:
    """Switch the pictures behind cameras on or off."""
    for ob in cameras:
        ob.data.show_background_images = is_shown
