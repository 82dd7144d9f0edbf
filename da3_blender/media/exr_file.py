# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads OpenEXR files: which channels are the picture, and where it lies in its frame.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import OpenEXR

from .unusable import UnusableFile, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC: Final = b"\x76\x2f\x31\x01"
# Of several layers: the plain one, then what renderers call their final picture.
_LAYER_ORDER: Final = ("combined", "composite", "beauty", "rgba", "rgb")
# Larger values are infinite for our purposes; squares of it still fit into float32.
_BRIGHTEST: Final = 1e15


class ExrLayer(NamedTuple):
    """Where the picture of an EXR file is.

    Args:
        part: index in the file.
        channels: names of red, green and blue; the same three times for luminance.
        width: pixels of the display window.
        height: pixels of the display window.
    """

    part: int
    channels: tuple[str, str, str]
    width: int
    height: int


def is_exr(path: Path) -> bool:
    """Tell by the first bytes whether a file is an OpenEXR file.

    Raises:
        UnusableFile: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError as error:
        raise describe_os_error(error) from error


def find_exr_layer(path: Path) -> ExrLayer:
    """Read the header of an EXR file and find its picture.

    Raises:
        UnusableFile: the file is damaged or has neither R, G, B nor Y channels.
    """
    with _open(path, header_only=True) as file:
        return _find_layer(file.parts)


def read_exr(path: Path) -> NDArray[np.float32]:
    """Read the picture of an EXR file.

    Returns:
        (H, W, 3) float32 linear, of the display window; black outside the data window, never
        negative or infinite.

    Raises:
        UnusableFile: the file is damaged or has no picture.
    """
    with _open(path, header_only=False) as file:
        layer = _find_layer(file.parts)
        part = file.parts[layer.part]
        planes = {name: part.channels[name].pixels for name in set(layer.channels)}
        picture = np.zeros((layer.height, layer.width, 3), np.float32)
        target, source = _overlap(part.header)
        for axis, name in enumerate(layer.channels):
            if planes[name] is None or planes[name].ndim != 2:  # noqa: PLR2004 - deep data
                raise UnusableFile(f"its channel {name} holds no flat picture")
            picture[(*target, axis)] = planes[name][source]
    np.nan_to_num(picture, copy=False, nan=0.0, posinf=_BRIGHTEST, neginf=0.0)
    return np.clip(picture, 0.0, _BRIGHTEST, out=picture)


class _open:  # noqa: N801 - used as a function
    """Open an EXR file and translate what the library raises, also in the body."""

    def __init__(self, path: Path, *, header_only: bool) -> None:
        self._path = path
        self._header_only = header_only
