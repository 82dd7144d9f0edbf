# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take away what the set-up of a shot has made.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.shot_setup import remove_set_up
from ..da3_blender.scene.world_points import leave_edit_mode


class DA3_OT_remove_set_up(Operator):
    """Remove objects, view layers and nodes of a set-up; put render settings back."""

    bl_idname = names.OP_REMOVE_SET_UP
    bl_label = "Remove Set-up"
    bl_description = (
        "Remove what Set Up Shot has made: shadow catcher, holdout, test objects, view layers and "
        "nodes. Your own objects, and camera, size and frames of the scene, stay"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a set-up."""
        if names.PROP_SET_UP not in context.scene:
            cls.poll_message_set("No shot of this scene is set up")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Remove it."""
        leave_edit_mode(context)
        count = remove_set_up(context)
        self.report({"INFO"}, f"The set-up is removed: {count} objects, view layers and nodes")
        return {"FINISHED"}
