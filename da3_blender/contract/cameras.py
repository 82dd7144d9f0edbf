# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras between OpenCV and Blender: the only place where the two frames meet.

Runs in both processes. Formulas: `docs/cameras.md`; proven against real Blender in
`tests/addon/test_camera_conversion.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .similarity import Sim3

SENSOR_WIDTH_MM: Final = 36.0

# (x right, y down, z forward) -> (x right, y forward, z up)
_BLENDER_FROM_OPENCV: Final = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
# Blender's cameras look along -z with y up.
_CAMERA_AXES: Final = (1.0, -1.0, -1.0, 1.0)


class BlenderLens(NamedTuple):
    """What a Blender camera and the scene's render settings need to match one K.

    `lens` and `sensor_width` in mm, shifts in sensor widths, pixel aspects >= 1.
    """

    lens_mm: float
    sensor_width_mm: float
    shift_x: float
    shift_y: float
    pixel_aspect_x: float
    pixel_aspect_y: float


def invert_rigid(pose: NDArray[np.floating]) -> NDArray[np.float64]:
    """Invert rigid transforms exactly, without a numerical inverse.

    Args:
        pose: (..., 4, 4) rigid transforms [R t; 0 1].

    Returns:
        (..., 4, 4) float64, [R^T -R^T t; 0 1].
    """
    pose = np.asarray(pose, dtype=np.float64)
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse = np.zeros_like(pose)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, pose[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def to_blender_points(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn positions from the OpenCV world to Blender's.

    Args:
        points: (..., 3) scene units, OpenCV world (x right, y down, z forward).

    Returns:
        (..., 3), same dtype: (x, z, -y), Blender world (z up).
    """
    points = np.asarray(points)
    turned = np.empty_like(points)
    turned[..., 0] = points[..., 0]
    turned[..., 1] = points[..., 2]
    np.negative(points[..., 1], out=turned[..., 2])
    return turned


def from_blender_points(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn positions from Blender's world to OpenCV's: the inverse of `to_blender_points`."""
    points = np.asarray(points)
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def to_blender_similarity(new_from_old: Sim3) -> NDArray[np.float64]:
    """Turn a similarity between OpenCV worlds into a Blender matrix between the same worlds.

    Args:
        new_from_old: scale, rotation and translation, OpenCV worlds.

    Returns:
        (4, 4) float64: moves `to_blender_points` of the old world to those of the new one.
    """
    world = np.array(_BLENDER_FROM_OPENCV)
    matrix = np.eye(4)
    matrix[:3, :3] = new_from_old.scale * world @ new_from_old.rotation @ world.T
    matrix[:3, 3] = world @ new_from_old.translation
    return matrix


def to_blender_matrix(w2c: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn extrinsics into the `matrix_world` of a Blender camera (relative to the root).

    Args:
        w2c: (..., 4, 4) world-to-camera, OpenCV axes.

    Returns:
        (..., 4, 4) float64 camera-to-world in Blender's world and camera axes.
    """
    world = np.eye(4)
    world[:3, :3] = _BLENDER_FROM_OPENCV
    return world @ invert_rigid(w2c) @ np.diag(_CAMERA_AXES)


def from_blender_matrix(matrix_world: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn the `matrix_world` of a Blender camera (no scale) into w2c, OpenCV axes."""
    world = np.eye(4)
    world[:3, :3] = _BLENDER_FROM_OPENCV
    c2w = world.T @ np.asarray(matrix_world, dtype=np.float64) @ np.diag(_CAMERA_AXES)
    return invert_rigid(c2w)


def to_blender_lens(
    K: NDArray[np.floating], width: int, height: int, sensor_width_mm: float = SENSOR_WIDTH_MM
) -> BlenderLens:
    """Turn intrinsics into lens, shift and pixel aspect, for `sensor_fit = 'HORIZONTAL'`.

    Args:
        K: (3, 3) pixels of the width x height picture; pixel (0, 0) has its centre at (0.5, 0.5).
        width: pixels.
        height: pixels.
        sensor_width_mm: any positive width; the picture does not depend on it.

    Raises:
        ValueError: a focal length is not positive.
    """
    fx, fy, cx, cy = float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])
    if not (fx > 0 and fy > 0):
        message = f"focal lengths must be positive, got fx = {fx} and fy = {fy}"
        raise ValueError(message)
    ratio = fx / fy
    # Blender clamps pixel aspects below 1, so the larger axis carries the ratio.
    aspect_x, aspect_y = (1.0, ratio) if ratio >= 1 else (1.0 / ratio, 1.0)
    return BlenderLens(
        lens_mm=fx / width * sensor_width_mm,
        sensor_width_mm=sensor_width_mm,
        shift_x=(width / 2 - cx) / width,
        shift_y=(cy - height / 2) / width * (aspect_y / aspect_x),
        pixel_aspect_x=aspect_x,
        pixel_aspect_y=aspect_y,
    )


def from_blender_lens(lens: BlenderLens, width: int, height: int) -> NDArray[np.float64]:
    """Turn lens, shift and pixel aspect into K, (3, 3) float64, pixels of width x height."""
    aspect = lens.pixel_aspect_y / lens.pixel_aspect_x
    fx = lens.lens_mm / lens.sensor_width_mm * width
    return np.array(
        [
            [fx, 0.0, width / 2 - lens.shift_x * width],
            [0.0, fx / aspect, height / 2 + lens.shift_y * width / aspect],
            [0.0, 0.0, 1.0],
        ]
    )


def make_square_pixels(K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Set fx and fy of each K to their geometric mean; centres stay.

    Args:
        K: (..., 3, 3) pixels.

    Returns:
        (..., 3, 3) float64, pixels.
    """
    square = np.array(K, dtype=np.float64)
    focal = np.sqrt(square[..., 0, 0] * square[..., 1, 1])
    square[..., 0, 0] = focal
    square[..., 1, 1] = focal
    return square
