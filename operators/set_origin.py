# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a place of a reconstruction at the origin of the world.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.world_tools import set_origin
from .world_poll import can_move_world, run_with_places


class DA3_OT_set_origin(Operator):
    """Put a place of a reconstruction at the origin of the world."""

    bl_idname = names.OP_SET_ORIGIN
    bl_label = "Set Origin"
    bl_description = (
        "Move the reconstruction so that the middle of picked points, selected objects or "
        "selected vertices is the world's origin"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    use_cursor: BoolProperty(
        name="3D Cursor",
        description="Take the 3D cursor in place of selected or picked points",
        options={"SKIP_SAVE"},
    )
    keep_height: BoolProperty(
        name="Keep Height",
        description="Do not move up or down, so that the floor stays where it is",
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        return can_move_world(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Find the places and move the root."""
        return run_with_places(
            self,
            context,
            1,
            lambda root, places: set_origin(context, root, places, keep_height=self.keep_height),
        )
