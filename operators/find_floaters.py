# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hide the Gaussians that have hardly any others near them.

Runs in Blender.
"""

from bpy.props import FloatProperty, IntProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.splat_files import find_chosen
from ..da3_blender.scene.splat_tools import find_floaters
from .failures import report_failure
from .splat_poll import can_use_splats


class DA3_OT_find_floaters(Operator):
    """Count the neighbours of each Gaussian and set the limit."""

    bl_idname = names.OP_FIND_FLOATERS
    bl_label = "Find Floaters"
    bl_description = (
        "Count the neighbours of each Gaussian and hide lonely ones; nothing is deleted. "
        "Again after changes"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    reach: FloatProperty(
        name="Reach",
        description="How far to look, in typical distances from one Gaussian to the next",
        default=8.0,
        min=0.1,
        max=1000.0,
        soft_max=50.0,
    )
    least: IntProperty(
        name="Min Neighbours",
        description="Gaussians with fewer others within reach are hidden",
        default=3,
        min=1,
        soft_max=100,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats."""
        return can_use_splats(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Count in each object by itself."""
        hidden = total = 0
        for ob in find_chosen(context):
            try:
                found = find_floaters(ob, self.reach, self.least)
            except EngineError as error:
                return report_failure(self, context, error)
            hidden += found.hidden
            total += found.count
        share = 100 * hidden / total
        self.report({"INFO"}, f"{hidden:,} of {total:,} Gaussians ({share:.2f} %) are hidden")
        return {"FINISHED"}
