# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clouds of points on a surface: how far apart, how much of one lies near the other.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CloudErrors(NamedTuple):
    """Distances between a reconstruction and the truth, units of the truth.

    Attributes:
        accuracy: mean distance from a reconstructed point to the nearest true one.
        completeness: mean distance from a true point to the nearest reconstructed one.
        overall: mean of both (the chamfer distance).
        precision: share of reconstructed points nearer than the threshold.
        recall: share of true points nearer than the threshold.
        f1: harmonic mean of precision and recall.
    """

    accuracy: float
    completeness: float
    overall: float
    precision: float
    recall: float
    f1: float


def thin_points(points: NDArray[np.floating], cell: float) -> NDArray[np.float64]:
    """Replace the points of each cell of a grid by their mean.

    The grid begins half a cell below the smallest coordinates.

    Args:
        points: (M, 3) positions.
        cell: edge length; 0 keeps all points.

    Returns:
        (M', 3) float64.
    """
    points = np.asarray(points, np.float64).reshape(-1, 3)
    if cell <= 0 or not len(points):
        return points
    cells = np.floor((points - (points.min(axis=0) - cell / 2)) / cell).astype(np.int64)
    extent = cells.max(axis=0) + 1
    keys = (cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2]
    _, group = np.unique(keys, return_inverse=True)
    counts = np.bincount(group)
    return np.stack([np.bincount(group, points[:, a]) / counts for a in range(3)], axis=1)


def find_distances(
    points: NDArray[np.floating], targets: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return (M,) float64, the distance from each point to the nearest target (one at least)."""
    distances, _ = cKDTree(np.asarray(targets, np.float64)).query(points, workers=-1)
    return distances


def compare_clouds(
    points: NDArray[np.floating], true_points: NDArray[np.floating], threshold: float
) -> CloudErrors:
    """Compare a reconstruction with the truth.

    Args:
        points: (M, 3) reconstructed, thinned already.
        true_points: (L, 3) the truth, thinned already.
        threshold: distance below which a point counts as right.

    Returns:
        The errors; an empty cloud is infinitely far from everything.
    """
    if not len(points) or not len(true_points):
        return CloudErrors(np.inf, np.inf, np.inf, 0.0, 0.0, 0.0)
    to_true = find_distances(points, true_points)
    to_found = find_distances(true_points, points)
    accuracy, completeness = float(to_true.mean()), float(to_found.mean())
    precision = float((to_true < threshold).mean())
    recall = float((to_found < threshold).mean())
    both = precision + recall
    f1 = 2 * precision * recall / both if both > 0 else 0.0
    overall = (accuracy + completeness) / 2
    return CloudErrors(accuracy, completeness, overall, precision, recall, f1)


def sample_mesh(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], count: int, seed: int
) -> NDArray[np.float64]:
    """Spread points evenly over the area of a mesh.

    Args:
        vertices: (V, 3) positions.
        faces: (F, 3) indices of triangles.
        count: number of points.
        seed: the same seed gives the same points.

    Returns:
        (count, 3) float64; (0, 3) where the mesh has no area.
    """
    corners = np.asarray(vertices, np.float64)[faces]  # (F, 3, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    if not area.sum() > 0:
        return np.zeros((0, 3))
    generator = np.random.default_rng(seed)
    ends = np.cumsum(area)
    chosen = np.searchsorted(ends, generator.random(count) * ends[-1], side="right")
    chosen = np.minimum(chosen, len(faces) - 1)
    # The square root makes the density even over a triangle.
    u, v = np.sqrt(generator.random(count)), generator.random(count)
    weights = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    return np.einsum("mc,mca->ma", weights, corners[chosen])
