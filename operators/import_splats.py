# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import files of Gaussian splats, chosen in the browser or dropped on the window.

Runs in Blender.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy.types import Context, Event, FileHandler, Menu, Operator, OperatorFileListElement

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.splat_files import import_splats, prepare_cycles
from ..da3_blender.splats.axes import UpAxis
from ..da3_blender.splats.files import SUFFIXES
from .failures import report_failure

UP_AXES = (
    ("MINUS_Y", "-Y (usual)", "As 3D Gaussian Splatting, COLMAP and DA3 write: y down, z forward"),
    ("PLUS_Y", "+Y", "As web viewers and game engines often write: y up, z towards the viewer"),
    ("PLUS_Z", "+Z", "As Blender: z up"),
)


class DA3_OT_import_splats(Operator):
    """Read .ply, .compressed.ply, .spz and .splat files."""

    bl_idname = names.OP_IMPORT_SPLATS
    bl_label = "Import Splats"
    bl_description = "Get clouds of Gaussians from .ply, .compressed.ply, .spz and .splat files"
    bl_options = {"REGISTER", "UNDO", "PRESET"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder of the files",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    files: CollectionProperty(
        type=OperatorFileListElement,
        name="Files",
        description="Names of the files",
        options={"SKIP_SAVE"},
    )
    filepath: StringProperty(
        name="File",
        description="One file, in place of folder and files",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(default="*.ply;*.spz;*.splat", options={"HIDDEN", "SKIP_SAVE"})
    up_axis: EnumProperty(name="Up Axis", description="Which way is up in the files", items=UP_AXES)
    display_values: BoolProperty(
        name="Display Values",
        description=(
            "Blend as the files were trained, with the view transform Raw for renders; "
            "off: blend light, which mixes with other objects"
        ),
        default=False,
    )
    prepare: BoolProperty(
        name="Prepare Cycles",
        description="Let Cycles look through 256 layers and blend them without noise",
        default=True,
    )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Show the options of dropped files, else open the browser."""
        if self.files or self.filepath:
            return context.window_manager.invoke_props_dialog(self)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, _context: Context) -> None:
        """Show the three choices."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        for name in ("up_axis", "display_values", "prepare"):
            self.layout.prop(self, name)

    def execute(self, context: Context) -> set[str]:
        """Read the files one after the other."""
        paths = [Path(self.directory) / item.name for item in self.files if item.name]
        if not paths and self.filepath:
            paths = [Path(self.filepath)]
        if not paths:
            self.report({"ERROR"}, "No file was chosen. Select files of Gaussians in the browser.")
            return {"CANCELLED"}
        if self.prepare:
            prepare_cycles(context.scene)
        for path in paths:
            absolute = Path(bpy.path.abspath(str(path)))
            try:
                made = import_splats(
                    context, absolute, UpAxis(self.up_axis), display_values=self.display_values
                )
            except EngineError as error:
                return report_failure(self, context, error)
            text = f"{absolute.name}: {made.count:,} Gaussians of degree {made.degree}"
            if made.dropped:
                self.report({"WARNING"}, f"{text}; {made.dropped:,} without sound numbers left out")
            else:
                self.report({"INFO"}, text)
        return {"FINISHED"}


class DA3_FH_splats(FileHandler):
    """Takes files of Gaussians that are dropped on a viewport or the outliner."""

    bl_idname = "DA3_FH_splats"
    bl_label = "Gaussian Splats"
    bl_import_operator = names.OP_IMPORT_SPLATS
    bl_file_extensions = ";".join(SUFFIXES)

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Need a viewport or an outliner below the mouse."""
        return context.area is not None and context.area.type in {"VIEW_3D", "OUTLINER"}


def draw_menu(menu: Menu, _context: Context) -> None:
    """Add a line to File > Import."""
    menu.layout.operator(names.OP_IMPORT_SPLATS, text="Gaussian Splats (.ply, .spz, .splat)")
