# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cameras of a reconstruction as they stand in the scene now, for flights.

Runs in Blender. Everything is relative to the root, so its own place, turn and size do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ..contract import names
from ..contract.cameras import (
    BlenderLens,
    from_blender_lens,
    from_blender_matrix,
    invert_rigid,
    to_blender_lens,
)
from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import load_result
from ..flights.camera_paths import CameraPath
from .animation import find_channelbag
from .camera_objects import is_animated_camera
from .lookup import list_cameras, locate_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpy.types import ID, Object
    from numpy.typing import NDArray

_NETWORK_SIDE: Final = 504  # of the longest side, as the release processes photos
_PATCH: Final = 14  # sides that the network sees are multiples of its patches
_POSE_PATHS: Final = {"location", "rotation_quaternion"}


class FlightViews(NamedTuple):
    """Views in the order of the result.

    Attributes:
        path: (N) cameras below the root, OpenCV world; shares of a picture of `size`.
        size: width and height of the first photo, pixels.
        objects: the camera object of each view; the same one for all frames of a sequence.
    """

    path: CameraPath
    size: tuple[int, int]
    objects: tuple[Object, ...]


def read_views(root: Object, frame: int) -> FlightViews:
    """Read poses and lenses from the cameras below a root, also those that the user has moved.

    Args:
        root: of the reconstruction.
        frame: of the scene now; for cameras of single photos that the user has animated.

    Raises:
        EngineError: INPUT_MISMATCH; there is no camera of ours, or one lost its properties.
    """
    paths: list[CameraPath] = []
    objects: list[Object] = []
    size: tuple[int, int] | None = None
    for ob in list_cameras(root):
        size = size or _read_size(ob)
        frames = list(ob[names.PROP_FRAME]) if is_animated_camera(ob) else [frame]
        paths.append(read_path(ob, root, frames, size))
        objects += [ob] * len(frames)
    if size is None:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{root.name} has no cameras.",
            "Turn Cameras on under Make, and press Rebuild.",
        )
    path = CameraPath(*(np.concatenate(parts) for parts in zip(*paths, strict=True)))
    return FlightViews(path, size, tuple(objects))


def read_path(ob: Object, root: Object, frames: Sequence[int], size: tuple[int, int]) -> CameraPath:
    """Read where a camera below a root is at these frames.

    Args:
        ob: camera of ours.
        root: of the reconstruction.
        frames: numbers on the time line.
        size: of the picture whose shares the intrinsics are, pixels.
    """
    matrices = np.array(_read_poses(ob, root, frames), np.float64)
    c2w = invert_rigid(from_blender_matrix(matrices))
    return CameraPath(c2w, np.stack(_read_lenses(ob, frames, size)))


def find_place(ob: Object, root: Object) -> Matrix:
    """Return what lies between an object's own place (`matrix_basis`) and its root.

    The world matrices of hidden objects are those of the time when they were hidden, so the
    chain of parents is followed by hand.
    """
    above = ob.matrix_parent_inverse.copy()
    parent = ob.parent
    while parent is not None and parent != root:
        above = parent.matrix_parent_inverse @ parent.matrix_basis @ above
        parent = parent.parent
    return above


def find_processed_size(root: Object, photo_size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the depth maps, or what the release would make of the photos.

    The latter where there are no maps, or smaller ones, as those of previews and small models.
    Looks at the disk.
    """
    scale = _NETWORK_SIDE / max(photo_size)
    width, height = (max(1, round(side * scale / _PATCH)) * _PATCH for side in photo_size)
    try:
        _, map_height, map_width = load_result(locate_result(root)).load("depth").shape
    except (EngineError, OSError, KeyError, ValueError):
        return width, height
    return (map_width, map_height) if map_width > width else (width, height)


def _read_size(ob: Object) -> tuple[int, int]:
    size, numbers = ob.get(names.PROP_SIZE), ob.get(names.PROP_K)
    if size is None or numbers is None:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{ob.name} has lost the size or lens of its photo.",
            "Delete this camera and press Rebuild.",
        )
    return int(size[0]), int(size[1])


def _read_poses(ob: Object, root: Object, frames: Sequence[int]) -> list[Matrix]:
    """Return the camera at each frame, in the root's space, without scale."""
    above = find_place(ob, root)
    bag = find_channelbag(ob)
    is_moving = bag is not None and any(c.data_path in _POSE_PATHS for c in bag.fcurves)
    if ob.rotation_mode != "QUATERNION" or not is_moving:
        places = [ob.matrix_basis] * len(frames)
    else:
        locations = _sample(ob, "location", frames)
        turns = _sample(ob, "rotation_quaternion", frames)
        places = [
            Matrix.LocRotScale(Vector(location), Quaternion(turn).normalized(), None)
            for location, turn in zip(locations.tolist(), turns.tolist(), strict=True)
        ]
    matrices = []
    for place in places:
        location, rotation, _ = (above @ place).decompose()
        matrices.append(Matrix.LocRotScale(location, rotation, None))
    return matrices


def _read_lenses(
    ob: Object, frames: Sequence[int], size: tuple[int, int]
) -> list[NDArray[np.float64]]:
    """Return (3, 3) K at each frame: shares of a picture of this size, the same width of view."""
    width, height = _read_size(ob)
    K = np.array(ob[names.PROP_K], np.float64).reshape(-1, 3, 3)
    values = [_sample(ob.data, path, frames)[:, 0] for path in ("lens", "shift_x", "shift_y")]
    lenses = []
    for index, (focal, shift_x, shift_y) in enumerate(zip(*values, strict=True)):
        photo = to_blender_lens(K[min(index, len(K) - 1)], width, height)
        lens = BlenderLens(
            focal, ob.data.sensor_width, shift_x, shift_y,
            photo.pixel_aspect_x, photo.pixel_aspect_y,
        )  # fmt: skip
        shares = from_blender_lens(lens, *size)
        shares[0] /= size[0]
        shares[1] /= size[1]
        lenses.append(shares)
    return lenses


def _sample(block: ID, path: str, frames: Sequence[int]) -> NDArray[np.float64]:
    """Return (F, C): a property at frames, from its curves where it has some."""
    values = np.tile(np.atleast_1d(np.array(getattr(block, path), np.float64)), (len(frames), 1))
    bag = find_channelbag(block)
    for curve in bag.fcurves if bag is not None else ():
        if curve.data_path == path:
            values[:, curve.array_index] = [curve.evaluate(frame) for frame in frames]
    return values
