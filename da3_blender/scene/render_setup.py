# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render size, pixel aspect, time line and view transform of the scene, to match the photos.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract import names
from ..contract.cameras import to_blender_lens
from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from bpy.types import Object, Scene

_NTSC: Final = 1.001
_NTSC_TOLERANCE: Final = 5e-3  # 23.976 is also written as 23.98
_PLAIN_KINDS: Final = ("CAMERA", "EMPTY", "LIGHT", "SPEAKER")
_STARTUP_CUBE: Final = "Cube"


def match_render_to_camera(scene: Scene, camera: Object) -> None:
    """Make a camera of ours active, and render its photo's size and pixel aspect.

    Raises:
        EngineError: INPUT_MISMATCH; the object has no size and intrinsics of a photo.
    """
    size, numbers = camera.get(names.PROP_SIZE), camera.get(names.PROP_K)
    if camera.type != "CAMERA" or size is None or numbers is None:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{camera.name} is not a camera of a reconstruction.",
            "Select a camera that this extension has made.",
        )
    width, height = int(size[0]), int(size[1])
    K = np.array(numbers[:9], np.float64).reshape(3, 3)
    lens = to_blender_lens(K, width, height)
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y = width, height
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect_x, lens.pixel_aspect_y


def set_timeline(scene: Scene, first: int, last: int, fps: float | None) -> None:
    """Set the frame range, go to its start, and set the frame rate if it is known."""
    scene.frame_start, scene.frame_end = max(0, first), max(0, last)
    scene.frame_set(scene.frame_start)
    if fps is not None:
        scene.render.fps, scene.render.fps_base = split_fps(fps)


def split_fps(fps: float) -> tuple[int, float]:
    """Split a frame rate into Blender's whole number and divisor: 29.97 is 30 / 1.001."""
    whole = max(1, round(fps))
    if abs(whole / _NTSC - fps) < _NTSC_TOLERANCE:
        return whole, _NTSC
    return whole, whole / fps


def use_standard_view(scene: Scene) -> bool:
    """Set the view transform Standard if nothing but reconstructions would look different.

    Returns:
        Whether it was changed.
    """
    view = scene.view_settings
    is_default = view.view_transform == "AgX" and view.look == "None"
    if not is_default or not all(_is_unaffected(ob) for ob in scene.objects):
        return False
    view.view_transform = "Standard"
    return True


def _is_unaffected(ob: Object) -> bool:
    return ob.type in _PLAIN_KINDS or names.PROP_ROLE in ob or ob.name == _STARTUP_CUBE
