# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices of camera flights and of their videos: `scene.da3.flight`.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from typing import Final

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty
from bpy.props import StringProperty as TextProperty
from bpy.types import Object, PropertyGroup

from ..contract import names

MODES: Final = (
    (
        "interpolate_smooth",
        "Between the Views",
        "From view to view on a smooth way; passes near the views, not exactly through them",
    ),
    ("wander", "Wander", "A small circle around one view"),
    ("dolly_zoom", "Dolly Zoom", "Back and forth while the lens keeps the subject at its size"),
    (
        "extend",
        "Between, with Showpieces",
        "Between the views; stops half-way for a wander and a dolly zoom",
    ),
    ("interpolate", "View to View", "Exactly through each view, slowing down at it"),
    ("smooth", "Views, Smoothed", "One frame for each view, calmed; for videos and sequences"),
    ("original", "The Views", "One frame for each view, as it is"),
    ("wobble_inter", "Screw", "To every third view on a screw"),
)
LOOPS: Final = (
    ("NONE", "Ends", "The flight ends where its last view is"),
    ("BACK", "There and Back", "The same way back; the video can repeat without a jump"),
    ("RING", "Ring", "On from the last view to the first, for photos taken all around a thing"),
)
TIMINGS: Final = (
    ("RELEASE", "As Is", "As many frames as Depth Anything 3 makes: about 8 from view to view"),
    ("SECONDS", "Seconds", "So many seconds in total, at 24 frames per second"),
    ("GAP", "Frames per View", "So many frames from one view to the next"),
)
DEPTHS: Final = (
    (
        "SCENE",
        "Of the Scene",
        "Median distance of the points in the picture: the circle and the dolly suit the scene",
    ),
    ("OWN", "Own", "A distance of your choice, in units of the reconstruction"),
    (
        "RELEASE",
        "As the Release",
        "Fixed lengths, for scenes one unit deep; a dolly keeps what is 30 (or 10) units away",
    ),
)
CONTENTS: Final = (
    ("COLOUR", "Picture", "What Blender renders"),
    (
        "DEPTH",
        "Depth",
        "Grey by distance on a logarithmic scale, near is white; of points and meshes",
    ),
)
SIZES: Final = (
    ("PROCESSED", "Depth Maps", "The size of the depth maps, at least 504 pixels wide or high"),
    ("PHOTO", "Photos", "The size of the first photo"),
    ("OWN", "Own", "A size of your choice; the width of the view stays"),
)
QUALITIES: Final = (
    ("LOW", "Low", "Small file; quick"),
    ("MEDIUM", "Medium", "A usual file"),
    ("HIGH", "High", "Large file; nearly without loss"),
)


def _is_view(_settings: "FlightSettings", ob: Object) -> bool:
    return ob.get(names.PROP_ROLE) == names.ROLE_CAMERA


class FlightSettings(PropertyGroup):
    """What the user chose for the flight of this scene and its video."""

    mode: EnumProperty(
        name="Flight", description="Which way the camera goes", items=MODES, default="extend"
    )
    around: PointerProperty(
        name="Around",
        description="View at which wander and dolly zoom stay; empty is the first one",
        type=Object,
        poll=_is_view,
    )
    is_reversed: BoolProperty(
        name="Backwards", description="From the last view to the first", default=False
    )
    loop: EnumProperty(name="End", description="How the flight ends", items=LOOPS)
    timing: EnumProperty(name="Speed", description="How fast the camera goes", items=TIMINGS)
    seconds: FloatProperty(
        name="Seconds",
        description="Length of the whole flight",
        default=8.0,
        min=0.1,
        soft_max=120.0,
        max=3600.0,
        step=50,
        precision=1,
    )
    frames_per_gap: IntProperty(
        name="Frames per View",
        description="Frames from one view to the next",
        default=12,
        min=1,
        soft_max=240,
        max=10_000,
    )
    start_frame: IntProperty(
        name="First Frame", description="Frame of the first key", default=1, min=0, max=500_000
    )
    depth_from: EnumProperty(
        name="Distance",
        description="How far away the subject of wander and dolly zoom is",
        items=DEPTHS,
    )
    depth: FloatProperty(
        name="Own Distance",
        description="From the camera to the subject, in units of the reconstruction",
        default=5.0,
        min=1e-6,
        soft_max=1000.0,
    )
    travel: FloatProperty(
        name="Travel",
        description="How far a dolly zoom moves back: share of the distance of the subject",
        default=0.3,
        min=0.001,
        soft_max=2.0,
        max=100.0,
        subtype="FACTOR",
    )
    set_timeline: BoolProperty(
        name="Set Time Line",
        description="Make the flight the scene's camera and take its frame range and 24 fps",
        default=True,
    )
    content: EnumProperty(name="Video of", description="What the video shows", items=CONTENTS)
    size: EnumProperty(name="Size", description="Size of the video", items=SIZES)
    width: IntProperty(
        name="Width", description="Pixels", default=1920, min=16, max=16_384, subtype="PIXEL"
    )
    height: IntProperty(
        name="Height", description="Pixels", default=1080, min=16, max=16_384, subtype="PIXEL"
    )
    quality: EnumProperty(
        name="Quality", description="Of the H.264 video", items=QUALITIES, default="HIGH"
    )
    filepath: TextProperty(
        name="File",
        description="MP4 file to write. Empty: a new name beside the .blend, or in the temporary "
        "folder before it is saved",
        subtype="FILE_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    last_video: TextProperty(
        name="Last Video", description="File that was rendered last", options={"HIDDEN"}
    )
