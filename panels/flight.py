# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera flight through the reconstruction, and its video.

Runs in Blender, while the panel is drawn: reads properties, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy
from bpy.types import Panel

from ..da3_blender.contract import names
from ..da3_blender.scene.properties import find_root, list_cameras, list_parts
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, Object, UILayout

    from ..da3_blender.scene.properties import FlightSettings

_STAY: Final = ("wander", "dolly_zoom")
_SHOWPIECES: Final = (*_STAY, "extend")
_ONE: Final = 1


class DA3_PT_flight(Panel):
    """Which way, how fast, and the video."""

    bl_label = "Flight"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show it below a result only: nothing else in the tab comes before the model."""
        return find_root(context) is not None

    def draw(self, context: Context) -> None:
        """Show the choices."""
        layout = self.layout
        root = find_root(context)
        settings = getattr(context.scene, names.SCENE_SETTINGS).flight
        flights = list_parts(root, names.ROLE_FLIGHT)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        _draw_way(column, settings, root)
        _draw_speed(column, settings)
        column.prop(settings, "set_timeline")
        column.operator(
            names.OP_ADD_FLIGHT,
            text="Update Flight" if flights else "Add Flight",
            icon="FILE_REFRESH" if flights else "OUTLINER_OB_CAMERA",
        )
        _draw_video(column, context, settings, has_flight=bool(flights))


def _draw_way(layout: UILayout, settings: FlightSettings, root: Object) -> None:
    layout.prop(settings, "mode")
    cameras = list_cameras(root)
    if len(cameras) == _ONE and isinstance(cameras[0].get(names.PROP_FRAME, 0), int):
        layout.label(text="One view: the camera wanders around it", icon="INFO")
    if settings.mode in _STAY:
        layout.prop(settings, "around")
    if settings.mode in _SHOWPIECES:
        layout.prop(settings, "depth_from")
        if settings.depth_from == "OWN":
            layout.prop(settings, "depth")
        if settings.mode != "wander" and settings.depth_from != "RELEASE":
            layout.prop(settings, "travel")
    if settings.mode not in _STAY:
        layout.prop(settings, "loop")
        layout.prop(settings, "is_reversed")


def _draw_speed(layout: UILayout, settings: FlightSettings) -> None:
    layout.prop(settings, "timing")
    if settings.timing == "SECONDS":
        layout.prop(settings, "seconds")
    elif settings.timing == "GAP":
        if settings.mode in _STAY:
            layout.label(text="This flight stays at one view", icon="INFO")
        else:
            layout.prop(settings, "frames_per_gap")
    layout.prop(settings, "start_frame")


def _draw_video(
    layout: UILayout, context: Context, settings: FlightSettings, *, has_flight: bool
) -> None:
    header, body = layout.panel("DA3_flight_video", default_closed=False)
    header.label(text="Video")
    if body is None:
        return
    body.use_property_split = True
    body.use_property_decorate = False
    column = body.column()
    column.enabled = has_flight
    for name in ("content", "size"):
        column.prop(settings, name)
    if settings.size == "OWN":
        column.prop(settings, "width")
        column.prop(settings, "height")
    column.prop(settings, "quality")
    column.prop(settings, "filepath")
    body.operator(names.OP_RENDER_FLIGHT, icon="RENDER_ANIMATION")
    if bpy.app.is_job_running("RENDER"):
        body.label(text="Rendering; Esc stops", icon="TIME")
    elif settings.last_video:
        draw_wrapped(body, context, f"Rendered {settings.last_video}")
