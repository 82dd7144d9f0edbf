# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look again which models are on this machine.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from .model_access import look_at_models


class DA3_OT_refresh_models(Operator):
    """Look at the folders with models in a thread."""

    bl_idname = names.OP_REFRESH_MODELS
    bl_label = "Look Again"
    bl_description = "Look again which models are on this machine"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    def execute(self, context: Context) -> set[str]:
        """Begin to look."""
        look_at_models(context)
        return {"FINISHED"}
