# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Size a reconstruction by the height of something in it.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import FloatProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.world_tools import scale_by_height
from .world_poll import can_move_world, run_with_places


class DA3_OT_scale_by_height(Operator):
    """Size a reconstruction by the height of something in it."""

    bl_idname = names.OP_SCALE_BY_HEIGHT
    bl_label = "Scale by Height"
    bl_description = (
        "Scale the reconstruction, about the world's origin, so that one of two points is so much "
        "higher than the other: foot and head of a person, bottom and top of a door"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    height: FloatProperty(
        name="Height",
        description="From the lower to the higher point",
        default=1.75,
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
            lambda root, places: scale_by_height(context, root, places, self.height),
        )
