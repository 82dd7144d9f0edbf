# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera objects from extrinsics and intrinsics: one per photo, or one that moves.

Runs in Blender. Cameras that exist are found by their picture and updated; what the user has
changed on them stays.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import bpy
import numpy as np
from mathutils import Matrix

from ..contract import names
from ..contract.cameras import SENSOR_WIDTH_MM, to_blender_lens, to_blender_matrix
from .lookup import list_parts
from .moving_camera import set_moving_camera
from .photos import count_moving, hide_photo, show_still
from .written import Written

if TYPE_CHECKING:
    from bpy.types import Object
    from numpy.typing import NDArray

    from .reconstruction import Reconstruction
    from .site import Site

_MOST_NAMES: Final = 3


def make_cameras(reconstruction: Reconstruction, site: Site) -> tuple[list[Object], int]:
    """Make or update one still camera for each view.

    Each carries da3_image, da3_index, da3_K (9), da3_w2c (16), da3_size (2), da3_doubt and, if
    known, da3_frame.

    Returns:
        The objects, in the order of the views, and how many have a photo behind them.
    """
    matrices = to_blender_matrix(reconstruction.w2c)
    known = {str(ob[names.PROP_IMAGE]): ob for ob in _list_known(site, is_animated=False)}
    objects, photos = [], 0
    for index, view in enumerate(reconstruction.views):
        ob = known.pop(view.name, None)
        is_new = ob is None
        if ob is None:
            ob = _make_camera(view.name, site)
        if is_new or not site.only or view.name in site.only:
            matrix = Matrix(matrices[index].tolist())
            action = functools.partial(_set_still, ob, reconstruction, index, matrix, site)
            site.do(action, is_new=is_new)
        photos += site.options.show_photos and view.photo.is_file()
        objects.append(ob)
    _remove_later([*known.values(), *_list_known(site, is_animated=True)], site)
    return objects, photos


def make_animated_camera(reconstruction: Reconstruction, site: Site) -> tuple[Object, int]:
    """Make or update one camera with keys at every frame.

    It carries da3_image (the source's name), da3_index, da3_size (2), da3_frame (N numbers),
    da3_K (9 N) and da3_w2c (16 N), in the order of da3_frame.

    Returns:
        The object, and how many frames have a photo behind them.
    """
    frames, order = order_frames(reconstruction)
    views = [reconstruction.views[index] for index in order]
    known = _list_known(site, is_animated=True)
    ob = known.pop(0) if known else None
    is_new = ob is None
    if ob is None:
        ob = _make_camera(reconstruction.name, site)
    action = functools.partial(
        set_moving_camera, ob, reconstruction, (frames, order), site, is_new=is_new
    )
    site.do(lambda: (_set_display(ob, site), action()), is_new=is_new)
    _remove_later([*known, *_list_known(site, is_animated=False)], site)
    return ob, count_moving(views, frames) if site.options.show_photos else 0


def order_frames(reconstruction: Reconstruction) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rising frame numbers and the views they belong to; 1, 2, 3 ... without numbers."""
    numbers = [view.frame for view in reconstruction.views]
    if None in numbers or len(set(numbers)) < len(numbers):
        count = len(numbers)
        return np.arange(1, count + 1), np.arange(count)
    frames = np.array(numbers, np.int64)
    order = np.argsort(frames)
    return frames[order], order


def is_animated_camera(ob: Object) -> bool:
    """Tell whether a camera of ours stands for all frames of a sequence."""
    frames = ob.get(names.PROP_FRAME)
    return frames is not None and not isinstance(frames, int)


def _list_known(site: Site, *, is_animated: bool) -> list[Object]:
    cameras = list_parts(site.root, names.ROLE_CAMERA)
    return [ob for ob in cameras if is_animated_camera(ob) == is_animated]


def _make_camera(name: str, site: Site) -> Object:
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_WIDTH_MM
    ob = bpy.data.objects.new(name, data)
    ob.rotation_mode = "QUATERNION"
    ob[names.PROP_ROLE] = names.ROLE_CAMERA
    ob[names.PROP_IMAGE] = name
    site.link(ob)
    return ob


def _set_display(ob: Object, site: Site) -> None:
    record, extent = Written(ob), site.extent
    record.put(ob.data, "display_size", extent.camera_size * site.options.camera_size)
    record.put(ob.data, "clip_start", extent.clip_start)
    record.put(ob.data, "clip_end", extent.clip_end)


def _set_still(
    ob: Object, reconstruction: Reconstruction, index: int, matrix: Matrix, site: Site
) -> None:
    view, K = reconstruction.views[index], reconstruction.K[index]
    _set_display(ob, site)
    record = Written(ob)
    record.place(ob, matrix)
    lens = to_blender_lens(K, view.width, view.height)
    record.put(ob.data, "lens", lens.lens_mm)
    record.put(ob.data, "shift_x", lens.shift_x)
    record.put(ob.data, "shift_y", lens.shift_y)
    ob[names.PROP_INDEX] = index
    ob[names.PROP_K] = K.ravel().tolist()
    ob[names.PROP_W2C] = reconstruction.w2c[index].ravel().tolist()
    ob[names.PROP_SIZE] = [view.width, view.height]
    ob[names.PROP_DOUBT] = view.doubt
    if view.frame is not None:
        ob[names.PROP_FRAME] = view.frame
    if site.options.show_photos:
        show_still(ob.data, view, record)
    else:
        hide_photo(ob.data, record)


def _remove_later(cameras: list[Object], site: Site) -> None:
    """Remove cameras that the result no longer has, but for those that the user works with."""
    kept = [ob for ob in cameras if _is_in_use(ob)]
    for ob in cameras:
        if ob not in kept:
            site.later.append(functools.partial(bpy.data.objects.remove, ob))
            site.later.append(functools.partial(_remove_unused, ob.data))
    if kept:
        shown = ", ".join(ob.name for ob in kept[:_MOST_NAMES])
        more = f" and {len(kept) - _MOST_NAMES} more" if len(kept) > _MOST_NAMES else ""
        site.notes.append(
            f"The result no longer has {shown}{more}; kept, because you have changed them."
        )


def _remove_unused(data: bpy.types.Camera) -> None:
    if not data.users:
        bpy.data.cameras.remove(data)


def _is_in_use(ob: Object) -> bool:
    has_more = bool(ob.children or ob.constraints)
    return has_more or (not is_animated_camera(ob) and Written(ob).is_moved(ob))
