# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a run early and keep what it has found.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.client.session import current_client, current_job
from ..da3_blender.contract import names


class DA3_OT_finish(Operator):
    """Ask the engine to stop here and to write what there is; the timer sees it end."""

    bl_idname = names.OP_FINISH
    bl_label = "Keep What Is Found"
    bl_description = "Stop the run here, and build the cameras and points that are found so far"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need a run that has found cameras."""
        job = current_job()
        if job is None or not job.can_finish:
            cls.poll_message_set("Nothing is found yet that could be kept")
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        """Pass the wish on."""
        current_client().finish()
        return {"FINISHED"}
