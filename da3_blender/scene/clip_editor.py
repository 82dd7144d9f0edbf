# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own tracking operators, which want a Clip editor around them.

Runs in Blender.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import bpy

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpy.types import Area, Context, MovieClip, Window

_EDITOR = "CLIP_EDITOR"


@contextmanager
def show_clip(context: Context, clip: MovieClip) -> Iterator[None]:
    """Be in a Clip editor that shows a clip; the editor of an area is borrowed if there is none.

    Raises:
        EngineError: INTERNAL; Blender has no window.
    """
    window, area = _find_area(context)
    before = area.ui_type
    area.type = _EDITOR
    space = area.spaces.active
    shown, space.clip = space.clip, clip
    region = next(region for region in area.regions if region.type == "WINDOW")
    try:
        with context.temp_override(
            window=window, screen=window.screen, area=area, region=region, space_data=space
        ):
            yield
    finally:
        space.clip = shown
        area.ui_type = before


def solve_clip(context: Context, clip: MovieClip, pair: tuple[int, int]) -> None:
    """Solve a clip's camera by its markers, with the lens as it is set.

    Args:
        context: of the operator.
        clip: with tracks.
        pair: frames of the clip from which the solver begins.

    Raises:
        EngineError: CAMERAS_NOT_FOUND.
    """
    camera, settings = clip.tracking.objects[0], clip.tracking.settings
    settings.use_keyframe_selection = settings.use_tripod_solver = False
    for name in ("focal_length", "principal_point", "radial_distortion", "tangential_distortion"):
        setattr(settings, f"refine_intrinsics_{name}", False)
    camera.keyframe_a, camera.keyframe_b = pair
    reason = ""
    with show_clip(context, clip):
        try:
            bpy.ops.clip.solve_camera()
        except RuntimeError as error:
            reason = str(error).strip()
    if not camera.reconstruction.is_valid:
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            f"Blender could not solve the camera of {clip.name}. {reason}".strip(),
            "Write more tracks, or choose other keyframes in the Clip editor and solve there.",
        )


def delete_tracks(context: Context, clip: MovieClip, names: set[str]) -> None:
    """Delete the camera's tracks of these names."""
    tracks = clip.tracking.objects[0].tracks
    chosen = [track for track in tracks if track.name in names]
    if not chosen:
        return
    clip.tracking.objects.active = clip.tracking.objects[0]
    for track in tracks:
        track.select = False
    for track in chosen:
        track.hide = track.lock = False
        track.select = True
    with show_clip(context, clip):
        bpy.ops.clip.delete_track()


def _find_area(context: Context) -> tuple[Window, Area]:
    """Return a Clip editor, else an area that is not the one in which the user works."""
    windows = [context.window] if context.window is not None else []
    windows += [window for window in context.window_manager.windows if window not in windows]
    areas = [(window, area) for window in windows for area in window.screen.areas]
    if not areas:
        raise EngineError(
            ErrorCode.INTERNAL,
            "Blender's tracker needs a window.",
            "Start Blender with a window, or let the tracks be unsolved.",
        )
    editors = [item for item in areas if item[1].type == _EDITOR]
    others = [item for item in areas if item[1] != context.area and item[1].type != "TOPBAR"]
    return (editors or others or areas)[0]
