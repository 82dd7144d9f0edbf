# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a reconstruction stands in the world: upright, floor, origin, axis, scale, other shots.

Runs in Blender, while the panel is drawn: reads properties, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.contract import names
from ..da3_blender.scene.properties import find_root, list_parts, read_proposal
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, Object, UILayout

    from ..da3_blender.scene.properties import WorldSettings


class DA3_PT_world(Panel):
    """The place, turn and size of a reconstruction."""

    bl_label = "World"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show it where there is a reconstruction."""
        return find_root(context) is not None

    def draw(self, context: Context) -> None:
        """Show the tools in the order in which one uses them."""
        layout = self.layout
        root = find_root(context)
        settings = getattr(context.scene, names.SCENE_SETTINGS).world
        _draw_upright(layout, context, root)
        _draw_points(layout, root)
        _draw_scale(layout, settings)
        column = layout.column(align=True)
        column.operator(names.OP_ALIGN_TO_OBJECT, icon="CON_CAMERASOLVER")
        column.operator(names.OP_JOIN_SHOTS, icon="AUTOMERGE_ON")


def _draw_upright(layout: UILayout, context: Context, root: Object) -> None:
    proposal = read_proposal(root)
    if not proposal:
        layout.operator(names.OP_PROPOSE_UPRIGHT, icon="ORIENTATION_GLOBAL")
        return
    box = layout.box()
    draw_wrapped(box, context, proposal, icon="QUESTION")
    row = box.row(align=True)
    row.operator(names.OP_ACCEPT_UPRIGHT, icon="CHECKMARK")
    row.operator(names.OP_TURN_DOWN_UPRIGHT, icon="LOOP_BACK")


def _draw_points(layout: UILayout, root: Object) -> None:
    count = len(list_parts(root, names.ROLE_POINT))
    column = layout.column(align=True)
    column.operator(names.OP_PICK_POINT, icon="RESTRICT_SELECT_OFF")
    if count:
        column.label(text=f"{count} picked point{'' if count == 1 else 's'}")
    column = layout.column(align=True)
    for operator in (names.OP_SET_FLOOR, names.OP_SET_ORIGIN):
        row = column.row(align=True)
        row.operator(operator)
        row.operator(operator, text="", icon="PIVOT_CURSOR").use_cursor = True
    row = column.row(align=True)
    row.operator(names.OP_SET_AXIS, text="Set X Axis").axis = "X"
    row.operator(names.OP_SET_AXIS, text="Set Y Axis").axis = "Y"


def _draw_scale(layout: UILayout, settings: WorldSettings) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.prop(settings, "distance", text="")
    row.operator(names.OP_SCALE_BY_DISTANCE).distance = settings.distance
    row = column.row(align=True)
    row.prop(settings, "thing", text="")
    if settings.thing == "OWN":
        row.prop(settings, "height", text="")
    row.operator(names.OP_SCALE_BY_HEIGHT).height = settings.get_height()
