# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Close the message in the panel.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.scene.properties import clear_failure


class DA3_OT_dismiss(Operator):
    """Take the outcome of the last run off the panel."""

    bl_idname = names.OP_DISMISS
    bl_label = "Dismiss"
    bl_description = "Close this message; the scene and the results folder stay"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    def execute(self, context: Context) -> set[str]:
        """Forget the failure and remember that the job was seen."""
        dismiss_outcome(context)
        return {"FINISHED"}


def dismiss_outcome(context: Context) -> None:
    """Take failures and outcomes off the panel; a run in progress stays."""
    clear_failure(context.window_manager)
    job = current_job()
    if job is not None and job.is_over:
        getattr(context.window_manager, names.SCENE_SETTINGS).dismissed_job = job.id
