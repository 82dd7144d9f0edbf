# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A coloured cloud, and how it is thinned evenly.

Runs in the engine. `fusion` makes clouds from depth maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FULL: Final = 0.85  # of the allowance is used at least
_MOST_TRIES: Final = 24
CELL_BITS: Final = 21  # of a voxel's number on each axis
_SMALLEST: Final = 1.0 / (1 << (CELL_BITS - 1))


class Cloud(NamedTuple):
    """A coloured point cloud.

    positions: (M, 3) float32 world; colours: (M, 3) uint8 sRGB; confidence: (M,) float32;
    view: (M,) int32, the view that a point came from, -1 where it belongs to several;
    view_count: (M,) uint16, views that were found to agree on the point, itself included;
    moving: (M,) bool, several other views look through the place where the point was.
    """

    positions: NDArray[np.float32]
    colours: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    view: NDArray[np.int32]
    view_count: NDArray[np.uint16]
    moving: NDArray[np.bool_]

    def take(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> Cloud:
        """Return some of the points."""
        columns: list[Any] = [column[chosen] for column in self]
        return Cloud(*columns)


def make_cloud(
    positions: NDArray[np.float32],
    colours: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    view: NDArray[np.int32],
) -> Cloud:
    """Return a cloud of points that one view each has seen, none of them moving."""
    count = len(positions)
    return Cloud(
        positions, colours, confidence, view, np.ones(count, np.uint16), np.zeros(count, bool)
    )


def make_empty_cloud() -> Cloud:
    """Return a cloud without points."""
    return make_cloud(
        np.zeros((0, 3), np.float32),
        np.zeros((0, 3), np.uint8),
        np.zeros(0, np.float32),
        np.zeros(0, np.int32),
    )


def join_clouds(parts: list[Cloud]) -> Cloud:
    """Return the points of all parts, one part after the other."""
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Cloud(*columns)


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
    ordered = (cloud.positions[best_first] - low_corner) / np.float32(extent)  # 0..1
    size = _find_voxel_size(ordered, max_points)
    if size is None:
        chosen = best_first[:max_points]
    else:
        chosen = best_first[find_firsts(number_cells(_find_cells(ordered, size)))]
    return cloud.take(np.sort(chosen))


def _find_voxel_size(ordered: NDArray[np.float32], max_points: int) -> float | None:
    """Search the size that leaves nearly `max_points` voxels with something in them.

    Args:
        ordered: (M, 3) in a unit cube.
        max_points: wanted.

    Returns:
        A size that leaves no more, or None if no size does that.
    """
    small, large, found = _SMALLEST, 1.0, None
    size = float(max_points) ** -0.5  # surfaces fill a plane's worth of a cube
    for _ in range(_MOST_TRIES):
        # a sort alone is faster than one that tells where the values came from
        keys = np.sort(number_cells(_find_cells(ordered, size)))
        filled = 1 + int(np.count_nonzero(keys[1:] != keys[:-1]))
        if filled > max_points:
            small = size
        else:
            large, found = size, size
            if filled >= _FULL * max_points:
                break
        # surfaces: four times the voxels at half the size; never outside of what is known
        guess = size * (filled / (0.93 * max_points)) ** 0.5
        inner = (small * (large / small) ** 0.1, small * (large / small) ** 0.9)
        size = float(np.clip(guess, *inner))
    return found


def _find_cells(positions: NDArray[np.float32], size: float) -> NDArray[np.int32]:
    """Return (M, 3), the voxels of a unit cube that points lie in."""
    return (positions * np.float32(1 / size)).astype(np.int32)


def number_cells(cells: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return (M,), one number for each voxel of (M, 3), from 0 to below 2 ** 21 on each axis."""
    keys = cells[:, 0].astype(np.int64)
    for axis in (1, 2):
        keys <<= CELL_BITS
        keys |= cells[:, axis]
    return keys


def find_firsts(keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where each number occurs first, in the order of the numbers.

    The same as `numpy.unique` says, but faster: any sort will do, and numpy's stable one is slow.
    """
    order = np.argsort(keys)
    rising = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], rising[1:] != rising[:-1])))
    return np.minimum.reduceat(order, starts) if len(keys) else order
