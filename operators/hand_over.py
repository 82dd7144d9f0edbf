# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand a reconstruction to other programs.

Runs in Blender.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.camera_files.delivery_names import TEMPLATE
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.hand_over import FORMATS, HandOver, hand_over
from ..da3_blender.scene.lookup import find_root
from .failures import report_failure


class DA3_OT_hand_over(Operator):
    """Write a reconstruction as it stands in the scene, in several formats at once."""

    bl_idname = names.OP_HAND_OVER
    bl_label = "Hand Over"
    bl_description = (
        "Write cameras, points and meshes as they stand in the scene into one folder, for Nuke, "
        "Maya, Houdini, COLMAP and others"
    )
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder for the files",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    formats: EnumProperty(
        name="Formats",
        description="Kinds of files; hold Shift to choose several",
        items=FORMATS,
        options={"ENUM_FLAG"},
        default={"ABC", "NUKE", "CAMERAS"},
    )
    shot: StringProperty(
        name="Shot",
        description="Name for the files; empty is the name of the reconstruction",
        options={"SKIP_SAVE"},
    )
    version: IntProperty(
        name="Version",
        description="Number in the names, files of it are replaced; 0 is the first free one",
        default=0,
        min=0,
        options={"SKIP_SAVE"},
    )
    template: StringProperty(
        name="Names",
        description="How files are called: {shot}, {what} is the kind of file, {version:03d}",
        default=TEMPLATE,
    )
    with_cloud: BoolProperty(name="Points", description="Also the cloud of points", default=True)
    with_meshes: BoolProperty(
        name="Meshes", description="Also the meshes that are visible", default=True
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction, in Object Mode."""
        if find_root(context) is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Go back to Object Mode first")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the browser beside the .blend file."""
        if not self.directory and bpy.data.filepath:
            self.directory = str(Path(bpy.data.filepath).parent)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, _context: Context) -> None:
        """Show the choices."""
        layout = self.layout
        layout.column().prop(self, "formats")
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in ("shot", "version", "template", "with_cloud", "with_meshes"):
            layout.prop(self, name)

    def execute(self, context: Context) -> set[str]:
        """Write the files."""
        root = find_root(context)
        if not self.directory:
            self.report({"ERROR"}, "No folder was chosen. Choose a folder for the files.")
            return {"CANCELLED"}
        wanted = HandOver(
            Path(bpy.path.abspath(self.directory)),
            frozenset(self.formats),
            self.shot or root.name,
            self.template,
            self.version,
            self.with_cloud,
            self.with_meshes,
        )
        try:
            made = hand_over(context, root, wanted)
        except EngineError as error:
            return report_failure(self, context, error)
        for note in made.notes:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, f"{len(made.paths)} files of version {made.version}: {wanted.folder}")
        return {"FINISHED"}
