# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: who finds the cameras, and with which network.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names

if TYPE_CHECKING:
    from bpy.types import Context


class DA3_PT_cameras_model(Panel):
    """Solver, model, lens."""

    bl_label = "Cameras & Model"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw(self, context: Context) -> None:
        """Show what the chosen solver uses."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        layout.prop(settings, "cameras")
        if settings.cameras != "COLMAP":
            layout.label(text="Depth Anything 3")
            column = layout.column()
            for name in ("model", "checkpoint", "process_resolution", "resize_method"):
                column.prop(settings, name)
            column = layout.column()
            for name in ("reference_view", "use_ray_pose", "square_pixels"):
                column.prop(settings, name)
        if settings.cameras != "DA3":
            layout.label(text="COLMAP")
            column = layout.column()
            for name in ("lens_model", "shared_lens", "use_focal_prior", "matching"):
                column.prop(settings, name)
            column = layout.column()
            for name in ("max_features", "max_photo_side"):
                column.prop(settings, name)
        layout.separator()
        layout.prop(settings, "world_up")
