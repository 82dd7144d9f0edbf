# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: who finds the cameras, and with which network; the list of models.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Menu, Panel

from ..da3_blender.contract import names
from ..da3_blender.contract.models import (
    MODELS,
    estimate_memory_bytes,
    format_gigabytes,
    list_models,
)

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

_BASE_PACKAGE = __package__.rpartition(".")[0]
_SIDES = 3 / 4  # of a usual photo, for the estimate of memory


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
        layout.label(text="Depth Anything 3")
        _draw_model(layout, settings.model, settings.process_resolution)
        column = layout.column()
        for name in ("checkpoint", "process_resolution", "resize_method", "measure_scale"):
            column.prop(settings, name)
        if settings.cameras != "COLMAP":
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


class DA3_MT_models(Menu):
    """The models that the user may choose."""

    bl_idname = names.MENU_MODELS
    bl_label = "Model"
    bl_description = "Network of Depth Anything 3, with the size and the licence of its weights"

    def draw(self, context: Context) -> None:
        """List the catalogue, without what the preferences hide."""
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        shown = list_models(commercial_only=_is_commercial_only(context))
        for is_deprecated in (False, True):
            entries = [entry for entry in shown if entry.is_deprecated == is_deprecated]
            if is_deprecated and entries:
                self.layout.separator()
            for entry in entries:
                self.layout.prop_enum(settings, "model", entry.id)


def _is_commercial_only(context: Context) -> bool:
    return context.preferences.addons[_BASE_PACKAGE].preferences.commercial_only


def _draw_model(layout: UILayout, model_id: str, resolution: int) -> None:
    entry = MODELS[model_id]
    split = layout.split(factor=0.4)
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text="Model")
    row = split.row(align=True)
    row.menu(names.MENU_MODELS, text=entry.title)
    row.operator(names.OP_DOWNLOAD_MODEL, text="", icon="IMPORT").model = entry.id
    column = layout.column(align=True)
    column.scale_y = 0.85
    allowed = "" if entry.is_commercial_use_allowed else ", no commercial use"
    column.label(text=f"{entry.licence.title}{allowed}", icon="BLANK1")
    shape = round(resolution * _SIDES), resolution
    first = estimate_memory_bytes(entry.id, 1, *shape)
    further = (estimate_memory_bytes(entry.id, 101, *shape) - first) / 100
    each = f", {further / 1e6:.0f} MB a photo" if further else ""
    column.label(text=f"Needs {format_gigabytes(first)}{each}", icon="BLANK1")
