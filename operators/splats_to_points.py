# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make points of what shows of splats.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.splat_files import find_chosen
from ..da3_blender.scene.splat_points import add_points
from .failures import report_failure
from .splat_poll import can_use_splats


class DA3_OT_splats_to_points(Operator):
    """Add an object of points for each chosen one."""

    bl_idname = names.OP_SPLATS_TO_POINTS
    bl_label = "Turn to Points"
    bl_description = "Add an object with the coloured points of what shows; the splats stay"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats."""
        return can_use_splats(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Make the points and select them."""
        count = 0
        for ob in find_chosen(context):
            try:
                points = add_points(context, ob)
            except EngineError as error:
                return report_failure(self, context, error)
            count += len(points.data.vertices)
            ob.select_set(state=False)
            if points.name in context.view_layer.objects:
                points.select_set(state=True)
                context.view_layer.objects.active = points
        self.report({"INFO"}, f"{count:,} points; the splats are where they were")
        return {"FINISHED"}
