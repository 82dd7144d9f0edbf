# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set resolution and numbers by one word.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import EnumProperty
from bpy.types import Context, Operator, OperatorProperties

from ..da3_blender.contract import names
from ..da3_blender.contract.quality import QUALITIES, get_quality


class DA3_OT_set_quality(Operator):
    """Fill the settings that decide between fast and fine."""

    bl_idname = names.OP_SET_QUALITY
    bl_label = "Quality"
    bl_description = "Set resolution, points and features at once"
    bl_options = {"UNDO", "INTERNAL"}  # noqa: RUF012 - Blender wants a set

    level: EnumProperty(
        name="Level",
        description="How fine",
        items=[(quality.id, quality.title, quality.purpose) for quality in QUALITIES],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: Context, properties: OperatorProperties) -> str:
        """Tell what this level is for, and its numbers."""
        quality = get_quality(properties.level)
        pixels, points = quality.values["process_resolution"], quality.values["max_points"]
        return f"{quality.purpose}. {pixels} pixels, up to {points:,} points"

    def execute(self, context: Context) -> set[str]:
        """Set them."""
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        for name, value in get_quality(self.level).values.items():
            setattr(settings, name, value)
        return {"FINISHED"}
