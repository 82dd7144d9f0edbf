# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repair the engine: install again what is damaged, everything if need be.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.setup_request import REPAIR
from .engine_setup_access import carry_out, refuse_while_busy
from .extension import get_preferences
from .setup_dialog import DIALOG_WIDTH_PX, draw_setup_plan


class DA3_OT_repair_engine(Operator):
    """Start the installer's repair and return at once."""

    bl_idname = names.OP_REPAIR_ENGINE
    bl_label = "Repair"
    bl_description = (
        "Install again what is missing or damaged in the engine, from the internet or the "
        "folder of the preferences"
    )
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set

    wait: BoolProperty(
        name="Wait",
        description="Return when it is done; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need nothing else in progress."""
        return refuse_while_busy(cls)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Show what it may have to install again, and ask."""
        return context.window_manager.invoke_props_dialog(
            self, width=DIALOG_WIDTH_PX, title="Repair Engine", confirm_text="Repair"
        )

    def draw(self, context: Context) -> None:
        """Show the source, and sizes for the case that all has to be installed again."""
        self.layout.label(text="Only what is damaged is installed again; at worst this:")
        draw_setup_plan(self.layout, get_preferences(context))

    def execute(self, context: Context) -> set[str]:
        """Start."""
        return carry_out(self, context, REPAIR, waits=self.wait)
