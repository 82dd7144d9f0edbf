# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconstruction in the scene consists of, what is doubtful in it, and what to do with it.

Runs in Blender, while the panel is drawn: reads custom properties, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpy.types import Panel

from ..da3_blender.contract import names
from ..da3_blender.contract.models import MODELS
from ..da3_blender.scene.properties import (
    are_photos_shown,
    are_shown,
    find_root,
    list_parts,
)
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, Object, UILayout

_MOST_DOUBTFUL: Final = 4
_PHOTOS: Final = "photos"


class DA3_PT_result(Panel):
    """The reconstruction of the active object, or the newest one."""

    bl_label = "Result"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show it where there is one."""
        return find_root(context) is not None

    def draw_header_preset(self, context: Context) -> None:
        """Tell which one it is."""
        row = self.layout.row()
        row.active = False
        row.label(text=find_root(context).name)

    def draw(self, context: Context) -> None:
        """Facts, looking around, doubtful views, doing it again."""
        layout = self.layout
        root = find_root(context)
        facts = _read_facts(root)
        _draw_facts(layout, facts)
        _draw_cameras(layout)
        _draw_parts(layout, context, root)
        _draw_doubt(layout, context, facts)
        column = layout.column(align=True)
        column.operator(names.OP_REBUILD, icon="FILE_REFRESH")
        column.operator(names.OP_RERUN_VIEWS, icon="CAMERA_DATA")
        folder = str(root.get(names.PROP_RESULT, ""))
        column.operator(
            names.OP_OPEN_RESULT, text="Open Folder", icon="FILE_FOLDER"
        ).folder = folder


def _read_facts(root: Object) -> dict[str, Any]:
    facts = root.get(names.PROP_FACTS)
    return {} if facts is None else facts.to_dict()


def _draw_facts(layout: UILayout, facts: dict[str, Any]) -> None:
    column = layout.column(align=True)
    column.scale_y = 0.85
    cameras, lost = int(facts.get("cameras", 0)), len(facts.get("lost", ()))
    shown = f"{cameras} of {cameras + lost}" if lost else str(cameras)
    by = str(facts.get("solver") or "")
    model = MODELS.get(str(facts.get("model") or ""))
    for label, value in (
        ("Cameras", shown),
        ("Points", f"{int(facts.get('points', 0)):,}"),
        ("Found by", by if model is None else f"{by}, {model.title}"),
        ("Size", "Measured, in metres" if facts.get("is_metric") else "Estimated"),
        ("Error", f"{facts['error_px']:.2f} pixels" if "error_px" in facts else ""),
    ):
        if not value:
            continue
        row = column.row()
        row.label(text=label)
        row.label(text=value)


def _draw_cameras(layout: UILayout) -> None:
    row = layout.row(align=True)
    row.operator(names.OP_STEP_CAMERA, text="", icon="TRIA_LEFT").step = -1
    row.operator(names.OP_LOOK_THROUGH, icon="VIEW_CAMERA")
    row.operator(names.OP_STEP_CAMERA, text="", icon="TRIA_RIGHT").step = 1


def _draw_parts(layout: UILayout, context: Context, root: Object) -> None:
    """Draw a button that stays pressed for each kind of object that is shown."""
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    layer = context.view_layer
    cameras = list_parts(root, names.ROLE_CAMERA)
    for part, title, icon in (
        (names.ROLE_CAMERA, "Cameras", "OUTLINER_OB_CAMERA"),
        (_PHOTOS, "Photos", "IMAGE_DATA"),
        (names.ROLE_POINTS, "Points", "OUTLINER_OB_POINTCLOUD"),
        (names.ROLE_SPLATS, "Splats", "OUTLINER_OB_POINTCLOUD"),
        (names.ROLE_MESH, "Mesh", "OUTLINER_OB_MESH"),
    ):
        objects = cameras if part == _PHOTOS else list_parts(root, part)
        if not objects:
            continue
        is_on = are_photos_shown(objects) if part == _PHOTOS else are_shown(objects, layer)
        grid.operator(names.OP_SHOW_PARTS, text=title, icon=icon, depress=is_on).part = part


def _draw_doubt(layout: UILayout, context: Context, facts: dict[str, Any]) -> None:
    doubtful, reasons = list(facts.get("doubtful", ())), list(facts.get("reasons", ()))
    if not doubtful:
        return
    header, body = layout.panel("da3_doubtful_views", default_closed=False)
    plural = "s" if len(doubtful) > 1 else ""
    header.label(text=f"{len(doubtful)} doubtful view{plural}", icon="ERROR")
    if body is None:
        return
    for name, reason in list(zip(doubtful, reasons, strict=False))[:_MOST_DOUBTFUL]:
        draw_wrapped(body, context, f"{name}: {reason}")
    if len(doubtful) > _MOST_DOUBTFUL:
        body.label(text=f"and {len(doubtful) - _MOST_DOUBTFUL} more")
    row = body.row(align=True)
    row.operator(names.OP_SELECT_DOUBTFUL, text="Select", icon="RESTRICT_SELECT_OFF")
    step = row.operator(names.OP_STEP_CAMERA, text="Look", icon="VIEW_CAMERA")
    step.step, step.only_doubtful = 1, True
