# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show only a share of the Gaussians, the important first.

Runs in Blender.
"""

from bpy.props import FloatProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.splat_files import find_chosen
from ..da3_blender.scene.splat_tools import decimate
from .splat_poll import can_use_splats


class DA3_OT_decimate_splats(Operator):
    """Set the budget of each chosen object."""

    bl_idname = names.OP_DECIMATE_SPLATS
    bl_label = "Decimate"
    bl_description = "Show only a share of the Gaussians, the important first; nothing is deleted"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    percentage: FloatProperty(
        name="Share",
        description="How many of the Gaussians show; 100 % shows all",
        subtype="PERCENTAGE",
        default=50.0,
        min=0.01,
        max=100.0,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats."""
        return can_use_splats(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Set the budgets."""
        chosen = find_chosen(context)
        count = sum(decimate(ob, self.percentage) for ob in chosen)
        total = sum(len(ob.data.vertices) for ob in chosen)
        self.report({"INFO"}, f"{count:,} of {total:,} Gaussians are within the budget")
        return {"FINISHED"}
