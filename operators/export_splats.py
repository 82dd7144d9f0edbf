# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export splat objects to a file that other splat programs read.

Runs in Blender.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, Event, Menu, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.splat_files import export_splats, find_chosen, suggest_name
from ..da3_blender.splats.axes import UpAxis
from ..da3_blender.splats.files import SplatFormat
from .failures import report_failure
from .import_splats import UP_AXES

FORMATS = (
    ("PLY", "PLY", "Exact; read by every splat program"),
    ("COMPRESSED_PLY", "Compressed PLY", "A quarter of the size; PlayCanvas, SuperSplat"),
    ("SPZ", "SPZ", "A seventh of the size; Niantic, Scaniverse and many viewers"),
    ("SPLAT", "splat", "One colour for all sides; web viewers"),
    ("USD", "USD ParticleField", "Text, for programs with OpenUSD 26.03 or later"),
)


class DA3_OT_export_splats(Operator):
    """Write the selected splat objects into one file."""

    bl_idname = names.OP_EXPORT_SPLATS
    bl_label = "Export Splats"
    bl_description = "Write the selected splats, with their transforms, into one file"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012 - Blender wants a set

    filepath: StringProperty(
        name="File", description="File to write", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    check_existing: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(
        default="*.ply;*.spz;*.splat;*.usda", options={"HIDDEN", "SKIP_SAVE"}
    )
    file_format: EnumProperty(name="Format", description="Kind of file", items=FORMATS)
    up_axis: EnumProperty(name="Up Axis", description="Which way is up in the file", items=UP_AXES)
    only_shown: BoolProperty(
        name="Only What Shows",
        description=(
            "Leave out what the limits of the object hide and degrees above its own, "
            "and write the colours with tint, saturation and brightness"
        ),
        default=True,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats."""
        if not find_chosen(context):
            cls.poll_message_set("Select one or more splat objects")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the browser with a name."""
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        self.filepath = str(folder / f"{suggest_name(context)}{self._get_suffix()}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: Context) -> bool:
        """Let the end of the name follow the format."""
        wanted = _set_suffix(self.filepath, self._get_suffix())
        is_changed = wanted != self.filepath
        self.filepath = wanted
        return is_changed

    def draw(self, _context: Context) -> None:
        """Show the choices."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        for name in ("file_format", "up_axis", "only_shown"):
            self.layout.prop(self, name)

    def execute(self, context: Context) -> set[str]:
        """Write the file."""
        path = Path(bpy.path.abspath(_set_suffix(self.filepath, self._get_suffix())))
        try:
            count = export_splats(
                find_chosen(context),
                path,
                SplatFormat[self.file_format],
                UpAxis(self.up_axis),
                only_shown=self.only_shown,
            )
        except EngineError as error:
            return report_failure(self, context, error)
        self.report({"INFO"}, f"{path.name}: {count:,} Gaussians")
        return {"FINISHED"}

    def _get_suffix(self) -> str:
        return SplatFormat[self.file_format].value


def _set_suffix(filepath: str, suffix: str) -> str:
    for other in sorted((kind.value for kind in SplatFormat), key=len, reverse=True):
        if filepath.lower().endswith(other):
            return filepath[: -len(other)] + suffix
    return filepath + suffix


def draw_menu(menu: Menu, _context: Context) -> None:
    """Add a line to File > Export."""
    menu.layout.operator(names.OP_EXPORT_SPLATS, text="Gaussian Splats (.ply, .spz, .splat, .usda)")
