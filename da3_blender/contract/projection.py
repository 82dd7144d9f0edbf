# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From pixels with depth to points in the world, and back.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .cameras import invert_rigid

if TYPE_CHECKING:
    from numpy.typing import NDArray


def unproject(
    depth: NDArray[np.floating], K: NDArray[np.floating], w2c: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Lift depth maps to points in the world frame.

    Args:
        depth: (N, H, W) distance along the optical axis, scene units; values <= 0 or
            non-finite are invalid.
        K: (N, 3, 3) pixels of this H x W grid.
        w2c: (N, 4, 4) world-to-camera, OpenCV axes.

    Returns:
        (N, H, W, 3) float32, OpenCV world frame; NaN where depth is invalid.

    Raises:
        ValueError: the three N differ.
    """
    if not len(depth) == len(K) == len(w2c):
        message = f"{len(depth)} depth maps, {len(K)} intrinsics and {len(w2c)} extrinsics"
        raise ValueError(message)
    count, height, width = depth.shape
    grid = np.ones((height, width, 3))
    grid[..., 0] = np.arange(width) + 0.5  # pixel centres
    grid[..., 1] = np.arange(height)[:, None] + 0.5
    world = np.empty((count, height, width, 3), np.float32)
    c2w = invert_rigid(w2c)
    for view in range(count):
        rays = grid @ np.linalg.inv(np.asarray(K[view], np.float64)).T
        valid = np.isfinite(depth[view]) & (depth[view] > 0)
        z = np.where(valid, depth[view], np.nan).astype(np.float64)
        world[view] = (rays * z[..., None]) @ c2w[view, :3, :3].T + c2w[view, :3, 3]
    return world


def project(
    points: NDArray[np.floating], K: NDArray[np.floating], w2c: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project world points into one view.

    Args:
        points: (M, 3) OpenCV world frame.
        K: (3, 3) pixels.
        w2c: (4, 4) world-to-camera, OpenCV axes.

    Returns:
        pixels: (M, 2) float64; the centre of the first pixel is (0.5, 0.5).
        depth: (M,) float64 along the optical axis; pixels mean nothing where it is <= 0.
    """
    camera = np.asarray(points, np.float64) @ w2c[:3, :3].T + w2c[:3, 3]
    depth = camera[:, 2]
    homogeneous = camera @ np.asarray(K, np.float64).T
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    return pixels, depth
