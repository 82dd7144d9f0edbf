# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key frames in bulk: slots, channel bags and curves, the same on Blender 4.5 to 5.2.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

if TYPE_CHECKING:
    from bpy.types import ID, ActionChannelbag
    from numpy.typing import NDArray


def make_channelbag(block: ID, name: str) -> ActionChannelbag:
    """Give a data-block a new action and return the bag that takes its curves."""
    animation = block.animation_data_create()
    action = bpy.data.actions.new(name)
    animation.action = action
    slot = action.slots.new(block.id_type, block.name)
    animation.action_slot = slot
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def add_curves(
    bag: ActionChannelbag,
    path: str,
    frames: NDArray[np.integer],
    values: NDArray[Any],
    interpolation: str = "LINEAR",
) -> None:
    """Add one curve, or one per column.

    Args:
        bag: takes the curves.
        path: RNA path of the property.
        frames: (N,) numbers on the time line, rising.
        values: (N,) for a single number, (N, C) for C channels.
        interpolation: LINEAR or CONSTANT.
    """
    for index, column in enumerate(np.atleast_2d(np.asarray(values, np.float64).T)):
        curve = bag.fcurves.new(path, index=index)
        keys = curve.keyframe_points
        keys.add(len(frames))
        keys.foreach_set("co", np.stack([frames, column], axis=1).astype(np.float32).ravel())
        choices = keys[0].bl_rna.properties["interpolation"].enum_items
        code = choices[interpolation].value
        keys.foreach_set("interpolation", np.full(len(frames), code, np.int32))
        curve.update()
