# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hidden points: spots on static surfaces that no solver is told of, and where they are seen.

Runs anywhere; numpy only.
"""

from __future__ import annotations

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.projection import project

Array = np.ndarray
COUNT = 60
_TRIES = 4000
_FLAT = 0.02  # share of the depth by which neighbours of a chosen spot may differ
_BEHIND = 0.015  # share of the depth by which a spot may lie behind the depth map, unhidden
_MARGIN = 4  # pixels of the depth map
_LEAST_FRAMES = 0.4  # share of the frames that must show a point


def choose_points(w2c: Array, K_grid: Array, depth: Array, moving: Array, seed: int) -> Array:
    """Choose points that are spread over pictures and frames, and are seen for long.

    Args:
        w2c: (F, 4, 4) float64.
        K_grid: (F, 3, 3) float64, pixels of the depth maps.
        depth: (F, h, w) float32, <= 0 for the sky.
        moving: (F, h, w) bool, what is not static.
        seed: of the choice.

    Returns:
        (P, 3) float64, world; P is COUNT or less.
    """
    rng = np.random.default_rng(seed)
    frames, height, width = depth.shape
    found = []
    for _ in range(_TRIES):
        frame = int(rng.integers(frames))
        row = int(rng.integers(_MARGIN, height - _MARGIN))
        column = int(rng.integers(_MARGIN, width - _MARGIN))
        around = (frame, slice(row - 2, row + 3), slice(column - 2, column + 3))
        near = depth[around]
        if moving[around].any() or near.min() <= 0 or np.ptp(near) > _FLAT * near.min():
            continue
        ray = np.linalg.solve(K_grid[frame], [column + 0.5, row + 0.5, 1.0])
        c2w = invert_rigid(w2c[frame])
        found.append(c2w[:3, :3] @ (ray * float(depth[frame, row, column])) + c2w[:3, 3])
    points = np.array(found)
    seen = find_visible(points, w2c, K_grid, depth).mean(0)
    points = points[seen >= min(_LEAST_FRAMES, np.quantile(seen, 0.5))]
    return points[_spread(points, w2c, K_grid)]


def _spread(points: Array, w2c: Array, K_grid: Array) -> Array:
    """Return indices of COUNT points that are far from each other in the middle frame."""
    middle = len(w2c) // 2
    at, _ = project(points, K_grid[middle], w2c[middle])
    chosen = [0]
    distance = np.linalg.norm(at - at[0], axis=1)
    while len(chosen) < min(COUNT, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(at - at[chosen[-1]], axis=1))
    return np.array(chosen)


def find_visible(points: Array, w2c: Array, K_grid: Array, depth: Array) -> Array:
    """Tell which points are inside the pictures and not behind something, (F, P) bool."""
    frames, height, width = depth.shape
    visible = np.zeros((frames, len(points)), bool)
    for frame in range(frames):
        at, z = project(points, K_grid[frame], w2c[frame])
        inside = (z > 0) & (at >= 0).all(1) & (at < [width, height]).all(1)
        column, row = np.where(inside[:, None], at, 0).astype(int).T
        surface = depth[frame, row, column]
        visible[frame] = inside & (np.abs(z - surface) < _BEHIND * z)
    return visible
