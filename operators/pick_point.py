# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a small empty on the points of a reconstruction that the user clicks.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import bpy
from bpy.props import FloatVectorProperty, StringProperty
from bpy.types import Area, Context, Event, Operator, Region

from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.point_picking import find_point, read_window
from ..da3_blender.scene.world_points import add_picked
from .world_poll import can_move_world

_NAVIGATION = {
    "MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "MOUSEMOVE", "INBETWEEN_MOUSEMOVE",
    "TRACKPADPAN", "TRACKPADZOOM", "MOUSEROTATE", "MOUSESMARTZOOM", "NDOF_MOTION",
    "NUMPAD_0", "NUMPAD_1", "NUMPAD_3", "NUMPAD_5", "NUMPAD_7", "NUMPAD_PERIOD",
    "LEFT_ARROW", "RIGHT_ARROW",
}  # fmt: skip
_END = {"RIGHTMOUSE", "ESC", "RET", "NUMPAD_ENTER", "SPACE"}
_HELP = "Click points of the reconstruction. Right click, Enter or Esc ends"


class DA3_OT_pick_point(Operator):
    """Add picked points until the user ends it; from a script, one at a place."""

    bl_idname = names.OP_PICK_POINT
    bl_label = "Pick Point"
    bl_description = (
        "Click points of the cloud in the viewport: each gets a small empty, for Set Floor, Set "
        "Origin, Set Axis, Scale and Join Shots"
    )
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set; each click is a step of its own

    location: FloatVectorProperty(
        name="Location",
        description="Place in the world, for scripts",
        subtype="TRANSLATION",
        options={"SKIP_SAVE"},
    )
    root: StringProperty(
        name="Reconstruction", description="Name of its root", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction, in Object Mode."""
        if not can_move_world(cls, context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode; in Edit Mode the tools take selected vertices")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Add one at the location."""
        root = find_root(context)
        point = add_picked(context, root, self.location)
        self.report({"INFO"}, f"{point.name} added below {root.name}")
        return {"FINISHED"}

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Wait for clicks."""
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"ERROR"}, "Points are picked in a 3D view: start Pick Point there.")
            return {"CANCELLED"}
        self.root = find_root(context).name
        context.workspace.status_text_set(_HELP)
        context.window.cursor_modal_set("CROSSHAIR")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        """Pick on click, let the view be turned, end."""
        root = context.scene.objects.get(self.root)
        if event.type in _END or root is None or context.area is None:
            self.cancel(context)
            return {"FINISHED"}
        if event.type == "LEFTMOUSE" and not (event.alt or event.ctrl or event.shift):
            region = _find_region(context.area, event)
            if region is None:
                return {"PASS_THROUGH"}
            if event.value == "PRESS":
                self._pick(context, event, region)
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"} if event.type in _NAVIGATION else {"RUNNING_MODAL"}

    def cancel(self, context: Context) -> None:
        """Put cursor and status bar back."""
        context.workspace.status_text_set(None)
        context.window.cursor_modal_restore()

    def _pick(self, context: Context, event: Event, region: Region) -> None:
        root = context.scene.objects[self.root]
        mouse = (event.mouse_x - region.x, event.mouse_y - region.y)
        place = find_point(root, read_window(region), mouse)
        if place is None:
            self.report({"INFO"}, "There is no point of the reconstruction here")
            return
        point = add_picked(context, root, place.tolist())
        bpy.ops.ed.undo_push(message=f"Pick {point.name}")
        context.workspace.status_text_set(f"{point.name} added. {_HELP}")
        context.area.tag_redraw()


def _find_region(area: Area, event: Event) -> Region | None:
    """Return the view under the mouse; None where it is on a sidebar, a header or elsewhere."""
    under = [
        region
        for region in area.regions
        if region.width > 1
        and 0 <= event.mouse_x - region.x < region.width
        and 0 <= event.mouse_y - region.y < region.height
    ]
    views = [region for region in under if region.type == "WINDOW"]
    return views[0] if views and len(views) == len(under) else None
