# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as quaternions (wxyz), and angles between rotations.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def matrix_to_quaternion(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn rotation matrices into unit quaternions.

    Args:
        matrix: (N, 3, 3) rotations.

    Returns:
        (N, 4) float64, wxyz, w >= 0.

    Source: Bar-Itzhack 2000, the quaternion is the eigenvector of a symmetric 4 x 4 matrix.
    """
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    k = np.empty((len(m), 4, 4))
    k[:, 0, 0] = xx + yy + zz
    k[:, 1, 1] = xx - yy - zz
    k[:, 2, 2] = yy - xx - zz
    k[:, 3, 3] = zz - xx - yy
    k[:, 0, 1] = k[:, 1, 0] = m[:, 2, 1] - m[:, 1, 2]
    k[:, 0, 2] = k[:, 2, 0] = m[:, 0, 2] - m[:, 2, 0]
    k[:, 0, 3] = k[:, 3, 0] = m[:, 1, 0] - m[:, 0, 1]
    k[:, 1, 2] = k[:, 2, 1] = m[:, 1, 0] + m[:, 0, 1]
    k[:, 1, 3] = k[:, 3, 1] = m[:, 2, 0] + m[:, 0, 2]
    k[:, 2, 3] = k[:, 3, 2] = m[:, 2, 1] + m[:, 1, 2]
    _, vectors = np.linalg.eigh(k)
    quaternion = vectors[:, :, -1]
    return np.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def quaternion_to_matrix(quaternion: Sequence[float]) -> NDArray[np.float64]:
    """Turn one quaternion wxyz, of any length but zero, into a (3, 3) rotation.

    Raises:
        ValueError: the quaternion is zero.
    """
    q = np.asarray(quaternion, np.float64)
    length = np.linalg.norm(q)
    if not length > 0:
        message = "a quaternion has no length"
        raise ValueError(message)
    w, x, y, z = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def make_continuous(quaternion: NDArray[np.floating]) -> NDArray[np.float64]:
    """Flip signs so that neighbours in time never jump to the other half of the sphere.

    Args:
        quaternion: (N, 4) in time order; q and -q are the same rotation.

    Returns:
        (N, 4) float64 with non-negative products of neighbours.
    """
    quaternion = np.array(quaternion, np.float64)
    if len(quaternion) > 1:
        dots = np.einsum("ij,ij->i", quaternion[1:], quaternion[:-1])
        flips = np.cumprod(np.where(dots < 0, -1.0, 1.0))
        quaternion[1:] *= flips[:, None]
    return quaternion


def measure_angle(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure the angle of the rotation between a and b.

    Args:
        a: (..., 3, 3) rotations.
        b: (..., 3, 3) rotations.

    Returns:
        (...,) float64, radians; exact also for tiny angles.
    """
    difference = np.swapaxes(np.asarray(a, np.float64), -1, -2) @ np.asarray(b, np.float64)
    # |R - I|_F = 2 sqrt(2) sin(angle / 2): no loss near zero, where acos of the trace fails.
    chord = np.linalg.norm(difference - np.eye(3), axis=(-2, -1))
    return 2 * np.arcsin(np.clip(chord / (2 * np.sqrt(2)), 0, 1))


def find_nearest_rotation(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (..., 3, 3) rotations nearest to matrices, such as to sums of rotations."""
    u, _, vt = np.linalg.svd(np.asarray(matrix, np.float64))
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return u @ vt
