# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel Matchmove asks for: `scene.da3.matchmove`.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty, IntProperty
from bpy.types import PropertyGroup


class MatchmoveSettings(PropertyGroup):
    """Choices for the shot's set-up and for tracks."""

    test_objects: BoolProperty(
        name="Test Objects",
        description="Stand a checker cube and a cone on the floor before the camera",
        default=True,
    )
    track_count: IntProperty(
        name="Tracks",
        description="How many tracks are written: the longest, spread over picture and frames",
        default=120,
        min=8,
        soft_max=500,
        max=10_000,
    )
    solve: BoolProperty(
        name="Solve",
        description="Let Blender's own solver find the camera again, to compare the errors",
        default=False,
    )
