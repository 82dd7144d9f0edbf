# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: which frames of a sequence or video are used.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names

if TYPE_CHECKING:
    from bpy.types import Context


class DA3_PT_sequence(Panel):
    """Kind of input, range, step, keyframes."""

    bl_label = "Video & Sequence"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw(self, context: Context) -> None:
        """Show range, step and keyframes, grey where they have no meaning."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        layout.prop(settings, "input_kind")
        body = layout.column()
        body.enabled = settings.input_kind != "PHOTOS"
        body.prop(settings, "use_frame_range")
        column = body.column(align=True)
        column.enabled = settings.use_frame_range
        column.prop(settings, "frame_start")
        column.prop(settings, "frame_end")
        body.prop(settings, "target_fps")
        row = body.row()
        row.enabled = settings.target_fps == 0
        row.prop(settings, "frame_step")
        body.prop(settings, "keyframes")
        if settings.keyframes == "AUTO":
            body.prop(settings, "keyframe_motion")
        elif settings.keyframes == "COUNT":
            body.prop(settings, "keyframe_count")
        if settings.keyframes != "OFF":
            body.prop(settings, "pose_between")
        body.prop(settings, "chunk_frames")
        row = body.row()
        row.enabled = settings.chunk_frames > 0
        row.prop(settings, "chunk_method")
        row = body.row()
        row.enabled = settings.chunk_frames > 0
        row.prop(settings, "show_chunks")
