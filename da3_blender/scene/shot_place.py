# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where computer graphics can stand in a shot: the floor, and a place on it before the camera.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from mathutils import Matrix, Vector

from ..contract import names
from ..contract.ground_plane import Plane, find_floor, guess_up
from .root_moves import read_world_cameras, read_world_points

if TYPE_CHECKING:
    from bpy.types import Context, Object
    from numpy.typing import NDArray

_MOST_POINTS: Final = 200_000
_LOWEST: Final = 2.0  # percentile of the heights that is the ground where there is no floor
_AROUND: Final = 1.25  # a floor reaches so much farther than the points
_SHARE: Final = 0.12  # of the picture's width that a test object takes
# Where in the picture it may stand, as shares from the upper left corner.
_STAGE: Final = ((0.2, 0.8), (0.4, 0.9))
_LEAST_SEEN: Final = 20
_AHEAD: Final = 5.0  # scene units, where nothing at all was seen


class ShotPlace(NamedTuple):
    """Floor and place, in the world.

    Attributes:
        floor: its normal is up.
        share: of the points that lie on it; 0 where the ground is only the lowest height.
        middle: (3,) of the points, on the floor.
        size: side of a square floor, scene units.
        spot: (3,) on the floor, before the camera.
        width: of a test object there, scene units.
        right: (3,) unit vector along the floor, to the right in the picture.
    """

    floor: Plane
    share: float
    middle: NDArray[np.float64]
    size: float
    spot: NDArray[np.float64]
    width: float
    right: NDArray[np.float64]


def find_shot_place(context: Context, root: Object, camera: Object) -> ShotPlace:
    """Look for the floor of a reconstruction and a place on it that a camera sees.

    Args:
        context: of the scene, at the frame that is meant.
        root: of the reconstruction.
        camera: of it.
    """
    context.view_layer.update()
    points = read_world_points(root, _MOST_POINTS)
    poses = read_world_cameras(context, root)
    up = guess_up(poses[:, :3, 1], poses[:, :3, 0])
    if up[2] > np.cos(np.radians(10)):  # it stands upright already, maybe by the user's hand
        up = np.array([0.0, 0.0, 1.0])
    found = find_floor(points, poses[:, :3, 3], up)
    if found is not None:
        floor, share = found.plane, found.share
    elif len(points):
        floor, share = Plane(up, float(np.percentile(points @ up, _LOWEST))), 0.0
    else:
        floor, share = Plane(up, float((poses[:, :3, 3] @ up).min()) - _AHEAD / 3), 0.0
    around = points if len(points) else poses[:, :3, 3]
    low, high = np.percentile(around, [2, 98], axis=0)
    middle = _drop((low + high) / 2, floor)
    spot, width = _find_spot(points, floor, camera)
    right = np.array(camera.matrix_world.to_3x3().col[0], np.float64)
    right -= floor.normal * (right @ floor.normal)
    length = float(np.linalg.norm(high - low)) or _AHEAD
    size = _AROUND * max(length, float(2 * np.linalg.norm(spot - middle)))
    return ShotPlace(floor, share, middle, size, spot, width, right / np.linalg.norm(right))


def make_standing(place: ShotPlace, spot: NDArray[np.float64]) -> Matrix:
    """Return a matrix whose x goes right in the picture and whose z is the floor's normal."""
    forward = np.cross(place.floor.normal, place.right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([place.right, forward, place.floor.normal], axis=1)
    matrix[:3, 3] = spot
    return Matrix(matrix.tolist())


def _drop(point: NDArray[np.float64], floor: Plane) -> NDArray[np.float64]:
    return point - floor.normal * float(floor.measure_heights(point))


def _find_spot(
    points: NDArray[np.float64], floor: Plane, camera: Object
) -> tuple[NDArray[np.float64], float]:
    """Return a place on the floor, and the width of an object there."""
    place = camera.matrix_world.normalized()
    c2w = np.array(place, np.float64)
    local = (points - c2w[:3, 3]) @ c2w[:3, :3] * [1, -1, -1]  # OpenCV axes
    K = np.array(camera[names.PROP_K][:9], np.float64).reshape(3, 3)
    width, height = (float(side) for side in camera[names.PROP_SIZE])
    in_front = local[:, 2] > 0
    local, seen = local[in_front], points[in_front]
    x = (local[:, 0] / local[:, 2] * K[0, 0] + K[0, 2]) / width
    y = (local[:, 1] / local[:, 2] * K[1, 1] + K[1, 2]) / height
    in_picture = (x > 0) & (x < 1) & (y > 0) & (y < 1)
    (left, right), (top, bottom) = _STAGE
    on_stage = (x > left) & (x < right) & (y > top) & (y < bottom)
    depth = float(np.median(local[in_picture, 2])) if in_picture.any() else _AHEAD
    on_stage &= np.abs(floor.measure_heights(seen)) < 0.02 * depth
    if on_stage.sum() >= _LEAST_SEEN:
        stage = seen[on_stage]
        middle = np.median(stage, axis=0)
        spot = _drop(stage[np.linalg.norm(stage - middle, axis=1).argmin()], floor)
    else:
        spot = _drop(np.array(place @ Vector((0, 0, -depth))), floor)
    distance = max(float((spot - c2w[:3, 3]) @ -c2w[:3, 2]), depth / 10)
    return spot, _SHARE * width / K[0, 0] * distance
