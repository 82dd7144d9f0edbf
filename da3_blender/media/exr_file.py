# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads OpenEXR files: which channels are the picture, and where it lies in its frame.

Runs in the engine.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import OpenEXR

from .unusable import UnusableFile, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC: Final = b"\x76\x2f\x31\x01"
# Of several layers: the plain one, then what renderers call their final picture.
_LAYER_ORDER: Final = ("combined", "composite", "beauty", "rgba", "rgb")
# What programs call a depth channel, the surest first; red where depth was saved as a picture.
_DEPTH_CHANNELS: Final = ("depth.z", "depth.v", "z", "depth", "v", "y", "r")
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
                raise UnusableFile(reason=f"its channel {name} holds no flat picture")
            picture[(*target, axis)] = planes[name][source]
    np.nan_to_num(picture, copy=False, nan=0.0, posinf=_BRIGHTEST, neginf=0.0)
    return np.clip(picture, 0.0, _BRIGHTEST, out=picture)


def read_exr_depth(path: Path) -> NDArray[np.float32]:
    """Read the depth of an EXR file: its Z channel, or what comes nearest to one.

    Returns:
        (H, W) float32 as stored, of the display window; 0 outside the data window.

    Raises:
        UnusableFile: the file is damaged or has no channel that could be depth.
    """
    with _open(path, header_only=False) as file:
        found = [
            (rank, index, channel.name)
            for index, part in enumerate(file.parts)
            for channel in part.header["channels"]
            if (rank := _rank_depth(channel.name)) is not None
        ]
        if not found:
            raise UnusableFile(reason="it has no depth channel (Z, Depth.Z, V, Y or R)")
        _, index, name = min(found)
        part = file.parts[index]
        pixels = part.channels[name].pixels
        if pixels is None or pixels.ndim != 2:  # noqa: PLR2004 - deep data
            raise UnusableFile(reason=f"its channel {name} holds no flat picture")
        (left, top), (right, bottom) = part.header["displayWindow"]
        depth = np.zeros((int(bottom) - int(top) + 1, int(right) - int(left) + 1), np.float32)
        target, source = _overlap(part.header)
        depth[target] = pixels[source]
    return depth


def _rank_depth(channel: str) -> int | None:
    """Return how sure a channel's name is to mean depth, 0 the surest; None for others."""
    name = channel.lower()
    for rank, known in enumerate(_DEPTH_CHANNELS):
        if name == known or name.endswith("." + known):
            return rank
    return None


@contextmanager
def _open(path: Path, *, header_only: bool) -> Iterator[OpenEXR.File]:
    try:
        with OpenEXR.File(str(path), separate_channels=True, header_only=header_only) as file:
            if not file.parts:  # the library drops parts whose pixels it cannot read
                raise UnusableFile(reason="its pixels are damaged or cut off")
            yield file
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise UnusableFile(reason=f"it is no readable EXR file ({error})") from error


def _find_layer(parts: Sequence[OpenEXR.Part]) -> ExrLayer:
    found: list[tuple[int, int, tuple[str, str, str]]] = []
    for index, part in enumerate(parts):
        names = [channel.name for channel in part.header["channels"]]
        part_name = str(part.header.get("name", ""))
        found.extend(
            (_rank_layer(layer, part_name), index, channels)
            for layer, channels in _find_pictures(names)
        )
    if not found:
        raise UnusableFile(reason="it has no R, G, B or Y channels")
    _, index, channels = min(found, key=lambda item: item[:2])
    (left, top), (right, bottom) = parts[index].header["displayWindow"]
    return ExrLayer(index, channels, int(right) - int(left) + 1, int(bottom) - int(top) + 1)


def _find_pictures(names: Iterable[str]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield (layer name, channel names) for each complete set of colour channels."""
    layers: dict[str, dict[str, str]] = {}
    for name in names:
        layer, _, channel = name.rpartition(".")
        layers.setdefault(layer, {})[channel.upper()] = name
    for layer, channels in layers.items():
        if {"R", "G", "B"} <= channels.keys():
            yield layer, (channels["R"], channels["G"], channels["B"])
        elif "Y" in channels and not {"X", "Z"} & channels.keys():  # X, Y, Z is a vector pass
            yield layer, (channels["Y"],) * 3


def _rank_layer(layer: str, part_name: str) -> int:
    """Return 0 for the plain picture, then the usual names of the final one, then the rest."""
    if not layer and part_name.lower() in ("", "rgba", "rgb"):
        return 0
    last = (layer or part_name).lower().rpartition(".")[2]
    return _LAYER_ORDER.index(last) + 1 if last in _LAYER_ORDER else len(_LAYER_ORDER) + 1


def _overlap(header: dict[str, Any]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return rows and columns of the display window, and the same of the data window."""
    display_low, display_high = (np.asarray(corner) for corner in header["displayWindow"])
    data_low, data_high = (np.asarray(corner) for corner in header["dataWindow"])
    low = np.maximum(display_low, data_low)
    high = np.maximum(np.minimum(display_high, data_high) + 1, low)

    def to_slices(origin: NDArray[np.integer]) -> tuple[slice, slice]:
        (x0, y0), (x1, y1) = low - origin, high - origin
        return slice(int(y0), int(y1)), slice(int(x0), int(x1))

    return to_slices(display_low), to_slices(data_low)
