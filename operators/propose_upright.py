# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Propose how a reconstruction stands upright on its floor.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.upright import propose_upright
from ..da3_blender.scene.world_points import leave_edit_mode
from .failures import report_failure
from .world_poll import can_move_world


class DA3_OT_propose_upright(Operator):
    """Move the root so that the floor is z = 0; remember where it was."""

    bl_idname = names.OP_PROPOSE_UPRIGHT
    bl_label = "Propose Upright"
    bl_description = (
        "Look for up in how the cameras were held and for the floor among the points, and stand "
        "the reconstruction on it. Keep it with Accept, or put it back with Turn Down"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        return can_move_world(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Propose and tell what was found."""
        leave_edit_mode(context)
        try:
            found = propose_upright(context, find_root(context))
        except EngineError as error:
            return report_failure(self, context, error)
        self.report({"INFO"}, found.text)
        return {"FINISHED"}
