# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for photos that will not do.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import bpy
from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.properties import clear_failure
from .failures import report_failure
from .photo_check import begin_check


class DA3_OT_check_photos(Operator):
    """Let the engine look at every photo once, in the background."""

    bl_idname = names.OP_CHECK_PHOTOS
    bl_label = "Check Photos"
    bl_description = (
        "Look for photos that are blurred, there twice, or taken with another lens; "
        "Blender can be used meanwhile"
    )
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    wait: BoolProperty(
        name="Wait",
        description="Return when the answer is here; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need an input, and no run in progress."""
        job = current_job()
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
            return False
        if not getattr(context.scene, names.SCENE_SETTINGS).input_path:
            cls.poll_message_set("Choose photos first")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Start the check; without a window, wait for it."""
        clear_failure(context.window_manager)
        try:
            job = begin_check(context, waits=self.wait or bpy.app.background)
        except EngineError as error:
            return report_failure(self, context, error)
        if job.error is not None:
            return report_failure(self, context, job.error)
        return {"FINISHED"}
