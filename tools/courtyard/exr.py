# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading of uncompressed OpenEXR files; bpy itself gives no pixels of their passes.

Runs anywhere; numpy only.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray
MAGIC = 20000630
MULTIPART = 0x1000


def read_text(data: bytes, start: int) -> tuple[str, int]:
    """Read a zero-terminated name; give it and the place behind it."""
    end = data.index(0, start)
    return data[start:end].decode(), end + 1


def read_headers(data: bytes) -> tuple[list[dict[str, bytes]], int]:
    """Read the attributes of all parts; give them and the place of the first offset table."""
    is_multipart = bool(struct.unpack_from("<I", data, 4)[0] & MULTIPART)
    place, parts = 8, []
    while data[place]:
        attributes = {}
        while data[place]:
            name, place = read_text(data, place)
            _, place = read_text(data, place)
            (size,) = struct.unpack_from("<i", data, place)
            attributes[name] = data[place + 4 : place + 4 + size]
            place += 4 + size
        parts.append(attributes)
        place += 1
        if not is_multipart:
            return parts, place
    return parts, place + 1


def read_channel_names(channels: bytes) -> list[str]:
    """Read the names out of the attribute "channels", in the file's order."""
    names, place = [], 0
    while channels[place]:
        name, place = read_text(channels, place)
        names.append(name)
        place += 16
    return names


def read_exr(path: Path) -> dict[str, Array]:
    """Read an uncompressed 32-bit scan line file of one or many parts.

    Args:
        path: The file.

    Returns:
        (H, W) float32 by channel name, such as "ViewLayer.Depth.Z".

    Raises:
        ValueError: It is not such a file.
    """
    data = path.read_bytes()
    if struct.unpack_from("<I", data)[0] != MAGIC:
        raise ValueError(f"not an OpenEXR file: {path}")
    parts, place = read_headers(data)
    extra = (
        4 if struct.unpack_from("<I", data, 4)[0] & MULTIPART else 0
    )  # each line then begins with its part's number
    found: dict[str, Array] = {}
    for part in parts:
        if part["compression"] != b"\0":
            raise ValueError(f"compressed: {path}")
        left, top, right, bottom = struct.unpack("<4i", part["dataWindow"])
        width, height = right - left + 1, bottom - top + 1
        names = read_channel_names(part["channels"])
        rows = np.empty((height, len(names), width), np.float32)
        for offset in np.frombuffer(data, "<u8", height, place):
            start = int(offset) + extra
            (line,) = struct.unpack_from("<i", data, start)
            rows[line - top] = np.frombuffer(data, "<f4", len(names) * width, start + 8).reshape(
                len(names), width
            )
        place += 8 * height
        found.update((name, rows[:, number]) for number, name in enumerate(names))
    return found
