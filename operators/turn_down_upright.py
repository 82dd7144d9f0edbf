# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn down a proposal of how a reconstruction stands upright.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.upright import turn_down_upright
from ..da3_blender.scene.world_points import leave_edit_mode


class DA3_OT_turn_down_upright(Operator):
    """Put the root back where it was before the proposal."""

    bl_idname = names.OP_TURN_DOWN_UPRIGHT
    bl_label = "Turn Down"
    bl_description = "Put the reconstruction back exactly where it was before the proposal"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a proposal that waits."""
        root = find_root(context)
        if root is None or names.PROP_PROPOSAL not in root:
            cls.poll_message_set("There is no proposal; use Propose Upright")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Do it."""
        leave_edit_mode(context)
        turn_down_upright(context, find_root(context))
        return {"FINISHED"}
