# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's data: settings of the scene, the scene builder, colours in solid view.

Runs in Blender.
"""

from __future__ import annotations

from . import (
    flight_render,
    picked_drawing,
    point_drawing,
    preview_drawing,
    properties,
    splat_drawing,
    splat_inputs,
)


def is_registered() -> bool:
    """Tell whether register() was called last."""
    return point_drawing.is_drawing()


def register() -> None:
    """Add the scene's settings and begin to draw points."""
    properties.register()
    point_drawing.register()
    preview_drawing.register()
    splat_inputs.register()
    splat_drawing.register()
    flight_render.register()
    picked_drawing.register()


def unregister() -> None:
    """Stop drawing points and remove the scene's settings."""
    picked_drawing.unregister()
    flight_render.unregister()
    splat_drawing.unregister()
    splat_inputs.unregister()
    preview_drawing.unregister()
    point_drawing.unregister()
    properties.unregister()
