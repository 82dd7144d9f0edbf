# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The movie clip of a shot's plate: found, or loaded from the sequence or video.

Runs in Blender.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..contract.errors import EngineError, ErrorCode
from ..contract.views import SourceKind
from .clip_frames import find_numbered_name, get_clip_frame

if TYPE_CHECKING:
    from bpy.types import MovieClip

    from ..contract.result_folder import Result


def get_plate_clip(result: Result) -> MovieClip:
    """Return the clip of the pictures that a result was made of, as they were, distorted.

    Raises:
        EngineError: INPUT_MISMATCH, photos are no shot; INPUT_MISSING, the plate is gone.
    """
    if result.manifest.get("source", {}).get("kind") == SourceKind.PHOTOS.value:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            "Single photos are no shot, so there is no movie clip of them.",
            "Use a numbered sequence or a video.",
        )
    first = min(result.views, key=lambda view: int(view.get("frame") or 0))
    path = _find_file(result, first)
    number = int(first.get("frame") or 1)
    for clip in bpy.data.movieclips:
        known = Path(bpy.path.abspath(clip.filepath, library=clip.library))
        if known == path:
            return clip
        is_sequence = clip.source == "SEQUENCE" and known.parent == path.parent
        if is_sequence and find_numbered_name(clip, get_clip_frame(clip, number)) == path.name:
            return clip
    clip = bpy.data.movieclips.load(str(path))
    if clip.source == "SEQUENCE":
        clip.frame_start = number  # the time line shows the numbers of the files
    return clip


def _find_file(result: Result, view: dict[str, Any]) -> Path:
    """Return the plate's file of a view; that of the results folder only if it is the same."""
    path = Path(str(view.get("path") or ""))
    if path.is_file():
        return path
    photo = result.photo_path(view).resolve()
    index = view.get("lens", -1)
    lenses = result.manifest.get("lenses") or []
    is_undistorted = 0 <= index < len(lenses) and bool(lenses[index].get("undistorted"))
    if photo.is_file() and not is_undistorted:
        return photo
    raise EngineError(
        ErrorCode.INPUT_MISSING,
        f"The plate is gone: {path}",
        "Put it back where it was during the run.",
    )
