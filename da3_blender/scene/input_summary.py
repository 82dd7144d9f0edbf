# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line about the input: what it is and how many pictures it has.

Runs in Blender, when the user chooses an input and never while a panel is drawn.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..contract.formats import is_photo_name, is_video_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY: Final = 100_000
_LAST_NUMBER: Final = re.compile(r"^(.*?)(\d+)(\D*)$")


class InputSummary(NamedTuple):
    """What an input is.

    text: a line such as "11 photos", or why there is nothing; photos: how many; 0 for a video,
    whose frames only the engine counts.
    """

    text: str
    photos: int = 0


def summarise_input(path: str, files: Sequence[str]) -> InputSummary:
    """Describe an input for the panel.

    Args:
        path: absolute path of a folder or file, or "".
        files: names of chosen files in that folder; empty means all.

    Returns:
        The summary; its text is "" without an input.
    """
    if not path:
        return InputSummary("")
    place = Path(path)
    try:
        if place.is_file():
            return InputSummary(_describe_file(place.name), int(is_photo_name(place)))
        found = list(files) or _list_names(place)
    except (FileNotFoundError, NotADirectoryError):
        return InputSummary("There is no such file or folder")
    except OSError as error:
        return InputSummary(f"The folder cannot be read ({error.strerror or error})")
    photos = sum(is_photo_name(Path(name)) for name in found)
    return InputSummary(_describe_names(found), photos)


def list_photo_names(folder: str) -> list[str]:
    """Return the names of the photos in a folder, numbers in their order; [] if there are none.

    Raises:
        OSError: the folder cannot be read.
    """
    found = [name for name in _list_names(Path(folder)) if is_photo_name(Path(name))]
    return sorted(found, key=_natural_key)


def find_sequence(names: Sequence[str], chosen: str) -> list[str]:
    """Return the files that differ from one only by their last number, in its order.

    Args:
        names: in the folder.
        chosen: one of them.

    Returns:
        The sequence with `chosen`; only `chosen` if it has no number or no neighbours.
    """
    pattern = _LAST_NUMBER.match(Path(chosen).stem)
    if pattern is None:
        return [chosen]
    head, _, tail = pattern.groups()
    suffix = Path(chosen).suffix.lower()
    numbers: dict[int, str] = {}
    for name in names:
        parts = _LAST_NUMBER.match(Path(name).stem)
        if parts is None or Path(name).suffix.lower() != suffix:
            continue
        if (parts[1], parts[3]) == (head, tail):
            numbers[int(parts[2])] = name
    return [numbers[number] for number in sorted(numbers)]


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    pieces = re.split(r"(\d+)", name.casefold())
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in pieces if p]


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
