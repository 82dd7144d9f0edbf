# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put two reconstructions into one world.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.matched_cameras import find_other_root, join_shots
from .failures import report_failure
from .world_poll import can_move_world


class DA3_OT_join_shots(Operator):
    """Move the second reconstruction into the world of the active one."""

    bl_idname = names.OP_JOIN_SHOTS
    bl_label = "Join Shots"
    bl_description = (
        "Move a second reconstruction into the world of the active one: by three or more picked "
        "points of equal numbers in both, or by photos that both have"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need two reconstructions, in Object Mode."""
        if not can_move_world(cls, context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode")
            return False
        if find_other_root(context, find_root(context)) is None:
            cls.poll_message_set(
                "Select something of both reconstructions; the active one stays where it is"
            )
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Join and tell how well they fit."""
        root = find_root(context)
        other = find_other_root(context, root)
        try:
            done = join_shots(context, root, other)
        except EngineError as error:
            return report_failure(self, context, error)
        self.report({"INFO"}, f"{other.name}: {done.text}")
        return {"FINISHED"}
