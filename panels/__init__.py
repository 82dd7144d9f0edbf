# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees: the panels of the sidebar and the preferences.

Runs in Blender.
"""

from __future__ import annotations

import bpy

from .cameras_model import DA3_PT_cameras_model
from .flight import DA3_PT_flight
from .main import DA3_PT_main
from .matchmove import DA3_PT_matchmove
from .models import DA3_PT_models
from .points import DA3_PT_points
from .preferences import DA3_AddonPreferences
from .result import DA3_PT_result
from .scene import DA3_PT_scene
from .sequence import DA3_PT_sequence
from .splats import DA3_PT_splats
from .world import DA3_PT_world

_register_classes, unregister = bpy.utils.register_classes_factory(
    (
        DA3_AddonPreferences,
        DA3_PT_main,
        DA3_PT_result,
        DA3_PT_world,
        DA3_PT_matchmove,
        DA3_PT_flight,
        DA3_PT_models,
        DA3_PT_cameras_model,
        DA3_PT_sequence,
        DA3_PT_points,
        DA3_PT_scene,
        DA3_PT_splats,
    )
)


def register() -> None:
    """Add the panels, and look once whether there is an engine."""
    _register_classes()
    addon = bpy.context.preferences.addons.get(DA3_AddonPreferences.bl_idname)
    if addon is not None and addon.preferences is not None:
        addon.preferences.refresh_engine()
