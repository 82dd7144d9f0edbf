# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the preferences of the extension.

Runs in Blender.
"""

import bpy
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from .extension import BASE_PACKAGE


class DA3_OT_open_preferences(Operator):
    """Show where the engine and the weights are set."""

    bl_idname = names.OP_OPEN_PREFERENCES
    bl_label = "Open Preferences"
    bl_description = "Set the engine, the weights and downloads in the preferences"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    def execute(self, _context: Context) -> set[str]:
        """Show the add-on's entry, unfolded."""
        bpy.ops.preferences.addon_show(module=BASE_PACKAGE)
        return {"FINISHED"}
