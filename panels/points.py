# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: which points are made and how they look.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names

if TYPE_CHECKING:
    from bpy.types import Context


class DA3_PT_points(Panel):
    """Number, filters, size, surfaces."""

    bl_label = "Points & Mesh"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw(self, context: Context) -> None:
        """Show the settings of the run, then those of the object, then those of the view."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        for group in (
            ("max_points", "drop_percent", "edge_step", "least_views"),
            ("masks", "masks_inverted"),
            ("point_display", "point_size", "min_confidence", "min_views", "show_moving"),
            ("draw_points",),
        ):
            column = layout.column()
            for name in group:
                column.prop(settings, name)
            if "masks" in group:
                column.operator(names.OP_WRITE_MASK, icon="MOD_MASK")
        row = layout.row()
        row.enabled = settings.draw_points
        row.prop(settings, "draw_limit")
        layout.separator()
        column = layout.column()
        column.enabled = settings.make_mesh
        for name in ("mesh_step", "mesh_drop_percent", "mesh_cut"):
            column.prop(settings, name)
        column = layout.column()
        column.enabled = settings.make_splats
        column.prop(settings, "max_splats")
