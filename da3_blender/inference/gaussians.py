# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the Gaussian head's channels to Gaussians in space, and from one world to another.

Runs in the engine. Source: 3D Gaussian Splatting (Kerbl et al. 2023) for the meaning of the
numbers; rotation of spherical harmonics of degree 1 and 2 by their tensors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..contract.cameras import invert_rigid
from ..contract.rotations import matrix_to_quaternion
from ..contract.similarity import Sim3, fit_sim3
from ..network import pose_encoding

Array = np.ndarray

_LEAST_SCALE, _LARGEST_SCALE = 1e-5, 30.0
_SCALE_OF_A_PIXEL = 0.1
_DEGREE_FACTORS = (1.0, *(0.025,) * 3, *(0.00625,) * 5)
"""0.1 * 0.25 ** degree for degrees 1 and 2: the network learned with damped colours."""
_COEFFICIENTS = len(_DEGREE_FACTORS)
_LARGEST_SCALE_CHANGE = 3.0
_OFFSET, _SCALES, _QUATERNION, _HARMONICS, _DEPTH = (
    slice(0, 2),
    slice(2, 5),
    slice(5, 9),
    slice(9, 36),
    36,
)
"""Places of the head's channels."""


class Gaussians(NamedTuple):
    """G Gaussians, one per pixel in view, row, column order.

    Attributes:
        means: (G, 3) float32, position.
        scales: (G, 3) float32, standard deviations along the axes, scene units; not positive
            where the network puts a pixel behind its camera: drop those.
        rotations: (G, 4) float32, unit quaternions wxyz.
        harmonics: (G, 3, 9) float32, spherical harmonics of degree 0 to 2 of each colour, in
            the order and sign of 3D Gaussian Splatting.
        opacities: (G,) float32, 0 to 1.
    """

    means: Array
    scales: Array
    rotations: Array
    harmonics: Array
    opacities: Array


def build_gaussians(
    raw: Tensor, opacity: Tensor, depth: Tensor, w2c: Array, K: Array, scale: float = 1.0
) -> Gaussians:
    """Place the Gaussians of all views in the world of the predicted cameras.

    Args:
        raw: (N, H, W, 37) float32, as the head leaves them.
        opacity: (N, H, W) float32, 0 to 1.
        depth: (N, H, W) float32 straight from the depth head; taken as distance along the ray.
        w2c: (N, 4, 4) predicted OpenCV world-to-camera.
        K: (N, 3, 3) predicted, pixels of the H x W grid.
        scale: factor for camera positions and depth.

    Returns:
        The Gaussians on the processor.
    """
    views, height, width = depth.shape
    count = height * width
    shapes = ((3,), (3,), (4,), (3, _COEFFICIENTS), ())
    result = Gaussians(*(np.empty((views * count, *shape), np.float32) for shape in shapes))
    for view, c2w in enumerate(invert_rigid(w2c)):
        c2w[:3, 3] *= scale
        parts = _build_view(raw[view], depth[view], c2w, K[view], scale)
        for whole, part in zip(result, (*parts, opacity[view]), strict=True):
            place = whole[view * count : (view + 1) * count]
            place[...] = part.reshape(place.shape).cpu().numpy()
    return result


