# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera objects from extrinsics and intrinsics: one per photo, or one that moves.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix

from ..contract import names
from ..contract.cameras import SENSOR_WIDTH_MM, to_blender_lens, to_blender_matrix
from ..contract.rotations import make_continuous, matrix_to_quaternion
from .animation import add_curves, make_channelbag
from .photos import show_moving, show_still

if TYPE_CHECKING:
    from bpy.types import Collection, Object
    from numpy.typing import NDArray

    from .build_options import BuildOptions
    from .extent import Extent
    from .reconstruction import Reconstruction


def make_cameras(
    reconstruction: Reconstruction, options: BuildOptions, extent: Extent, root: Object
) -> tuple[list[Object], int]:
    """Make one still camera for each view.

    Each carries da3_image, da3_K (9), da3_w2c (16), da3_size (2) and, if known, da3_frame.

    Returns:
        The objects, in the order of the views, and how many have a photo behind them.
    """
    matrices = to_blender_matrix(reconstruction.w2c)
    objects, photos = [], 0
    for index, view in enumerate(reconstruction.views):
        ob = _make_camera(view.name, options, extent, root)
        ob.matrix_basis = Matrix(matrices[index].tolist())
        K = reconstruction.K[index]
        lens = to_blender_lens(K, view.width, view.height)
        ob.data.lens, ob.data.shift_x, ob.data.shift_y = lens.lens_mm, lens.shift_x, lens.shift_y
        ob[names.PROP_IMAGE] = view.name
        ob[names.PROP_K] = K.ravel().tolist()
        ob[names.PROP_W2C] = reconstruction.w2c[index].ravel().tolist()
        ob[names.PROP_SIZE] = [view.width, view.height]
        if view.frame is not None:
            ob[names.PROP_FRAME] = view.frame
        if options.show_photos:
            photos += show_still(ob.data, view)
        objects.append(ob)
    return objects, photos


def make_animated_camera(
    reconstruction: Reconstruction, options: BuildOptions, extent: Extent, root: Object
) -> tuple[Object, int]:
    """Make one camera with keys at every frame.

    It carries da3_image (the source's name), da3_size (2), da3_frame (N numbers), da3_K (9 N)
    and da3_w2c (16 N), in the order of da3_frame.

    Returns:
        The object, and how many frames have a photo behind them.
    """
    frames, order = order_frames(reconstruction)
    views = [reconstruction.views[index] for index in order]
    w2c, K = reconstruction.w2c[order], reconstruction.K[order]
    ob = _make_camera(reconstruction.name, options, extent, root)
    ob[names.PROP_IMAGE] = reconstruction.name
    ob[names.PROP_SIZE] = [views[0].width, views[0].height]
    ob[names.PROP_FRAME] = frames.tolist()
    ob[names.PROP_K] = K.ravel().tolist()
    ob[names.PROP_W2C] = w2c.ravel().tolist()
    _animate_pose(ob, frames, to_blender_matrix(w2c))
    bag = make_channelbag(ob.data, f"{ob.name} lens")
    sizes = [(view.width, view.height) for view in views]
    lenses = [to_blender_lens(k, *size) for k, size in zip(K, sizes, strict=True)]
    for path, field in (("lens", "lens_mm"), ("shift_x", "shift_x"), ("shift_y", "shift_y")):
        values = np.array([getattr(lens, field) for lens in lenses])
        setattr(ob.data, path, values[0])
        if np.ptp(values) > 1e-6 * max(1.0, abs(values[0])):
            add_curves(bag, path, frames, values)
    photos = show_moving(ob.data, views, frames, bag) if options.show_photos else 0
    if not bag.fcurves:
        action = ob.data.animation_data.action
        ob.data.animation_data_clear()
        bpy.data.actions.remove(action)
    return ob, photos


def order_frames(reconstruction: Reconstruction) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rising frame numbers and the views they belong to; 1, 2, 3 ... without numbers."""
    numbers = [view.frame for view in reconstruction.views]
    if None in numbers or len(set(numbers)) < len(numbers):
        count = len(numbers)
        return np.arange(1, count + 1), np.arange(count)
    frames = np.array(numbers, np.int64)
    order = np.argsort(frames)
    return frames[order], order


def _make_camera(name: str, options: BuildOptions, extent: Extent, root: Object) -> Object:
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_WIDTH_MM
    data.display_size = extent.camera_size * options.camera_size
    data.clip_start, data.clip_end = extent.clip_start, extent.clip_end
    ob = bpy.data.objects.new(name, data)
    ob.rotation_mode = "QUATERNION"
    ob.parent = root
    ob[names.PROP_ROLE] = names.ROLE_CAMERA
    _link_beside(ob, root)
    return ob


def _link_beside(ob: Object, root: Object) -> None:
    collection: Collection = root.users_collection[0]
    collection.objects.link(ob)


def _animate_pose(ob: Object, frames: NDArray[np.int64], matrices: NDArray[np.float64]) -> None:
    quaternions = make_continuous(matrix_to_quaternion(matrices[:, :3, :3]))
    ob.matrix_basis = Matrix(matrices[0].tolist())
    bag = make_channelbag(ob, f"{ob.name} path")
    add_curves(bag, "location", frames, matrices[:, :3, 3])
    add_curves(bag, "rotation_quaternion", frames, quaternions)
