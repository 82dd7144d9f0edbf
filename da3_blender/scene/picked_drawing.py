# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks with numbers on picked points, over everything: the cloud's own drawing hides empties.

Runs in Blender. No Blender object is kept between redraws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import blf
import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader

from ..contract import names

if TYPE_CHECKING:
    from bpy.types import Context, Region, RegionView3D

_COLOUR: Final = (1.0, 0.75, 0.1, 1.0)
_SHADE: Final = (0.0, 0.0, 0.0, 0.8)
_ARM_PX: Final = 9.0
_HOLE_PX: Final = 3.0
_TEXT_PX: Final = 13.0
_FONT: Final = 0


class Mark(NamedTuple):
    """A picked point in a view.

    Attributes:
        number: of the point.
        x: pixels from the left edge of the region.
        y: pixels from its lower edge.
    """

    number: int
    x: float
    y: float


@dataclass
class _Drawing:
    """The handler, and the shader that is made at the first drawing."""

    handler: Any = None
    shader: Any = None


_drawing: Final = _Drawing()


def list_marks(context: Context, region: Region, view: RegionView3D) -> list[Mark]:
    """Return the picked points that a view shows, those behind the viewer left out."""
    marks = []
    for ob in context.view_layer.objects:
        if ob.get(names.PROP_ROLE) != names.ROLE_POINT or not ob.visible_get():
            continue
        place = location_3d_to_region_2d(region, view, ob.matrix_world.translation)
        if place is not None:
            marks.append(Mark(int(ob.get(names.PROP_POINT, 0)), place.x, place.y))
    return marks


def _draw() -> None:
    context = bpy.context
    if not context.space_data.overlay.show_overlays:
        return
    marks = list_marks(context, context.region, context.region_data)
    if not marks:
        return
    scale = context.preferences.system.ui_scale
    if _drawing.shader is None:
        _drawing.shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    lines = [
        (mark.x + sign * length * scale * dx, mark.y + sign * length * scale * dy)
        for mark in marks
        for dx, dy in ((1, 0), (0, 1))
        for sign in (-1, 1)
        for length in (_HOLE_PX, _ARM_PX)
    ]
    batch = batch_for_shader(_drawing.shader, "LINES", {"pos": lines})
    gpu.state.blend_set("ALPHA")
    _drawing.shader.bind()
    for width, colour in ((4.0, _SHADE), (2.0, _COLOUR)):
        gpu.state.line_width_set(width * scale)
        _drawing.shader.uniform_float("color", colour)
        batch.draw(_drawing.shader)
    gpu.state.line_width_set(1.0)
    gpu.state.blend_set("NONE")
    blf.size(_FONT, _TEXT_PX * scale)
    blf.enable(_FONT, blf.SHADOW)
    blf.shadow(_FONT, 5, *_SHADE)
    blf.color(_FONT, *_COLOUR)
    for mark in marks:
        blf.position(_FONT, mark.x + _ARM_PX * scale, mark.y + _HOLE_PX * scale, 0)
        blf.draw(_FONT, str(mark.number))
    blf.disable(_FONT, blf.SHADOW)


def register() -> None:
    """Begin to draw."""
    _drawing.handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Stop drawing."""
    bpy.types.SpaceView3D.draw_handler_remove(_drawing.handler, "WINDOW")
    _drawing.handler = _drawing.shader = None
