# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn splats whose file had another axis up.

Runs in Blender.
"""

from bpy.props import EnumProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.splat_files import find_chosen
from ..da3_blender.scene.splat_tools import turn_up
from .splat_poll import can_use_splats

AXES = tuple(
    (key, label, f"What points to {label} now will point up")
    for key, label in (
        ("PLUS_Y", "+Y"),
        ("MINUS_Y", "-Y"),
        ("PLUS_Z", "+Z"),
        ("MINUS_Z", "-Z"),
        ("PLUS_X", "+X"),
        ("MINUS_X", "-X"),
    )
)


class DA3_OT_turn_splats(Operator):
    """Turn by the transform of the object."""

    bl_idname = names.OP_TURN_SPLATS
    bl_label = "Turn Up Axis"
    bl_description = "Turn the splats so that what points along an axis of the scene points up"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    axis: EnumProperty(name="Up Was", description="Where up points now", items=AXES)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats."""
        return can_use_splats(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Turn each around its own origin."""
        for ob in find_chosen(context):
            turn_up(ob, self.axis)
        return {"FINISHED"}
