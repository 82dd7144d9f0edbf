# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a reconstruction so that a line in it lies along an axis.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import EnumProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.world_tools import set_axis
from .world_poll import can_move_world, run_with_places


class DA3_OT_set_axis(Operator):
    """Turn a reconstruction so that a line in it lies along an axis."""

    bl_idname = names.OP_SET_AXIS
    bl_label = "Set Axis"
    bl_description = (
        "Turn the reconstruction about the upright axis so that the line through two points goes "
        "along the world's X or Y"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    axis: EnumProperty(
        name="Axis",
        description="Where the line from the first to the last point goes",
        items=(("X", "X", "Along the world's X"), ("Y", "Y", "Along the world's Y")),
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        return can_move_world(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Find the places and move the root."""
        return run_with_places(
            self, context, 2, lambda root, places: set_axis(context, root, places, self.axis)
        )
