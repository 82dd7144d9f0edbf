# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel World asks for: `scene.da3.world`.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from typing import Final

from bpy.props import EnumProperty, FloatProperty
from bpy.types import PropertyGroup

HEIGHTS_M: Final = {"PERSON": 1.75, "DOOR": 2.0}
_THINGS: Final = (
    ("PERSON", "Person", "1.75 m from the feet to the top of the head"),
    ("DOOR", "Door", "2 m from the floor to the top of the opening"),
    ("OWN", "Own", "A height of your choice"),
)


class WorldSettings(PropertyGroup):
    """Lengths that the user knows."""

    distance: FloatProperty(
        name="Distance",
        description="What the last two picked points, or two selected objects, really are apart",
        default=1.0,
        min=1e-6,
        soft_max=1000.0,
        unit="LENGTH",
    )
    thing: EnumProperty(
        name="Height of", description="What the two points are bottom and top of", items=_THINGS
    )
    height: FloatProperty(
        name="Height",
        description="From the lower to the higher point",
        default=1.0,
        min=1e-6,
        soft_max=1000.0,
        unit="LENGTH",
    )

    def get_height(self) -> float:
        """Return the chosen height in metres."""
        return HEIGHTS_M.get(self.thing, self.height)
