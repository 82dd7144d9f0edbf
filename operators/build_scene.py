# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a result in the scene: that of the last run, or one from disk.

Runs in Blender.
"""

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.result_folder import load_result
from ..da3_blender.scene.builder import build_scene
from ..da3_blender.scene.properties import clear_failure
from ..da3_blender.scene.settings_from_scene import make_build_options
from .failures import report_failure
from .view_framing import frame_result


class DA3_OT_build_scene(Operator):
    """Open a results folder and build its cameras and points, with one undo step."""

    bl_idname = names.OP_BUILD_SCENE
    bl_label = "Build Scene"
    bl_description = "Make cameras, photos and points from a results folder in this scene"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    folder: StringProperty(
        name="Results Folder",
        description="Folder with the manifest of a reconstruction",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    only: StringProperty(
        name="Only Views",
        description="Names of the views to update, one a line; empty means all",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    target: StringProperty(
        name="Target",
        description="Root object to update; empty finds it by the result and the input",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    directory: StringProperty(
        name="Folder",
        description="Filled by the file browser",
        subtype="DIR_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need object mode, because the undo step of another mode would not hold objects."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to object mode first")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Build the given folder, or ask for one."""
        if self.folder:
            return self.execute(context)
        self.directory = getattr(context.scene, names.SCENE_SETTINGS).output_folder
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Build and tell what was built."""
        clear_failure(context.window_manager)
        folder = Path(bpy.path.abspath(self.folder or self.directory))
        self.folder = str(folder)
        try:
            result = load_result(folder)
            only = self.only.splitlines()
            root = bpy.data.objects.get(self.target) if self.target else None
            options = make_build_options(context.scene)
            report = build_scene(context, result, options, only, root)
        except EngineError as error:
            return report_failure(self, context, error)
        if getattr(context.scene, names.SCENE_SETTINGS).frame_view and not report.is_update:
            frame_result(context, report.centre, report.size)
        for note in report.notes:
            self.report({"INFO"}, note)
        self.report(
            {"INFO"},
            f"{'Updated' if report.is_update else 'Built'} {report.frames} poses and "
            f"{report.points} points in {report.seconds:.1f} s",
        )
        return {"FINISHED"}
