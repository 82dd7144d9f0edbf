# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a reconstruction is: sizes for points, cameras and clipping.

Runs in Blender; numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .reconstruction import Reconstruction

_SAMPLE: Final = 2048
_PAIR: Final = 2  # a single point has no neighbour
# Neighbours of random points on a surface lie at about half the pitch of a regular grid of the
# same density, and discs close such a grid at 0.7 pitches: 1.4 neighbour distances.
_RADIUS_PER_SPACING: Final = 1.4
# Where many views overlap a cloud is much denser than elsewhere.
_THIN_PERCENTILE: Final = 75
# Sparse clouds cannot close; their points stay small against the scene.
_LARGEST_RADIUS: Final = 0.0015
_SMALLEST_RADIUS: Final = 0.00005


class Extent(NamedTuple):
    """Lengths in scene units.

    `centre`: of the box, OpenCV world.
    `size`: diagonal of the box around the middle 90 % of points and all cameras.
    `radius`: of one point, so that a dense cloud looks closed.
    `camera_size`: display size of a camera.
    `clip_start`, `clip_end`: for cameras.
    """

    centre: tuple[float, float, float]
    size: float
    radius: float
    camera_size: float
    clip_start: float
    clip_end: float


def measure_extent(reconstruction: Reconstruction) -> Extent:
    """Measure one reconstruction; the numbers are the same on every run."""
    centres = invert_rigid(reconstruction.w2c)[:, :3, 3]
    points = _take_sample(reconstruction.points, 8 * _SAMPLE)
    corners = centres
    reach = 0.0
    if len(points):
        inner = np.percentile(points, [5, 95], axis=0)
        corners = np.concatenate([centres, inner])
        reach = float(np.linalg.norm(points - np.median(centres, axis=0), axis=1).max())
    size = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0))) or 1.0
    spacing = _estimate_spacing(reconstruction.points)
    radius = np.clip(_RADIUS_PER_SPACING * spacing, _SMALLEST_RADIUS * size, _LARGEST_RADIUS * size)
    x, y, z = (corners.max(axis=0) + corners.min(axis=0)) / 2
    return Extent(
        centre=(float(x), float(y), float(z)),
        size=size,
        radius=float(radius),
        camera_size=_choose_camera_size(centres, size),
        clip_start=size * 1e-3,
        clip_end=max(size * 10, reach * 2),
    )


def _take_sample(points: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    if len(points) > count:
        chosen = np.random.default_rng(0).choice(len(points), count, replace=False)
        points = points[np.sort(chosen)]
    return np.asarray(points, np.float64)


def _measure_neighbours(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each point's distance to its nearest neighbour; brute force, for small sets."""
    centred = points - points.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * centred @ centred.T
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(np.maximum(distances.min(axis=1), 0))


def _estimate_spacing(points: NDArray[np.float32]) -> float:
    """Estimate the distance of neighbours where a cloud on surfaces is rather thin."""
    sample = _take_sample(points, _SAMPLE)
    if len(sample) < _PAIR:
        return 0.0
    # On a surface the distance falls with the square root of the density.
    typical = np.percentile(_measure_neighbours(sample), _THIN_PERCENTILE)
    return float(typical * np.sqrt(len(sample) / len(points)))


def _choose_camera_size(centres: NDArray[np.float64], size: float) -> float:
    largest = 0.06 * size
    if len(centres) < _PAIR:
        return largest
    neighbours = _measure_neighbours(centres[:: max(1, len(centres) // _SAMPLE)])
    return float(np.clip(0.5 * np.median(neighbours), 0.01 * size, largest))
