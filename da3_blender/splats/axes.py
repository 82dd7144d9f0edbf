# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds in other frames: similarities, axes of files, Blender's world. The one place for it.

Runs in both processes.
"""

from __future__ import annotations

import enum
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.rotations import matrix_to_quaternion
from .cloud import GaussianCloud, build_axes, normalise_rotations
from .harmonics import build_harmonics_rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.similarity import Sim3

BLENDER_FROM_OPENCV: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""(x, y, z) -> (x, z, -y), as `contract.cameras.to_blender_points`."""


class UpAxis(enum.Enum):
    """Which way is up in a file; files do not say it."""

    MINUS_Y = "MINUS_Y"  # x right, y down, z forward: COLMAP, 3D Gaussian Splatting, DA3
    PLUS_Y = "PLUS_Y"  # x right, y up, z back: OpenGL, three.js, inside of SPZ
    PLUS_Z = "PLUS_Z"  # x right, y forward, z up: Blender


_OPENCV_FROM_FILE: Final = {
    UpAxis.MINUS_Y: np.eye(3),
    UpAxis.PLUS_Y: np.diag((1.0, -1.0, -1.0)),
    UpAxis.PLUS_Z: BLENDER_FROM_OPENCV.T,
}


def turn_to_opencv(cloud: GaussianCloud, up: UpAxis) -> GaussianCloud:
    """Bring a cloud whose file has this up axis to the OpenCV world."""
    return rotate_cloud(cloud, _OPENCV_FROM_FILE[up])


def turn_from_opencv(cloud: GaussianCloud, up: UpAxis) -> GaussianCloud:
    """Bring a cloud from the OpenCV world to that of a file with this up axis."""
    return rotate_cloud(cloud, _OPENCV_FROM_FILE[up].T)


def to_blender_cloud(cloud: GaussianCloud) -> GaussianCloud:
    """Turn a cloud from the OpenCV world to Blender's."""
    return rotate_cloud(cloud, BLENDER_FROM_OPENCV)


def from_blender_cloud(cloud: GaussianCloud) -> GaussianCloud:
    """Turn a cloud from Blender's world to OpenCV's."""
    return rotate_cloud(cloud, BLENDER_FROM_OPENCV.T)


def rotate_cloud(cloud: GaussianCloud, rotation: NDArray[np.floating]) -> GaussianCloud:
    """Turn positions, shapes and colours.

    Args:
        cloud: in the old world.
        rotation: (3, 3), new_from_old. Quarter turns are exact for positions.

    Returns:
        A cloud in the new world; the same one where nothing turns.
    """
    rotation = np.asarray(rotation, np.float64)
    if np.array_equal(rotation, np.eye(3)):
        return cloud
    w, x, y, z = matrix_to_quaternion(rotation[None])[0]
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    turn = build_harmonics_rotation(rotation, cloud.degree).astype(np.float32)
    return replace(
        cloud,
        positions=cloud.positions @ rotation.T.astype(np.float32),
        rotations=cloud.rotations @ left.T.astype(np.float32),
        harmonics=cloud.harmonics @ turn.T,
    )


def move_cloud(cloud: GaussianCloud, new_from_old: Sim3) -> GaussianCloud:
    """Bring a cloud to another world by a similarity."""
    turned = rotate_cloud(cloud, new_from_old.rotation)
    scale = np.float32(new_from_old.scale)
    return replace(
        turned,
        positions=turned.positions * scale + new_from_old.translation.astype(np.float32),
        scales=turned.scales * scale,
    )


def bake_matrix(cloud: GaussianCloud, matrix: NDArray[np.floating]) -> GaussianCloud:
    """Apply the transform of an object, with any scale, shear or mirror.

    Shapes become those of the transformed covariances. Colours turn with the rotation nearest to
    the transform: under non-uniform scale that is what directions do on average.

    Args:
        cloud: in the object's space.
        matrix: (4, 4), world_from_object.

    Returns:
        A cloud in the world.
    """
    matrix = np.asarray(matrix, np.float64)
    linear = matrix[:3, :3]
    u, stretch, v = np.linalg.svd(linear)
    orthogonal = u @ v
    positions = (cloud.positions @ linear.T + matrix[:3, 3]).astype(np.float32)
    turn = build_harmonics_rotation(orthogonal, cloud.degree).astype(np.float32)
    harmonics = cloud.harmonics @ turn.T
    size = float(stretch.mean())
    if np.allclose(linear, size * orthogonal, atol=1e-6 * size) and np.linalg.det(orthogonal) > 0:
        turned = rotate_cloud(cloud.limit_degree(0), orthogonal)
        scales, rotations = cloud.scales * np.float32(size), turned.rotations
    else:
        scales, rotations = _transform_shapes(cloud, linear)
    return replace(
        cloud, positions=positions, scales=scales, rotations=rotations, harmonics=harmonics
    )


def _transform_shapes(
    cloud: GaussianCloud, linear: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return scales and rotations of M C M^T; singular vectors keep what thin axes need."""
    columns = linear @ (build_axes(cloud.rotations).astype(np.float64) * cloud.scales[:, None, :])
    axes, scales, _ = np.linalg.svd(columns)
    axes[np.linalg.det(axes) < 0, :, 2] *= -1
    quaternions = matrix_to_quaternion(axes)
    return scales.astype(np.float32), normalise_rotations(quaternions)
