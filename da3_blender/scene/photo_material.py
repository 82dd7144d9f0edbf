# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The material that shows a photo on a surface as it is, without light.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from ..contract import names
from .animation import make_channelbag
from .compat import get_material_nodes
from .photos import follow_frames, is_movie, load_image, load_moving

if TYPE_CHECKING:
    import numpy as np
    from bpy.types import Material, Node
    from numpy.typing import NDArray

    from .reconstruction import PhotoView

RECIPE: Final = 1


def get_photo_material(view: PhotoView) -> Material:
    """Return the material of a photo or of a frame of a video; made if there is none yet."""
    key = f"{view.photo}#{view.frame}" if is_movie(view) else str(view.photo)
    known = _find_material(key)
    if known is not None:
        return known
    material, picture = _make_material(f"{names.MATERIAL_PHOTO} {view.name}", key)
    if not view.photo.is_file():
        return material
    picture.image = load_image(view.photo, "MOVIE" if is_movie(view) else "FILE")
    if is_movie(view):
        user = picture.image_user
        user.frame_start = user.frame_duration = 1
        user.frame_offset = (view.frame or 1) - 1
        user.use_auto_refresh = True
    return material


def get_moving_material(name: str, view: PhotoView, frames: NDArray[np.integer]) -> Material:
    """Return the material of a shot: at frame f its picture f, or the last one of `frames`.

    Args:
        name: of the result.
        view: one of the shot.
        frames: (N,) rising, frames whose pictures are shown, each until the next one.
    """
    key = f"{view.photo}@{','.join(map(str, frames.tolist()))}"
    known = _find_material(key)
    if known is not None:
        return known
    material, picture = _make_material(f"{names.MATERIAL_PHOTO} {name}", key)
    picture.image = load_moving(view)
    picture.image_user.use_auto_refresh = True
    tree = get_material_nodes(material)
    follow_frames(
        (picture.image_user, picture.image),
        frames,
        lambda: make_channelbag(tree, f"{material.name} frames"),
        holds=True,
    )
    return material


def _find_material(key: str) -> Material | None:
    for material in bpy.data.materials:
        if material.get(names.PROP_IMAGE) == key and material.get(names.PROP_STAMP) == RECIPE:
            return material
    return None


def _make_material(name: str, key: str) -> tuple[Material, Node]:
    """Return a material that shines with a picture, and the node of the picture."""
    material = bpy.data.materials.new(name)
    material[names.PROP_IMAGE] = key
    material[names.PROP_STAMP] = RECIPE
    tree = get_material_nodes(material)
    tree.nodes.clear()
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.extension = "EXTEND"
    picture.location = (-400, 0)
    light = tree.nodes.new("ShaderNodeEmission")
    light.location = (0, 0)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (200, 0)
    tree.links.new(picture.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs["Emission"], output.inputs["Surface"])
    return material, picture
