# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks of the input: transparent parts of its pictures, and a folder of pictures named like them.

Runs in the engine. What is masked makes no points and is kept out of everything that joins views.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.formats import is_video_name
from .exif import turn_upright
from .exr_file import is_exr
from .listing import list_photos
from .picture_file import decode_picture, open_picture, read_stored_orientation
from .unusable import UnusableFile, to_printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.views import View

_HALF: Final = 128
# Formats that can hold transparency and that this module reads it from.
_TRANSPARENT: Final = (".png", ".webp", ".tif", ".tiff")
_LAST_NUMBER: Final = re.compile(r"(\d+)(?!.*\d)")


class FrameMasks:
    """Tells which pixels of a view are left out.

    A mask belongs to the view of the same name (`a.png` or `a.jpg.png` to `a.jpg`), else to the
    frame whose number its name ends with. Black is left out, white is kept, unless inverted.

    Args:
        views: of the input.
        folder: of the mask pictures; "" is none.
        inverted: white is left out.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE; INPUT_MISMATCH, no mask fits a view.
    """

    def __init__(self, views: Sequence[View], folder: str = "", *, inverted: bool = False) -> None:
        self._views = views
        self._inverted = inverted
        self._files = _match_files(views, Path(folder)) if folder else {}
        self._transparent = [
            _can_be_transparent(view.path) and not is_video_name(Path(view.path)) for view in views
        ]

    @property
    def files(self) -> list[Path]:
        """Return the mask pictures that are used."""
        return [self._files[index] for index in sorted(self._files)]

    def count_missing(self) -> int:
        """Return how many views have no picture in the folder, where there is a folder."""
        return len(self._views) - len(self._files) if self._files else 0

    def read(self, index: int) -> NDArray[np.bool_] | None:
        """Return what is left out of a view: (h, w) bool of any size, or None for nothing.

        Raises:
            EngineError: INPUT_MISSING or INPUT_UNREADABLE with the path.
        """
        view = self._views[index]
        hidden = None
        if self._transparent[index]:
            hidden = _read_transparent(Path(view.path))
        path = self._files.get(index)
        if path is None:
            return hidden
        try:
            light = decode_picture(path).max(axis=-1) >= _HALF
        except UnusableFile as finding:
            raise finding.to_error(path) from finding
        masked = light if self._inverted else ~light
        if hidden is not None:
            masked |= _resize(hidden, masked.shape)
        return masked if masked.any() else None


def _match_files(views: Sequence[View], folder: Path) -> dict[int, Path]:
    paths = list_photos(folder)
    by_name = {path.stem.casefold(): path for path in paths}
    by_number: dict[int, Path | None] = {}
    for path in paths:
        found = _LAST_NUMBER.search(path.stem)
        if found:
            number = int(found.group(1))
            by_number[number] = None if number in by_number else path  # two say nothing
    matched: dict[int, Path] = {}
    for index, view in enumerate(views):
        name = view.name.casefold()
        path = by_name.get(name) or by_name.get(Path(name).stem)
        if path is None and view.frame is not None:
            path = by_number.get(view.frame)
        if path is not None:
            matched[index] = path
    if not matched:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"No picture in the masks folder {to_printable(folder)} is named like a frame.",
            f"Name masks like {to_printable(views[0].name)}, or end their names with the frame's "
            "number.",
        )
    return matched


def _can_be_transparent(path: str) -> bool:
    return Path(path).suffix.lower() in _TRANSPARENT


def _read_transparent(path: Path) -> NDArray[np.bool_] | None:
    """Return where a picture is more transparent than not; None if it nowhere is, or everywhere."""
    try:
        if is_exr(path):
            return None
        with open_picture(path) as picture:
            if "A" not in picture.getbands() and "transparency" not in picture.info:
                return None
            orientation = read_stored_orientation(picture)
            opacity = np.asarray(picture.convert("RGBA").getchannel("A"))
    except UnusableFile as finding:
        raise finding.to_error(path) from finding
    hidden = turn_upright(opacity[..., None], orientation)[..., 0] < _HALF
    # some programs write an empty opacity; such a picture is not meant to be left out whole
    return hidden if hidden.any() and not hidden.all() else None


def _resize(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    rows, columns = (
        (np.arange(new) * old // new) for new, old in zip(shape, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]
