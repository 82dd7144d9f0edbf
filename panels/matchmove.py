# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one does with a tracked shot: set the scene up, use cameras again, tracks for Blender.

Runs in Blender, while the panel is drawn: reads properties, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names
from ..da3_blender.scene.properties import find_root

if TYPE_CHECKING:
    from bpy.types import Context


class DA3_PT_matchmove(Panel):
    """The shot of a reconstruction."""

    bl_label = "Matchmove"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show it where there is a reconstruction."""
        return find_root(context) is not None

    def draw(self, context: Context) -> None:
        """Show the shot's set-up, and the ways to and from Blender's own tracker."""
        layout = self.layout
        settings = getattr(context.scene, names.SCENE_SETTINGS).matchmove
        layout.operator(names.OP_REFINE, icon="TRACKER")
        column = layout.column(align=True)
        column.prop(settings, "test_objects")
        column.operator(
            names.OP_SET_UP_SHOT, icon="SCENE_DATA"
        ).test_objects = settings.test_objects
        if names.PROP_SET_UP in context.scene:
            column.operator(names.OP_REMOVE_SET_UP, icon="TRASH")
        column = layout.column(align=True)
        column.label(text="Cameras for the Next Run")
        row = column.row(align=True)
        row.operator(
            names.OP_USE_CAMERAS, text="Selected", icon="OUTLINER_OB_CAMERA"
        ).source = "SELECTED"
        row.operator(names.OP_USE_CAMERAS, text="Movie Clip", icon="TRACKER").source = "CLIP"
        column = layout.column(align=True)
        column.label(text="Blender's Tracker")
        row = column.row(align=True)
        row.prop(settings, "track_count")
        row.prop(settings, "solve", toggle=True)
        choices = column.operator(names.OP_TRACKS_TO_CLIP, icon="TRACKING")
        choices.count, choices.solve = settings.track_count, settings.solve
        column = layout.column(align=True)
        column.label(text="Other Programs")
        column.operator(names.OP_HAND_OVER, icon="EXPORT")
        column.operator(names.OP_EXPORT_RESULT, icon="RENDERLAYERS")
        column.operator(names.OP_ADD_LENS_NODES, icon="NODE_COMPOSITING")
