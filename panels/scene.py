# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: what is built in the scene, and where results are kept.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names

if TYPE_CHECKING:
    from bpy.types import Context


class DA3_PT_scene(Panel):
    """Cameras, photos, render settings, results."""

    bl_label = "Scene"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw(self, context: Context) -> None:
        """Show the choices of the builder and its operator."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        column = layout.column()
        for name in ("camera_mode", "camera_size", "show_photos"):
            column.prop(settings, name)
        column = layout.column()
        for name in ("set_render_size", "set_frame_range", "standard_view", "frame_view"):
            column.prop(settings, name)
        column = layout.column()
        for name in ("update", "keep_edits"):
            column.prop(settings, name)
        layout.prop(settings, "output_folder")
        layout.operator(names.OP_BUILD_SCENE, text="Open Result", icon="IMPORT").folder = ""
