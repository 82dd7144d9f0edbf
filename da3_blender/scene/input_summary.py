# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line about the input: what it is and how many pictures it has.

Runs in Blender, when the user chooses an input and never while a panel is drawn.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract.formats import is_photo_name, is_video_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY: Final = 100_000


def summarise_input(path: str, files: Sequence[str]) -> str:
    """Describe an input for the panel.

    Args:
        path: absolute path of a folder or file, or "".
        files: names of chosen files in that folder; empty means all.

    Returns:
        A line such as "11 photos", or why there is nothing; "" without an input.
    """
    if not path:
        return ""
    place = Path(path)
    try:
        if place.is_file():
            return _describe_file(place.name)
        found = list(files) or _list_names(place)
    except (FileNotFoundError, NotADirectoryError):
        return "There is no such file or folder"
    except OSError as error:
        return f"The folder cannot be read ({error.strerror or error})"
    return _describe_names(found)


def _describe_names(found: Sequence[str]) -> str:
    photos = sum(is_photo_name(Path(name)) for name in found)
    videos = sum(is_video_name(Path(name)) for name in found)
    if photos and videos:
        return f"{_count(photos, 'photo')} and {_count(videos, 'video')}"
    if photos or videos:
        return _count(photos, "photo") if photos else _count(videos, "video")
    return "No photos or videos here"


def _describe_file(name: str) -> str:
    if is_video_name(Path(name)):
        return "1 video"
    return "1 photo" if is_photo_name(Path(name)) else "This is neither a photo nor a video"


def _list_names(folder: Path) -> list[str]:
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                names.append(entry.name)
            if len(names) >= _MANY:
                break
    return names


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
