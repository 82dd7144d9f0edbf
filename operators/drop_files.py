# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and videos that are dropped on a 3D view become the input.

Runs in Blender. Annotations are read by Blender, so they may not be postponed. Blender offers
files to handlers by their extension, so a folder itself cannot be dropped: any file of it can.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty
from bpy.types import Context, Event, FileHandler, Operator, OperatorFileListElement

from ..da3_blender.contract import names
from ..da3_blender.contract.formats import PHOTO_SUFFIXES, VIDEO_SUFFIXES, is_video_name
from ..da3_blender.scene.input_summary import find_sequence, list_photo_names
from ..da3_blender.scene.properties import refresh_summary
from .photo_check import welcome_input

_FEWEST_FRAMES = 12  # numbered files in a row that are offered as a sequence


class DA3_FH_photos(FileHandler):
    """Offers our line in the menu that Blender shows after a drop."""

    bl_idname = "DA3_FH_photos"
    bl_label = "Reconstruct with Depth Anything 3"
    bl_import_operator = names.OP_DROP_FILES
    bl_file_extensions = ";".join(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES))

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Take drops on 3D views."""
        return context.area is not None and context.area.type == "VIEW_3D"


class DA3_OT_drop_files(Operator):
    """Ask what is meant by the dropped files, and take them as the input."""

    bl_idname = names.OP_DROP_FILES
    bl_label = "Reconstruct Dropped Files"
    bl_description = "Take the dropped photos or the video as the input of a reconstruction"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder of the files",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    files: CollectionProperty(
        type=OperatorFileListElement,
        name="Files",
        description="Names of the files",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    whole_folder: BoolProperty(
        name="Whole Folder",
        description="Use all photos of the folder, not only the dropped ones",
        default=False,
        options={"SKIP_SAVE"},
    )
    is_sequence: BoolProperty(
        name="Image Sequence",
        description="The files are numbered frames of one shot: one camera moves through them",
        default=False,
        options={"SKIP_SAVE"},
    )
    folder_photos: IntProperty(
        name="Photos in the Folder",
        description="Counted when the files were dropped",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    begin: BoolProperty(
        name="Reconstruct at Once",
        description="Start the reconstruction now, with the settings of the panel",
        default=False,
    )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Guess what is meant, and ask."""
        dropped = [item.name for item in self.files if item.name]
        present = self._list_folder()
        self.folder_photos = len(present)
        if len(dropped) == 1 and not is_video_name(Path(dropped[0])):
            sequence = find_sequence(present, dropped[0])
            self.is_sequence = len(sequence) >= _FEWEST_FRAMES and len(sequence) == len(present)
            # One picture is no reconstruction, so its neighbours are meant.
            self.whole_folder = len(present) > 1
        return context.window_manager.invoke_props_dialog(
            self, title="Reconstruct", confirm_text="Use"
        )

    def draw(self, _context: Context) -> None:
        """Show what was dropped, and what it may mean."""
        layout = self.layout
        dropped = [item.name for item in self.files if item.name]
        if len(dropped) == 1:
            layout.label(text=dropped[0], icon="FILE_IMAGE")
        else:
            layout.label(text=f"{len(dropped)} files", icon="FILE_IMAGE")
        if not any(is_video_name(Path(name)) for name in dropped):
            folder = Path(self.directory).name
            text = f"Whole folder {folder} ({self.folder_photos} photos)"
            layout.prop(self, "whole_folder", text=text)
            layout.prop(self, "is_sequence")
        layout.prop(self, "begin")

    def execute(self, context: Context) -> set[str]:
        """Set the input, and start if that is wished."""
        dropped = [item.name for item in self.files if item.name]
        if not dropped:
            self.report({"ERROR"}, "No file was dropped. Drop photos or a video.")
            return {"CANCELLED"}
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        is_video = len(dropped) == 1 and is_video_name(Path(dropped[0]))
        if self.whole_folder and not is_video:
            settings.input_path = self.directory
        elif len(dropped) == 1:
            settings.input_path = str(Path(self.directory) / dropped[0])
        else:
            settings.input_path = self.directory
            for name in dropped:
                settings.input_files.add().name = name
            refresh_summary(settings)
        settings.input_kind = "SEQUENCE" if self.is_sequence and not is_video else "AUTO"
        self.report({"INFO"}, f"Input: {settings.input_summary}.")
        if self.begin:
            return bpy.ops.da3.reconstruct()
        welcome_input(context)
        return {"FINISHED"}

    def _list_folder(self) -> list[str]:
        try:
            return list_photo_names(self.directory)
        except OSError:  # execute reports it when the input is read
            return []
