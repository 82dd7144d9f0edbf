# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a run of the engine.

Runs in Blender.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.client.engine_setup import current_status
from ..da3_blender.client.engine_status import EngineCondition
from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.properties import clear_failure
from ..da3_blender.scene.settings_from_scene import make_run_settings
from .extension import get_preferences, get_user_folder
from .failures import report_failure
from .run_job import run_settings

_NOTHING_THERE = (EngineCondition.MISSING, EngineCondition.UNFINISHED)


class DA3_OT_reconstruct(Operator):
    """Gather the settings, start a job and return at once."""

    bl_idname = names.OP_RECONSTRUCT
    bl_label = "Reconstruct"
    bl_description = (
        "Find the cameras and points of the photos, and build them in this scene. "
        "Blender can be used while it runs"
    )
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set

    wait: BoolProperty(
        name="Wait",
        description="Return when the scene is built; always so without a window",
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
            cls.poll_message_set("Choose a folder of photos, photo files or a video first")
            return False
        status = current_status()
        if status is not None and status.condition in _NOTHING_THERE:
            cls.poll_message_set("Set up the engine first")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Start the job; without a window, wait for it."""
        clear_failure(context.window_manager)
        try:
            settings = make_run_settings(context.scene, get_preferences(context), get_user_folder())
            return run_settings(self, context, settings, waits=self.wait)
        except EngineError as error:
            return report_failure(self, context, error)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Start from the panel."""
        return self.execute(context)
