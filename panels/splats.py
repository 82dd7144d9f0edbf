# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian splats: files in and out, and how the active cloud looks.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names
from ..da3_blender.scene import splat_inputs as inputs

if TYPE_CHECKING:
    from bpy.types import Context, Object, UILayout


class DA3_PT_splats(Panel):
    """Import, export, look, limits."""

    bl_label = "Gaussian Splats"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw(self, context: Context) -> None:
        """Show the files, then the settings of the active object."""
        layout = self.layout
        row = layout.row(align=True)
        row.operator(names.OP_IMPORT_SPLATS, text="Import", icon="IMPORT")
        row.operator(names.OP_EXPORT_SPLATS, text="Export", icon="EXPORT")
        ob = context.active_object
        if ob is None or ob.get(names.PROP_ROLE) != names.ROLE_SPLATS or ob.type != "MESH":
            return
        layout.label(text=f"{ob.name}: {len(ob.data.vertices):,} Gaussians")
        if inputs.find_splat_modifier(ob) is None:
            layout.label(text="Its modifier was removed: nothing to set.", icon="INFO")
            return
        layout.use_property_split = True
        _draw_settings(layout, ob)


def _draw_settings(layout: UILayout, ob: Object) -> None:
    column = layout.column()
    for name in (inputs.LOOK, inputs.SIZE, inputs.POINT_SIZE, inputs.DEGREE, inputs.BUDGET):
        inputs.draw_input(column, ob, name)
    header, body = layout.panel("DA3_splat_limits", default_closed=True)
    header.label(text="Limits")
    if body is not None:
        column = body.column()
        for name in (
            inputs.LEAST_OPACITY,
            inputs.LARGEST_SIZE,
            inputs.LARGEST_STRETCH,
            inputs.LEAST_CONFIDENCE,
            inputs.LEAST_NEIGHBOURS,
            inputs.TRIM_BORDER,
            inputs.TRIM_FAR,
        ):
            inputs.draw_input(column, ob, name)
        inputs.draw_input(body, ob, inputs.CROP)
        inputs.draw_input(body, ob, inputs.CROP_BOX)
        body.operator(names.OP_CROP_SPLATS, icon="CUBE")
        body.operator(names.OP_FIND_FLOATERS, icon="PARTICLES")
    header, body = layout.panel("DA3_splat_colour", default_closed=True)
    header.label(text="Colour")
    if body is not None:
        column = body.column()
        for name in (inputs.TINT, inputs.SATURATION, inputs.BRIGHTNESS):
            inputs.draw_input(column, ob, name)
    header, body = layout.panel("DA3_splat_tools", default_closed=True)
    header.label(text="Tools")
    if body is not None:
        column = body.column()
        column.operator(names.OP_DECIMATE_SPLATS, icon="MOD_DECIM")
        column.operator_menu_enum(names.OP_TURN_SPLATS, "axis", icon="ORIENTATION_GLOBAL")
        column.operator(names.OP_SPLATS_TO_POINTS, icon="OUTLINER_OB_POINTCLOUD")
        column.operator(names.OP_PROXY_MESH, icon="MOD_REMESH")
    header, body = layout.panel("DA3_splat_render", default_closed=True)
    header.label(text="Render")
    if body is not None:
        column = body.column()
        for name in (inputs.DISPLAY_VALUES, inputs.FILTER, inputs.SORTED, inputs.DRAWN):
            inputs.draw_input(column, ob, name)
