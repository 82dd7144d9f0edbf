# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop the set-up of the engine.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.client.engine_setup import cancel_setup, is_setup_running
from ..da3_blender.contract import names


class DA3_OT_cancel_setup(Operator):
    """Ask the installer to stop; the timer sees it end."""

    bl_idname = names.OP_CANCEL_SETUP
    bl_label = "Stop"
    bl_description = "Stop the set-up; what was downloaded is kept for the next time"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need a set-up in progress."""
        if not is_setup_running():
            cls.poll_message_set("Nothing is being set up")
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        """Pass the wish on."""
        cancel_setup()
        return {"FINISHED"}
