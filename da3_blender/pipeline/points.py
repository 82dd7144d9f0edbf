# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From depth maps to one coloured cloud: drops doubtful pixels, thins evenly.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..contract.depth_edges import find_depth_edges
from ..contract.projection import unproject

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Cloud(NamedTuple):
    """A coloured point cloud.

    positions: (M, 3) float32 world; colours: (M, 3) uint8 sRGB; confidence: (M,) float32;
    view: (M,) int32, -1 where a point belongs to several views.
    """

    positions: NDArray[np.float32]
    colours: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    view: NDArray[np.int32]


def make_empty_cloud() -> Cloud:
    """Return a cloud without points."""
    return Cloud(
        np.zeros((0, 3), np.float32),
        np.zeros((0, 3), np.uint8),
        np.zeros(0, np.float32),
        np.zeros(0, np.int32),
    )


def fuse_depth(
    depth: NDArray[np.floating],
    confidence: NDArray[np.floating],
    images: NDArray[np.uint8],
    cameras: tuple[NDArray[np.floating], NDArray[np.floating]],
    limits: tuple[float, float, int],
) -> Cloud:
    """Turn all depth maps into one cloud.

    Args:
        depth: (N, H, W) along the optical axis, scene units.
        confidence: (N, H, W) larger is better.
        images: (N, H, W, 3) uint8 sRGB of the same grid.
        cameras: K (N, 3, 3) in pixels of the grid and w2c (N, 4, 4), OpenCV.
        limits: share of the least confident pixels to drop, in percent over the whole set;
            relative depth step of an edge; largest number of points.

    Returns:
        The cloud, in view order, positions in the world of w2c.
    """
    drop_percent, edge_step, max_points = limits
    K, w2c = cameras
    valid = np.isfinite(depth) & (depth > 0)
    threshold = (
        np.percentile(confidence[valid], drop_percent)
        if valid.any() and drop_percent > 0
        else -np.inf
    )
    parts = []
    for view in range(len(depth)):
        keep = valid[view] & (confidence[view] >= threshold)
        keep &= ~find_depth_edges(depth[view], edge_step)
        world = unproject(depth[view : view + 1], K[view : view + 1], w2c[view : view + 1])[0]
        parts.append(
            Cloud(
                world[keep],
                images[view][keep],
                confidence[view][keep].astype(np.float32),
                np.full(int(keep.sum()), view, np.int32),
            )
        )
    whole = Cloud(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return thin_cloud(whole, max_points)


def thin_cloud(cloud: Cloud, max_points: int) -> Cloud:
    """Keep at most `max_points`, evenly in space: the most confident point of each voxel.

    Deterministic. The voxel size is searched so that at least 85 % of the allowance is used.
    """
    count = len(cloud.positions)
    if count <= max_points:
        return cloud
    low_corner = cloud.positions.min(0)
    extent = float((cloud.positions.max(0) - low_corner).max()) or 1.0
    best_first = np.argsort(-cloud.confidence, kind="stable")
    ordered = (cloud.positions[best_first] - low_corner) / extent  # 0..1
    chosen = best_first[:max_points]
    small, large = 1.0 / (1 << 20), 1.0
    for _ in range(24):
        size = float(np.sqrt(small * large))
        cells = (ordered / size).astype(np.int64)
        keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
        first = np.unique(keys, return_index=True)[1]
        if len(first) > max_points:
            small = size
            continue
        chosen = best_first[first]
        if len(first) >= 0.85 * max_points:
            break
        large = size
    chosen = np.sort(chosen)
    return Cloud(*(column[chosen] for column in cloud))
