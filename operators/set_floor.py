# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the floor of a reconstruction at z = 0.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.world_tools import set_floor
from .world_poll import can_move_world, run_with_places


class DA3_OT_set_floor(Operator):
    """Put the floor of a reconstruction at z = 0."""

    bl_idname = names.OP_SET_FLOOR
    bl_label = "Set Floor"
    bl_description = (
        "Turn and lift the reconstruction so that picked points, selected objects or selected "
        "vertices are the floor, z = 0. Fewer than three points only lift it"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    use_cursor: BoolProperty(
        name="3D Cursor",
        description="Take the 3D cursor in place of selected or picked points",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        return can_move_world(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Find the places and move the root."""
        return run_with_places(
            self, context, 3, lambda root, places: set_floor(context, root, places)
        )
