# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the engine up: shows what it takes and asks, then works beside Blender.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.setup_request import FOLDER, INSTALL
from .engine_setup_access import carry_out, refuse_while_busy
from .extension import get_preferences
from .setup_dialog import DIALOG_WIDTH_PX, draw_setup_plan


class DA3_OT_install_engine(Operator):
    """Show size, disk, licences and source; then start the installer and return at once."""

    bl_idname = names.OP_INSTALL_ENGINE
    bl_label = "Set Up Engine"
    bl_description = (
        "Install what computes beside Blender, into a folder of its own; shows size and licences "
        "and asks first. Blender can be used meanwhile"
    )
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set

    folder: StringProperty(
        name="Folder",
        description="Folder with all packages; empty: what the preferences say",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    wait: BoolProperty(
        name="Wait",
        description="Return when the engine is set up; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need nothing else in progress."""
        return refuse_while_busy(cls)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Show what will be installed, and ask."""
        get_preferences(context).refresh_engine()
        return context.window_manager.invoke_props_dialog(
            self, width=DIALOG_WIDTH_PX, title="Set Up Engine", confirm_text="Set Up"
        )

    def draw(self, context: Context) -> None:
        """Show size, disk, licences and where the packages come from."""
        draw_setup_plan(self.layout, get_preferences(context))

    def execute(self, context: Context) -> set[str]:
        """Start."""
        if self.folder:
            preferences = get_preferences(context)
            preferences.packages_source = FOLDER
            preferences.packages_folder = self.folder
        return carry_out(self, context, INSTALL, waits=self.wait)
