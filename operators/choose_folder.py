# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose a folder of photos.

Runs in Blender.
"""

from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.settings_from_scene import find_input_folder
from .photo_check import welcome_input


class DA3_OT_choose_folder(Operator):
    """Open the file browser for a folder."""

    bl_idname = names.OP_CHOOSE_FOLDER
    bl_label = "Choose Folder"
    bl_description = "Choose the folder that holds the photos or the sequence"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder that holds the photos",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the browser at the present input."""
        self.directory = find_input_folder(context.scene)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Take the folder."""
        getattr(context.scene, names.SCENE_SETTINGS).input_path = self.directory
        welcome_input(context)
        return {"FINISHED"}
