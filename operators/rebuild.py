# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the objects of a reconstruction again from its result on disk.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import bpy
from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.result_folder import load_result
from ..da3_blender.scene.lookup import find_root, locate_result
from ..da3_blender.scene.properties import clear_failure
from ..da3_blender.scene.settings_from_scene import has_new_filters, make_reuse_settings
from .extension import get_preferences
from .failures import report_failure
from .run_job import run_settings


class DA3_OT_rebuild(Operator):
    """Build again; where filters of the cloud have changed, let the engine make a new cloud."""

    bl_idname = names.OP_REBUILD
    bl_label = "Rebuild"
    bl_description = (
        "Make cameras, points and meshes again with the present settings, from the result on "
        "disk: no network runs. What you have changed on the objects stays"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    wait: BoolProperty(
        name="Wait",
        description="Return when the scene is built; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction, object mode and no run in progress."""
        job = current_job()
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
            return False
        if context.mode != "OBJECT" or find_root(context) is None:
            cls.poll_message_set("Needs a reconstruction in this scene, and object mode")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Build at once, or start the engine and build when it is done."""
        clear_failure(context.window_manager)
        root = find_root(context)
        folder = locate_result(root)
        try:
            result = load_result(folder)
            if not has_new_filters(context.scene, result):
                return bpy.ops.da3.build_scene(folder=str(folder), target=root.name)
            settings = make_reuse_settings(context.scene, get_preferences(context), result)
            return run_settings(self, context, settings, waits=self.wait)
        except EngineError as error:
            return report_failure(self, context, error)
        except RuntimeError:  # the operator that builds has told why
            return {"CANCELLED"}
