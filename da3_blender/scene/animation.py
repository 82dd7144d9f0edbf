# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key frames in bulk: slots, channel bags and curves, the same on Blender 4.5 to 5.2.

Runs in Blender.
"""

from __future__ import annotations

import zlib
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


def find_channelbag(block: ID) -> ActionChannelbag | None:
    """Return the bag with the curves of a data-block, if it is animated."""
    animation = block.animation_data
    if animation is None or animation.action is None or animation.action_slot is None:
        return None
    bags = (
        strip.channelbag(animation.action_slot)
        for layer in animation.action.layers
        for strip in layer.strips
    )
    return next((bag for bag in bags if bag is not None), None)


def remove_curves(bag: ActionChannelbag, paths: tuple[str, ...]) -> None:
    """Remove the curves of properties whose path begins like this; others stay."""
    for curve in list(bag.fcurves):
        if curve.data_path.startswith(paths):
            bag.fcurves.remove(curve)


def fingerprint_curves(bag: ActionChannelbag | None, paths: tuple[str, ...]) -> str:
    """Return a short text that changes when a key of such properties does; see remove_curves."""
    check, count = 0, 0
    for curve in bag.fcurves if bag is not None else ():
        if curve.data_path.startswith(paths):
            keys = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", keys)
            check = zlib.crc32(keys.tobytes(), check)
            count += len(keys) // 2
    return f"{count}:{check:08x}"


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
