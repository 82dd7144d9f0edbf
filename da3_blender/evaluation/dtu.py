# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The customary measure of the DTU data set: distances inside what the scanner could see.

Runs in the engine. Source: Jensen et al. 2014, Large scale multi-view stereopsis evaluation; the
rules are in `docs/evaluation.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ..contract.projection import project, unproject
from .clouds import find_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CHUNK: Final = 4096  # points asked for their neighbours at once, to bound the memory


class Observation(NamedTuple):
    """What the scanner saw.

    Attributes:
        box: (2, 3) smallest and largest corner of the grid.
        cell: edge length of its cells.
        mask: (X, Y, Z) bool, cells that were seen.
        plane: (4,) true points with (x, y, z, 1) . plane > 0 count.
    """

    box: NDArray[np.floating]
    cell: float
    mask: NDArray[np.bool_]
    plane: NDArray[np.floating]


class DtuErrors(NamedTuple):
    """Mean distances below the cap, and their mean, units of the truth."""

    accuracy: float
    completeness: float
    overall: float


class DtuLimits(NamedTuple):
    """Radius of the thinning, margin of the box, distance from which on errors are left out."""

    radius: float = 0.2
    margin: float = 60.0
    cap: float = 20.0


def thin_greedily(points: NDArray[np.floating], radius: float) -> NDArray[np.bool_]:
    """Keep points so that none is within a radius of another, the first come first.

    Args:
        points: (M, 3) in the order in which they are looked at.
        radius: a kept point removes all others at most this far away.

    Returns:
        (M,) bool, which points are kept.
    """
    alive = np.ones(len(points), bool)
    if not len(points):
        return alive
    points = np.asarray(points, np.float64)
    tree = cKDTree(points)
    for begin in range(0, len(points), _CHUNK):
        chunk = begin + np.flatnonzero(alive[begin : begin + _CHUNK])
        around = tree.query_ball_point(points[chunk], radius, workers=-1)
        for index, neighbours in zip(chunk, around, strict=True):
            if alive[index]:
                alive[neighbours] = False
                alive[index] = True
    return alive


def confirm_points(
    views: Sequence[tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]]],
    tolerance: float,
    fewest: int,
) -> NDArray[np.float64]:
    """Lift depth to the points that several views agree on, each the mean of what they say.

    A view confirms a point if its depth where it sees the point differs by less than the
    tolerance along its optical axis.

    Args:
        views: depth (h, w), K (3, 3) in its pixels, w2c (4, 4); depth that is not finite or not
            positive is none.
        tolerance: largest difference, units of the scene.
        fewest: views that must agree, the one that the point comes from included.

    Returns:
        (M, 3) float64, view after view.
    """
    world = [unproject(d[None], K[None], w2c[None])[0].astype(np.float64) for d, K, w2c in views]
    kept = [np.zeros((0, 3))]
    for own in range(len(views)):
        points = world[own][np.isfinite(world[own]).all(axis=-1)]
        total, count = points.copy(), np.ones(len(points), int)
        for other, (depth, K, w2c) in enumerate(views):
            if other == own:
                continue
            pixels, z = project(points, K, w2c)
            inside = (z > 0) & (pixels >= 0).all(axis=1) & (pixels < depth.shape[::-1]).all(axis=1)
            index = np.flatnonzero(inside)
            u, v = pixels[index].astype(np.intp).T
            with np.errstate(invalid="ignore"):
                agrees = np.abs(depth[v, u] - z[index]) < tolerance
            agrees &= np.isfinite(world[other][v, u]).all(axis=1)
            index, u, v = index[agrees], u[agrees], v[agrees]
            total[index] += world[other][v, u]
            count[index] += 1
        good = count >= fewest
        kept.append(total[good] / count[good, None])
    return np.concatenate(kept)


def compare_dtu_style(
    points: NDArray[np.floating],
    true_points: NDArray[np.floating],
    observation: Observation,
    limits: DtuLimits,
) -> DtuErrors:
    """Compare a reconstruction with a scan.

    Args:
        points: (M, 3) reconstructed, already in a random order: they are thinned greedily.
        true_points: (L, 3) of the scanner.
        observation: what it saw.
        limits: radius, margin and cap.

    Returns:
        The errors; infinite where no point is left to measure.
    """
    thinned = np.asarray(points, np.float64)[thin_greedily(points, limits.radius)]
    low = observation.box[0] - limits.margin
    high = observation.box[1] + 2 * limits.margin
    inside = thinned[((thinned >= low) & (thinned < high)).all(axis=1)]
    cells = np.round((inside - observation.box[0]) / observation.cell).astype(np.int64)
    there = ((cells >= 0) & (cells < observation.mask.shape)).all(axis=1)
    seen = np.zeros(len(inside), bool)
    seen[there] = observation.mask[tuple(cells[there].T)]
    true = np.asarray(true_points, np.float64)
    above = true[true @ observation.plane[:3] + observation.plane[3] > 0]
    accuracy = _mean_below(inside[seen], true, limits.cap)
    completeness = _mean_below(above, inside, limits.cap)
    return DtuErrors(accuracy, completeness, (accuracy + completeness) / 2)


def _mean_below(points: NDArray[np.floating], targets: NDArray[np.floating], cap: float) -> float:
    if not len(points) or not len(targets):
        return float("inf")
    distances = find_distances(points, targets)
    near = distances[distances < cap]
    return float(near.mean()) if len(near) else float("inf")
