# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose photos or a video.

Runs in Blender.
"""

from pathlib import Path

from bpy.props import BoolProperty, CollectionProperty, StringProperty
from bpy.types import Context, Event, Operator, OperatorFileListElement

from ..da3_blender.contract import names
from ..da3_blender.scene.properties import refresh_summary
from ..da3_blender.scene.settings_from_scene import find_input_folder
from .photo_check import welcome_input


class DA3_OT_choose_files(Operator):
    """Open the file browser for one or more files."""

    bl_idname = names.OP_CHOOSE_FILES
    bl_label = "Choose Files"
    bl_description = "Choose single photos, or one video"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder that holds the files",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    files: CollectionProperty(
        type=OperatorFileListElement,
        name="Files",
        description="Names of the chosen files",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    # Photos of phones, which Blender does not count as images.
    filter_glob: StringProperty(default="*.heic;*.heif", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the browser at the present input."""
        self.directory = find_input_folder(context.scene)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Take the files: one becomes the input path, more become a list."""
        chosen = [item.name for item in self.files if item.name]
        if not chosen:
            self.report({"ERROR"}, "No file was chosen. Select photos or a video in the browser.")
            return {"CANCELLED"}
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        if len(chosen) == 1:
            settings.input_path = str(Path(self.directory) / chosen[0])
            welcome_input(context)
            return {"FINISHED"}
        settings.input_path = self.directory
        for name in chosen:
            settings.input_files.add().name = name
        refresh_summary(settings)
        welcome_input(context)
        return {"FINISHED"}
