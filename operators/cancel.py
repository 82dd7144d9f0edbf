# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel the run.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.client.session import current_client, current_job
from ..da3_blender.contract import names


class DA3_OT_cancel(Operator):
    """Ask the engine to stop; the timer sees it end."""

    bl_idname = names.OP_CANCEL
    bl_label = "Cancel"
    bl_description = "Stop the run; the scene and the disk stay as they were"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need a run in progress."""
        job = current_job()
        if job is None or job.is_over:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        """Pass the wish on."""
        current_client().cancel()
        return {"FINISHED"}
