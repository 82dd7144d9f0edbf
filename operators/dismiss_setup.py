# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Close the message about the set-up.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.client.engine_setup import dismiss_setup
from ..da3_blender.contract import names


class DA3_OT_dismiss_setup(Operator):
    """Take the outcome of the last set-up off the panel."""

    bl_idname = names.OP_DISMISS_SETUP
    bl_label = "Dismiss"
    bl_description = "Close this message; the engine stays as it is"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    def execute(self, _context: Context) -> set[str]:
        """Remember that it was seen."""
        dismiss_setup()
        return {"FINISHED"}
