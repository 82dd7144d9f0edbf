# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: who finds the cameras, and how.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpy.types import Panel

from ..da3_blender.contract import names
from ..da3_blender.contract.models import MODELS, Capability
from .model_facts import explain_single_view
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, PropertyGroup, UILayout


REFINE_PROPERTIES: Final = (
    "refine_focal",
    "refine_distortion",
    "refine_principal_point",
    "refine_features",
)


class DA3_PT_cameras_model(Panel):
    """Solver, network, lens."""

    bl_label = "Cameras"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw(self, context: Context) -> None:
        """Show what the chosen solver uses; grey what has no effect, with the reason."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        row = layout.row(align=True)
        row.prop(settings, "known_cameras")
        row.operator(names.OP_USE_CAMERAS, text="", icon="OUTLINER_OB_CAMERA").source = "SELECTED"
        row = layout.row()
        row.enabled = not settings.known_cameras
        row.prop(settings, "cameras")
        layout.label(text="Depth Anything 3")
        _draw_network(layout, context, settings)
        if settings.cameras in ("AUTO", "COLMAP") and not settings.known_cameras:
            layout.label(text="COLMAP")
            column = layout.column()
            for name in ("use_focal_prior", "matching", "max_features", "max_photo_side"):
                column.prop(settings, name)
        layout.separator()
        layout.label(text="Lens")
        for name in ("lens_model", "shared_lens"):
            layout.prop(settings, name)
        row = layout.row()
        row.enabled = settings.cameras != "TRIPOD" or bool(settings.known_cameras)
        row.prop(settings, "refine")
        column = layout.column()
        column.active = settings.refine or not row.enabled
        for name in REFINE_PROPERTIES:
            column.prop(settings, name)
        layout.separator()
        layout.prop(settings, "world_up")


def _draw_network(layout: UILayout, context: Context, settings: PropertyGroup) -> None:
    entry = MODELS[settings.model]
    column = layout.column()
    for name in ("process_resolution", "resize_method"):
        column.prop(settings, name)
    best = entry.greatest_resolution
    if best and settings.process_resolution > best:
        draw_wrapped(layout, context, f"{entry.title} sees at most {best} pixels", icon="INFO")
    row = layout.row()
    row.enabled = not entry.can(Capability.METRIC)
    row.prop(settings, "measure_scale")
    if not row.enabled:
        draw_wrapped(layout, context, f"{entry.title} measures metres anyway", icon="INFO")
    if settings.cameras == "AUTO" and entry.is_bundled:
        draw_wrapped(layout, context, f"{entry.title} leaves the cameras to COLMAP", icon="INFO")
    elif settings.cameras == "DA3" and entry.is_bundled:
        text = f"The cameras of {entry.title} are little more than a guess; COLMAP's are exact"
        draw_wrapped(layout, context, text, icon="ERROR")
    if settings.cameras == "COLMAP":
        return
    why_not = explain_single_view(entry)
    column = layout.column()
    column.enabled = not why_not
    for name in ("reference_view", "use_ray_pose", "square_pixels"):
        column.prop(settings, name)
    if why_not:
        draw_wrapped(layout, context, why_not, icon="INFO")
