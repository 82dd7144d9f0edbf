# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up, and where the floor is: from how cameras were held and what they saw.

Runs in both processes. All inputs of one call are in one frame, whichever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The cameras' right-vectors must spread at least this much before they decide what is up.
_SPREAD: Final = 0.02
_DECIDED: Final = 0.25  # and be this much flatter than they are wide
_MOST_TURN_DEG: Final = 45.0
_SAMPLE: Final = 5000  # points that are looked at
_NEIGHBOURS: Final = 12
_ROWS: Final = 500  # of the table of distances at a time
_THIN: Final = 0.25  # thickness of a neighbourhood against its width, squared, on a surface
_THICKNESS: Final = 0.01  # of a plane, against the size of the scene
_HYPOTHESES: Final = 400
_PLANES: Final = 4  # that are looked for, the largest first
_LARGE: Final = 0.35  # of the largest plane: smaller ones are no floor
_LEAST: Final = 50  # points on a plane
_ABOVE: Final = 0.9  # share of the cameras that stand above a floor
_CORNERS: Final = 3  # points that make a plane
_ROUNDS: Final = 6  # of fitting a plane to the points near it


class Plane(NamedTuple):
    """normal @ x = offset.

    Args:
        normal: (3,) float64, unit length; above is where it points.
        offset: in scene units.
    """

    normal: NDArray[np.float64]
    offset: float

    def measure_heights(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return how far (..., 3) points are above the plane, scene units."""
        return np.asarray(points, np.float64) @ self.normal - self.offset


class Floor(NamedTuple):
    """A plane that was found in a cloud.

    Args:
        plane: its normal is up.
        share: of the points that lie on it, 0 to 1.
        thickness: how far from the plane they may be, scene units.
    """

    plane: Plane
    share: float
    thickness: float


def guess_up(ups: NDArray[np.floating], rights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate which way is up from how people hold cameras.

    A held camera may look up or down, but its right-vector stays level: up is the direction that
    is most perpendicular to all right-vectors. Where these are all alike (a straight dolly), the
    mean of the up-vectors decides.

    Args:
        ups: (N, 3) unit vectors, the upper edge of each picture; N >= 1.
        rights: (N, 3) unit vectors, its right edge.

    Returns:
        (3,) float64 unit vector.
    """
    ups, rights = np.asarray(ups, np.float64), np.asarray(rights, np.float64)
    mean = ups.mean(axis=0)
    if np.linalg.norm(mean) < 1e-6:  # noqa: PLR2004 - cameras held every way round
        mean = ups[0]
    mean = mean / np.linalg.norm(mean)
    values, vectors = np.linalg.eigh(rights.T @ rights / len(rights))
    level = vectors[:, 0] * (np.sign(vectors[:, 0] @ mean) or 1.0)
    is_decided = values[1] > _SPREAD and values[0] < _DECIDED * values[1]
    agrees = level @ mean > np.cos(np.radians(_MOST_TURN_DEG))
    return level if is_decided and agrees else mean


def fit_plane(points: NDArray[np.floating], up: NDArray[np.floating]) -> Plane:
    """Fit a plane to points in the least-squares sense.

    Args:
        points: (M, 3), M >= 3 and not all on one line.
        up: (3,) the normal shall not point away from it.

    Raises:
        ValueError: fewer than three points, or all on one line.
    """
    points = np.asarray(points, np.float64)
    if len(points) < _CORNERS:
        message = f"a plane needs three points, got {len(points)}"
        raise ValueError(message)
    centre = points.mean(axis=0)
    _, widths, axes = np.linalg.svd(points - centre, full_matrices=False)
    if not widths[1] > 1e-4 * widths[0]:
        message = "all points are on one line"
        raise ValueError(message)
    normal = axes[2] if axes[2] @ up >= 0 else -axes[2]
    return Plane(normal, float(normal @ centre))


def find_floor(
    points: NDArray[np.floating],
    centres: NDArray[np.floating],
    up: NDArray[np.floating],
    most_tilt_deg: float = 20.0,
) -> Floor | None:
    """Find the lowest large plane of a cloud that lies about level and below the cameras.

    Args:
        points: (M, 3) cloud, scene units.
        centres: (N, 3) of the cameras, same units; may be empty.
        up: (3,) unit vector, about.
        most_tilt_deg: of its normal against `up`.

    Returns:
        The floor, or None where there is no such plane.
    """
    points = _take_sample(points)
    if len(points) < _LEAST:
        return None
    least_cosine = float(np.cos(np.radians(most_tilt_deg)))
    low, high = np.percentile(points, [5, 95], axis=0)
    thickness = _THICKNESS * float(np.linalg.norm(high - low))
    normals, is_surface = estimate_normals(points)
    level = points[is_surface & (np.abs(normals @ up) >= least_cosine)]
    found: list[tuple[int, Plane]] = []
    random = np.random.default_rng(0)
    for _ in range(_PLANES):
        plane = _find_largest(level, up, least_cosine, thickness, random)
        if plane is None:
            break
        near = np.abs(plane.measure_heights(level)) < thickness
        found.append((int(near.sum()), plane))
        level = level[np.abs(plane.measure_heights(level)) >= 2 * thickness]
    middle = np.median(points, axis=0)
    floors = [
        plane
        for count, plane in found
        if count >= _LARGE * found[0][0] and _is_below(plane, np.asarray(centres, np.float64))
    ]
    if not floors:
        return None
    lowest = max(floors, key=lambda plane: plane.measure_heights(middle) / (plane.normal @ up))
    share = np.mean(np.abs(lowest.measure_heights(points)) < thickness)
    return Floor(lowest, float(share), thickness)


def estimate_normals(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Estimate the surface through each point from its neighbours.

    Args:
        points: (M, 3), a few thousand at most: the time grows with their square.

    Returns:
        (M, 3) unit normals of either sign, and (M,) whether there is a surface at all.
    """
    count = min(_NEIGHBOURS, len(points))
    squares = (points**2).sum(axis=1)
    normals = np.empty_like(points)
    is_surface = np.empty(len(points), np.bool_)
    for first in range(0, len(points), _ROWS):
        rows = slice(first, first + _ROWS)
        distances = squares[rows, None] + squares[None] - 2 * points[rows] @ points.T
        nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
        around = points[nearest] - points[nearest].mean(axis=1, keepdims=True)  # (R, K, 3)
        values, vectors = np.linalg.eigh(np.swapaxes(around, 1, 2) @ around)
        normals[rows] = vectors[:, :, 0]
        is_surface[rows] = values[:, 0] < _THIN * values[:, 1]
    return normals, is_surface


def _take_sample(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return at most `_SAMPLE` finite points, about the scene's middle: far fractions add up."""
    points = np.asarray(points)
    if len(points) > _SAMPLE:
        chosen = np.random.default_rng(0).choice(len(points), _SAMPLE, replace=False)
        points = points[np.sort(chosen)]
    points = np.asarray(points, np.float64)
    return points[np.isfinite(points).all(axis=1)]


def _find_largest(
    points: NDArray[np.float64],
    up: NDArray[np.floating],
    least_cosine: float,
    thickness: float,
    random: np.random.Generator,
) -> Plane | None:
    """Return the plane with most points near it, by RANSAC; None if all are small."""
    if len(points) < _LEAST:
        return None
    corners = points[random.integers(0, len(points), (_HYPOTHESES, _CORNERS))]  # (H, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    normals /= np.where(lengths > 0, lengths, 1.0)[:, None]
    normals *= np.where(normals @ up < 0, -1.0, 1.0)[:, None]
    is_level = normals @ up >= least_cosine
    normals, corners = normals[is_level], corners[is_level]
    if not len(normals):
        return None
    offsets = np.einsum("hi,hi->h", normals, corners.mean(axis=1))
    counts = (np.abs(points @ normals.T - offsets) < thickness).sum(axis=0)
    best = int(counts.argmax())
    plane = Plane(normals[best], float(offsets[best]))
    for _ in range(_ROUNDS):
        near = points[np.abs(plane.measure_heights(points)) < thickness]
        if len(near) < _LEAST:
            return None
        plane = fit_plane(near, up)
    return plane if plane.normal @ up >= least_cosine else None


def _is_below(plane: Plane, centres: NDArray[np.float64]) -> bool:
    return not len(centres) or bool(np.mean(plane.measure_heights(centres) > 0) >= _ABOVE)
