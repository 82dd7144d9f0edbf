# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine numbers per camera: position, quaternion and two fields of view.

Runs in the engine. Layout of the encoding: camera centre (3), camera-to-world quaternion in
x, y, z, w order (4), vertical and horizontal field of view in radians (2).
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_TANGENT = 1e-6


def invert_rigid(transform: Tensor) -> Tensor:
    """Invert rotation-and-translation matrices without a numerical inverse.

    Args:
        transform: (..., 4, 4), rotation in the upper left.

    Returns:
        (..., 4, 4).
    """
    rotation = transform[..., :3, :3].transpose(-1, -2)  # (..., 3, 3)
    inverse = torch.zeros_like(transform)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3:] = -rotation @ transform[..., :3, 3:]
    inverse[..., 3, 3] = 1
    return inverse


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Turn quaternions of any length into rotation matrices.

    Args:
        quaternion: (..., 4), order x, y, z, w.

    Returns:
        (..., 3, 3).
    """
    x, y, z, w = quaternion.unbind(-1)
    s = 2.0 / quaternion.square().sum(-1)
    return torch.stack(
        (
            *(1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)),
            *(s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)),
            *(s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)),
        ),
        dim=-1,
    ).unflatten(-1, (3, 3))


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Turn rotation matrices into unit quaternions.

    Args:
        matrix: (..., 3, 3).

    Returns:
        (..., 4), order x, y, z, w, last component not negative.
    """
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = matrix.flatten(-2).unbind(-1)
    squares = torch.stack(
        (1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22),
        dim=-1,
    )  # (..., 4), four times the squares of w, x, y, z
    roots = squares.clamp_min(0).sqrt()
    rows = torch.stack(
        (
            *(squares[..., 0].clamp_min(0), m21 - m12, m02 - m20, m10 - m01),
            *(m21 - m12, squares[..., 1].clamp_min(0), m10 + m01, m02 + m20),
            *(m02 - m20, m10 + m01, squares[..., 2].clamp_min(0), m12 + m21),
            *(m10 - m01, m02 + m20, m12 + m21, squares[..., 3].clamp_min(0)),
        ),
        dim=-1,
    ).unflatten(-1, (4, 4))
    rows = rows / (2.0 * roots.clamp_min(0.1))[..., None]
    # the row with the largest component divides by the largest number
    best = roots.argmax(-1)[..., None, None].expand(*roots.shape[:-1], 1, 4)
    wxyz = rows.gather(-2, best).squeeze(-2)  # (..., 4)
    xyzw = wxyz.roll(-1, dims=-1)
    return torch.where(xyzw[..., 3:] < 0, -xyzw, xyzw)


def cameras_to_encoding(w2c: Tensor, K: Tensor, size: tuple[int, int]) -> Tensor:
    """Encode cameras; the principal point is not part of the encoding.

    Args:
        w2c: (..., 4, 4), OpenCV world-to-camera.
        K: (..., 3, 3), pixels of an image of `size`.
        size: height and width in pixels.

    Returns:
        (..., 9).
    """
    c2w = invert_rigid(w2c)
    height, width = size
    fov_vertical = 2 * torch.atan(height / (2 * K[..., 1, 1]))
    fov_horizontal = 2 * torch.atan(width / (2 * K[..., 0, 0]))
    fov = torch.stack((fov_vertical, fov_horizontal), dim=-1)
    return torch.cat((c2w[..., :3, 3], matrix_to_quaternion(c2w[..., :3, :3]), fov), dim=-1)


def encoding_to_cameras(encoding: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Decode cameras; the principal point is the middle of the image.

    Args:
        encoding: (..., 9); the quaternion may have any length.
        size: height and width in pixels.

    Returns:
        w2c (..., 4, 4), OpenCV world-to-camera, and K (..., 3, 3) in pixels. A field of view of
        zero gives a focal length of a million half widths.
    """
    height, width = size
    c2w = encoding.new_zeros((*encoding.shape[:-1], 4, 4))
    c2w[..., :3, :3] = quaternion_to_matrix(encoding[..., 3:7])
    c2w[..., :3, 3] = encoding[..., :3]
    c2w[..., 3, 3] = 1
    tangent = (encoding[..., 7:9] / 2).tan().clamp_min(_LEAST_TANGENT)  # vertical, horizontal
    K = encoding.new_zeros((*encoding.shape[:-1], 3, 3))
    K[..., 0, 0] = width / 2 / tangent[..., 1]
    K[..., 1, 1] = height / 2 / tangent[..., 0]
    K[..., 0, 2] = width / 2
    K[..., 1, 2] = height / 2
    K[..., 2, 2] = 1
    return invert_rigid(c2w), K
