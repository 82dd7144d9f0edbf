# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell whether somebody has edited geometry that the builder made.

Runs in Blender.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np

from ..contract import names

if TYPE_CHECKING:
    from bpy.types import Mesh, Object, PointCloud
    from numpy.typing import NDArray

_OPAQUE: Final = 255
_ROW: Final = 8192
"""Bytes of a row of the table whose columns are summed."""


def stamp_geometry(
    data: Mesh | PointCloud,
    positions: NDArray[np.float32] | None = None,
    colours: NDArray[np.uint8] | None = None,
) -> None:
    """Remember on a mesh or cloud what it looks like now.

    Args:
        data: has been filled.
        positions: (M, 3) what it was filled with, if at hand: reading it back takes time.
        colours: (M, 4) uint8 sRGB of the points, the same.
    """
    if positions is None:
        positions, colours = _read_positions(data), _read_colours(data)
    data[names.PROP_PRINT] = _describe(data, positions, colours)


def is_edited(data: Mesh | PointCloud) -> bool:
    """Tell whether points were moved, removed, added or painted since the stamp."""
    known = data.get(names.PROP_PRINT)
    return known is not None and known != _describe(
        data, _read_positions(data), _read_colours(data)
    )


def replace_data(ob: Object, data: Mesh | PointCloud) -> None:
    """Give an object other data; name, materials and the user's properties come along.

    Everybody who used the old data uses the new one, as with a linked duplicate.
    """
    old, name = ob.data, ob.data.name
    data.materials.clear()
    for material in old.materials:
        data.materials.append(material)
    for key in old.keys():  # noqa: SIM118 - custom properties have no __iter__
        if key != names.PROP_PRINT and not key.startswith("_"):
            data[key] = old[key]
    old.user_remap(data)
    bpy.data.batch_remove([old])
    data.name = name


def _describe(
    data: Mesh | PointCloud, positions: NDArray[np.float32], colours: NDArray[np.uint8] | None
) -> str:
    check = _digest(positions, 0)
    if colours is not None:
        check = _digest(colours, check)
    faces = len(getattr(data, "polygons", ()))
    return f"{positions.size // 3}:{faces}:{check:08x}"


def _digest(values: NDArray[np.generic], start: int) -> int:
    """Condense an array, many times faster than a checksum byte by byte.

    Columns of a wide table are summed, so a change stays unseen only if others in its column,
    8 KB apart, make up for it to the last bit.
    """
    content = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    whole = len(content) // _ROW * _ROW
    table = content[:whole].view(np.uint64).reshape(-1, _ROW // 8)
    check = zlib.crc32(table.sum(axis=0, dtype=np.uint64), start)
    return zlib.crc32(content[whole:], check)


def _read_positions(data: Mesh | PointCloud) -> NDArray[np.float32]:
    """Return (M, 3)."""
    position = data.attributes.get("position")
    count = 0 if position is None else len(position.data)
    values = np.empty((count, 3), np.float32)
    if count:
        position.data.foreach_get("vector", values.ravel())
    return values


def _read_colours(data: Mesh | PointCloud) -> NDArray[np.uint8] | None:
    """Return (M, 4) uint8 sRGB; None if there are no colours."""
    colour = data.attributes.get(names.ATTR_COLOUR)
    if colour is None or "COLOR" not in colour.data_type:
        return None
    values = np.empty((len(colour.data), 4), np.float32)
    colour.data.foreach_get("color_srgb", values.ravel())
    return np.rint(np.clip(values, 0, 1) * _OPAQUE).astype(np.uint8)
