# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a report of the last run to the clipboard.

Runs in Blender.
"""

import bpy
from bpy.types import Context, Operator

from ..da3_blender.client.engine_setup import current_setup, current_status
from ..da3_blender.client.report import make_report
from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names


class DA3_OT_copy_report(Operator):
    """Put versions, settings and the last log lines on the clipboard, without names."""

    bl_idname = names.OP_COPY_REPORT
    bl_label = "Copy Report"
    bl_description = (
        "Copy versions, settings and the end of the log to the clipboard, "
        "for an issue; your home folder and user name are masked"
    )
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    def execute(self, context: Context) -> set[str]:
        """Make the report and copy it."""
        facts = {
            "Blender": bpy.app.version_string,
            "Background": bpy.app.background,
            "Online access": bpy.app.online_access,
        }
        context.window_manager.clipboard = make_report(
            current_job(), facts, current_status(), current_setup()
        )
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}
