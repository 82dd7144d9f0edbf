# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a movie clip and the files or frames of its source.

Runs in Blender. A clip counts its own frames from 1, wherever it begins on the time line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy

if TYPE_CHECKING:
    from bpy.types import MovieClip

_NUMBER: Final = re.compile(r"^(.*?)(\d+)(\D*)$")


def get_source_number(clip: MovieClip, frame: int) -> int:
    """Return the number of the file, or the frame of the video, that a clip's own frame shows."""
    return _get_first(clip) + frame - 1 + clip.frame_offset


def get_clip_frame(clip: MovieClip, number: int) -> int:
    """Return the clip's own frame that shows a file's number or a video's frame."""
    return number - _get_first(clip) + 1 - clip.frame_offset


def find_numbered_name(clip: MovieClip, frame: int) -> str:
    """Return the name of the file that a clip's own frame shows; "" for a video."""
    path = Path(bpy.path.abspath(clip.filepath, library=clip.library))
    parts = _NUMBER.match(path.stem)
    if clip.source != "SEQUENCE" or parts is None:
        return ""
    head, digits, tail = parts.groups()
    return f"{head}{get_source_number(clip, frame):0{len(digits)}d}{tail}{path.suffix}"


def _get_first(clip: MovieClip) -> int:
    """Return the number of the clip's first file; videos begin at 1."""
    parts = _NUMBER.match(Path(clip.filepath).stem)
    return int(parts.group(2)) if clip.source == "SEQUENCE" and parts is not None else 1