def _build_view(
    raw: Tensor, depth: Tensor, c2w: Array, K: Array, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return means, scales, rotations and harmonics of one view, (H, W, ...) each."""

    def to_tensor(array: Array) -> Tensor:
        return torch.from_numpy(np.asarray(array, np.float32)).to(raw.device)

    height, width = depth.shape
    inverse = np.linalg.inv(np.asarray(K, np.float64))
    distance = ((depth + raw[..., _DEPTH]) * scale)[..., None]  # (H, W, 1)
    rows = torch.arange(height, dtype=torch.float32, device=raw.device) + 0.5
    columns = torch.arange(width, dtype=torch.float32, device=raw.device) + 0.5
    pixel = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)  # (H, W, 2)
    pixel = torch.cat((pixel + raw[..., _OFFSET], torch.ones_like(distance)), dim=-1)
    ray = torch.nn.functional.normalize(pixel @ to_tensor(inverse.T), dim=-1, eps=0.0)
    means = to_tensor(c2w[:3, 3]) + ray @ to_tensor(c2w[:3, :3].T) * distance
    size = _LEAST_SCALE + (_LARGEST_SCALE - _LEAST_SCALE) * raw[..., _SCALES].sigmoid()
    pixel_size = _SCALE_OF_A_PIXEL * float(inverse[:2, :2].sum())
    harmonics = raw[..., _HARMONICS].unflatten(-1, (3, _COEFFICIENTS))
    turn = build_harmonics_rotation(c2w[:3, :3]) * _DEGREE_FACTORS  # damps, then turns
    return (
        means,
        size * distance * pixel_size,
        turn_rotations(raw[..., _QUATERNION], to_tensor(c2w[:3, :3])),
        harmonics @ to_tensor(turn.T),
    )


def turn_rotations(raw: Tensor, rotation: Tensor) -> Tensor:
    """Bring quaternions (..., 4) from the camera to the world (3, 3), wxyz.

    The network learned with code that mixes up two orders of the components: a quaternion with
    its last component in front is taken as x, y, z, w, turned, and what comes out as x, y, z, w
    is used as w, x, y, z. Geometrically wrong, but what its weights expect.
    """
    quaternion = raw / (raw.norm(dim=-1, keepdim=True) + 1e-8)
    matrix = rotation @ pose_encoding.quaternion_to_matrix(quaternion.roll(1, dims=-1))
    return pose_encoding.matrix_to_quaternion(matrix)


def build_harmonics_rotation(rotation: Array) -> Array:
    """Build the matrix that turns spherical harmonics of degree 0 to 2.

    Args:
        rotation: (3, 3), new_from_old.

    Returns:
        (9, 9) float64; new coefficients = matrix @ old coefficients, so that the function
        turns: f_new(d) = f_old(R^T d).
    """
    rotation = np.asarray(rotation, np.float64)
    result = np.zeros((_COEFFICIENTS, _COEFFICIENTS))
    result[0, 0] = 1.0
    linear = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])
    result[1:4, 1:4] = linear @ rotation @ linear.T
    tensors = _build_quadratic_tensors()
    turned = rotation @ tensors @ rotation.T  # (5, 3, 3)
    result[4:, 4:] = 2 * np.einsum("aij,bij->ab", tensors, turned)
    return result


def _build_quadratic_tensors() -> Array:
    """Return (5, 3, 3): d^T M d is a harmonic of degree 2: xy, -yz, 2zz-xx-yy, -xz, xx-yy."""
    tensors = np.zeros((5, 3, 3))
    tensors[0, 0, 1] = tensors[0, 1, 0] = 0.5
    tensors[1, 1, 2] = tensors[1, 2, 1] = -0.5
    tensors[2] = np.diag((-1.0, -1.0, 2.0)) / (2 * math.sqrt(3))
    tensors[3, 0, 2] = tensors[3, 2, 0] = -0.5
    tensors[4] = np.diag((1.0, -1.0, 0.0)) / 2
    return tensors


def fit_scale_to_given(predicted_w2c: Array, given_w2c: Array) -> float:
    """Return the factor by which the release grows Gaussians towards known cameras.

    Args:
        predicted_w2c: (N, 4, 4), OpenCV world-to-camera.
        given_w2c: (N, 4, 4), known ones as the network gets them.

    Returns:
        1/3 to 3; 1 where the positions do not decide it.
    """
    predicted, given = (invert_rigid(w2c)[:, :3, 3] for w2c in (predicted_w2c, given_w2c))
    try:
        scale = fit_sim3(predicted, given).scale
    except ValueError:
        return 1.0
    return float(np.clip(scale, 1 / _LARGEST_SCALE_CHANGE, _LARGEST_SCALE_CHANGE))


def move_gaussians(gaussians: Gaussians, new_from_old: Sim3) -> Gaussians:
    """Bring Gaussians to another world: positions, sizes, rotations and colours.

    Args:
        gaussians: in the old world.
        new_from_old: the way there, such as a prediction's `world_from_gaussians`.

    Returns:
        A copy in the new world.
    """
    w, x, y, z = matrix_to_quaternion(new_from_old.rotation[None])[0]
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    turn = build_harmonics_rotation(new_from_old.rotation)
    return Gaussians(
        new_from_old.apply_to_points(gaussians.means),
        gaussians.scales * np.float32(new_from_old.scale),
        gaussians.rotations @ left.T.astype(np.float32),
        gaussians.harmonics @ turn.T.astype(np.float32),
        gaussians.opacities,
    )
