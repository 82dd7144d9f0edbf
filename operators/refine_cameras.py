# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refine the cameras of a reconstruction on its full-size pictures.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.result_folder import load_result
from ..da3_blender.scene.lookup import find_root, locate_result
from ..da3_blender.scene.properties import clear_failure
from ..da3_blender.scene.settings_from_scene import make_reuse_settings
from .extension import get_preferences
from .failures import report_failure
from .run_job import run_settings

_CHOICES = (
    "lens_model",
    "refine_focal",
    "refine_distortion",
    "refine_principal_point",
    "refine_features",
    "masks",
)


class DA3_OT_refine_cameras(Operator):
    """Adjust cameras, lens and depth to points that are followed through the plate."""

    bl_idname = names.OP_REFINE
    bl_label = "Refine Cameras"
    bl_description = (
        "Make the cameras hold to the pixel: follow points through the full-size pictures, adjust "
        "cameras, lens and depth to them, and say how many pixels of error are left"
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
        """Need a reconstruction, and no run in progress."""
        job = current_job()
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
        elif find_root(context) is None:
            cls.poll_message_set("There is no reconstruction yet: run Reconstruct first")
        else:
            return True
        return False

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Show what may change."""
        return context.window_manager.invoke_props_dialog(self, confirm_text="Refine")

    def draw(self, context: Context) -> None:
        """Offer the choices of the scene."""
        self.layout.use_property_split = True
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        for name in _CHOICES:
            self.layout.prop(settings, name)

    def execute(self, context: Context) -> set[str]:
        """Start the run; the timer builds the scene when it is done."""
        clear_failure(context.window_manager)
        try:
            result = load_result(locate_result(find_root(context)))
            settings = make_reuse_settings(
                context.scene, get_preferences(context), result, refine=True
            )
            return run_settings(self, context, settings, waits=self.wait)
        except EngineError as error:
            return report_failure(self, context, error)
