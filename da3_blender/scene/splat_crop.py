# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crop boxes: an empty cube outside of which Gaussians are hidden, not deleted.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import bpy
import numpy as np
from mathutils import Matrix

from . import splat_inputs as inputs
from .compat import get_modifier_input, set_modifier_input
from .splat_proxy import follow_crop_box

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from numpy.typing import NDArray

_SHARES: Final = (0.02, 0.98)
"""The new box holds the middle of the cloud along each axis: what is far out is mostly floaters."""


def add_crop_box(context: Context, ob: Object) -> Object:
    """Add a box around most of a cloud, or return the one that it has; and turn it on.

    Args:
        context: where the box is linked.
        ob: splats with their modifier.

    Returns:
        An empty, below the splats, whose cube from -1 to 1 is the box.
    """
    modifier = inputs.find_splat_modifier(ob)
    set_modifier_input(modifier, inputs.CROP, value=True)
    box = get_modifier_input(modifier, inputs.CROP_BOX, None)
    if box is None:
        box = bpy.data.objects.new(f"{ob.name} crop", None)
        box.empty_display_type = "CUBE"
        box.parent = ob
        collection = next(iter(ob.users_collection), context.scene.collection)
        collection.objects.link(box)
        positions = np.empty((len(ob.data.vertices), 3), np.float32)
        ob.data.attributes["position"].data.foreach_get("vector", positions.ravel())
        low, high = np.quantile(positions, _SHARES, axis=0)
        half = np.maximum((high - low) / 2, 1e-6)
        box.matrix_local = Matrix.LocRotScale((low + high) / 2, None, half)
        set_modifier_input(modifier, inputs.CROP_BOX, box)
    follow_crop_box(ob, box)
    ob.update_tag()
    return box


def find_crop(ob: Object, settings: dict[str, Any]) -> NDArray[np.float64] | None:
    """Return (4, 4) box_from_object, or None where nothing is cropped."""
    box = settings[inputs.CROP_BOX]
    if not settings[inputs.CROP] or box is None:
        return None
    try:
        return np.array(box.matrix_world.inverted() @ ob.matrix_world)
    except ValueError:  # a box that is flat holds nothing to speak of: treat it as turned off
        return None
