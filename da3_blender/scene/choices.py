# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the drop-down lists: one table per list, in the order of the contract.

Runs in Blender; plain values only.
"""

from __future__ import annotations

from typing import Final

from ..contract.models import MODELS

Items = tuple[tuple[str, str, str], ...]

INPUT_KIND: Final[Items] = (
    (
        "AUTO",
        "Automatic",
        "Videos are videos; 24 or more numbered frames are a sequence",
    ),
    ("PHOTOS", "Photos", "Single photos in any order; each gets its own camera"),
    ("SEQUENCE", "Sequence", "Numbered frames; one camera moves along the time line"),
    ("VIDEO", "Video", "Frames of a video; one camera moves along the time line"),
)
KEYFRAMES: Final[Items] = (
    ("OFF", "All, or Every n-th", "Every frame that Step or Target FPS leave makes points"),
    (
        "AUTO",
        "Automatic Keyframes",
        "Sharp frames between which the picture has moved enough, one a second at least",
    ),
    ("COUNT", "Number of Keyframes", "So many sharp frames, equally far from each other"),
)
CAMERAS: Final[Items] = (
    (
        "AUTO",
        "Automatic",
        "Depth Anything 3 where its weights can be had, else COLMAP; Tiny leaves them to COLMAP",
    ),
    ("DA3", "Depth Anything 3", "Cameras and dense depth by the network; also for few photos"),
    ("COLMAP", "COLMAP", "Exact cameras and sparse points from features; needs overlap"),
    (
        "TRIPOD",
        "Tripod",
        "For a camera that stands still, or nearly, and turns: refined, with the network's depth",
    ),
)
MODEL: Final[Items] = tuple(
    (entry.id, entry.describe(), f"{entry.purpose}. Licence: {entry.licence.title}")
    for entry in MODELS.values()
)
RESIZE_METHOD: Final[Items] = (
    ("upper_bound_resize", "Longest Side, Resize", "The longest side gets the resolution"),
    ("lower_bound_resize", "Shortest Side, Resize", "The shortest side gets the resolution"),
    ("upper_bound_crop", "Longest Side, Crop", "As above, but edges are cropped to fit"),
    ("lower_bound_crop", "Shortest Side, Crop", "As above, but edges are cropped to fit"),
)
REFERENCE_VIEW: Final[Items] = (
    ("saddle_balanced", "Balanced", "The photo that is most like all others"),
    ("saddle_sim_range", "Similarity Range", "The photo with the widest range of likeness"),
    ("first", "First", "The first photo"),
    ("middle", "Middle", "The photo in the middle of the list"),
)
MATCHING: Final[Items] = (
    ("AUTO", "Automatic", "Neighbours only for ordered input of more than 60 frames"),
    ("EXHAUSTIVE", "All Pairs", "Every photo with every other; for photos in any order"),
    ("SEQUENTIAL", "Neighbours", "Each frame with those around it; for videos"),
)
LENS_MODEL: Final[Items] = (
    ("SIMPLE_RADIAL", "Simple Radial", "One focal length and one distortion; a good default"),
    ("SIMPLE_PINHOLE", "Simple Pinhole", "One focal length, no distortion; for rendered pictures"),
    ("PINHOLE", "Pinhole", "Two focal lengths, no distortion"),
    ("RADIAL", "Radial", "One focal length and two distortions"),
    ("OPENCV", "OpenCV", "Two focal lengths, radial and tangential distortion"),
    ("SIMPLE_DIVISION", "Simple Division", "One focal length, for wide lenses"),
    ("DIVISION", "Division", "Two focal lengths, for wide lenses"),
)
REFINE_FOCAL: Final[Items] = (
    ("SHARED", "One for the Shot", "Unknown, but it does not change"),
    ("FIXED", "As It Is", "It was measured, or comes from the metadata"),
    ("ZOOM", "Zoom", "It changes smoothly from frame to frame"),
)
WORLD_UP: Final[Items] = (
    ("AVERAGE", "All Cameras", "Up is the mean of the cameras' own up"),
    ("FIRST_CAMERA", "First Camera", "Up is the first camera's up"),
    ("NONE", "As Solved", "Leave the world as the solver made it"),
)
POINT_DISPLAY: Final[Items] = (
    ("MESH", "Mesh", "Vertices with a modifier: editable, works with every tool"),
    ("POINTCLOUD", "Point Cloud", "Blender's native point cloud: less memory in renders"),
)
CAMERA_MODE: Final[Items] = (
    ("AUTO", "Automatic", "One moving camera for sequences and videos, else one per photo"),
    ("EACH", "One per Photo", "Each photo or frame has its own camera"),
    ("ANIMATED", "One, Animated", "One camera with a key frame for each photo"),
)
CHUNK_METHODS: Final[Items] = (
    ("FRAME_GRAPH", "Frame by Frame", "All that the chunks say of each frame is weighed"),
    ("RELEASE", "Like DA3-Streaming", "As blocks, as the release does it: to compare both"),
)
