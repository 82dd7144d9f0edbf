# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell whether somebody has edited geometry that the builder made.

Runs in Blender.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..contract import names

if TYPE_CHECKING:
    from bpy.types import Mesh, Object, PointCloud


def stamp_geometry(data: Mesh | PointCloud) -> None:
    """Remember on a mesh or cloud what it looks like now."""
    data[names.PROP_PRINT] = _measure(data)


def is_edited(data: Mesh | PointCloud) -> bool:
    """Tell whether points were moved, removed, added or painted since the stamp."""
    known = data.get(names.PROP_PRINT)
    return known is not None and known != _measure(data)


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


def _measure(data: Mesh | PointCloud) -> str:
    attributes = data.attributes
    position = attributes.get("position")
    count = 0 if position is None else len(position.data)
    check = 0
    if count:
        values = np.empty(3 * count, np.float32)
        position.data.foreach_get("vector", values)
        check = zlib.crc32(values.view(np.uint8))
    colour = attributes.get(names.ATTR_COLOUR)
    if colour is not None and "COLOR" in colour.data_type:
        values = np.empty(4 * len(colour.data), np.float32)
        colour.data.foreach_get("color_srgb", values)
        check = zlib.crc32(values.view(np.uint8), check)
    faces = len(getattr(data, "polygons", ()))
    return f"{count}:{faces}:{check:08x}"
