# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Size a reconstruction by a distance that one knows.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import FloatProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.world_tools import scale_by_distance
from .world_poll import can_move_world, run_with_places


class DA3_OT_scale_by_distance(Operator):
    """Size a reconstruction by a distance that one knows."""

    bl_idname = names.OP_SCALE_BY_DISTANCE
    bl_label = "Scale by Distance"
    bl_description = (
        "Scale the reconstruction, about the world's origin, so that the last two picked points, "
        "two selected objects or two selected vertices are so far apart"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    distance: FloatProperty(
        name="Distance",
        description="What the two points really are apart",
        default=1.0,
        min=1e-6,
        soft_max=1000.0,
        unit="LENGTH",
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        return can_move_world(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Find the places and move the root."""
        return run_with_places(
            self,
            context,
            2,
            lambda root, places: scale_by_distance(context, root, places, self.distance),
        )
