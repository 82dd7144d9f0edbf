# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many others are near each point: a grid of cells, looked up a row at a time.

Runs in both processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_BELOW: Final = 8
"""Counts below this are exact; larger ones in crowded places come from a sample."""
_SAMPLES: Final = (32, 256, 4096)
"""Of a place with more points around it than these, about so many are looked at: the next number
where fewer than 8 of them are near."""
_CHUNK: Final = 1 << 20
"""Pairs that are measured at once: 30 MB."""
_PAIRS: Final = 1 << 27
"""Pairs that are measured for the spacing: about a second."""
_PROBES: Final = (64, 2000)
"""Fewest and most points whose nearest neighbour tells the spacing of all."""
_LARGEST_KEY: Final = 1 << 62


@dataclass(frozen=True)
class _Grid:
    """Points in the order of their cells; cells along z follow each other.

    Attributes:
        points: (3, M) float32, an axis a row, in the order of the cells.
        order: (M,) int64, place of each in the list that was given.
        keys: (M,) int64, ascending, one number a cell.
        steps: of the key, to the next cell along x and y.
    """

    points: NDArray[np.float32]
    order: NDArray[np.int64]
    keys: NDArray[np.int64]
    steps: tuple[int, int]


def count_neighbours(positions: NDArray[np.floating], radius: float) -> NDArray[np.int32]:
    """Count the other points within a radius of each.

    Where more than 32 points are in the 27 cells around one, about 32 of them are measured and the
    count is extrapolated; where fewer than 8 of those are near, 256, then 4096. So counts below 8
    are exact, unless more than 4096 points are around.

    Args:
        positions: (M, 3); what is not finite has no neighbours.
        radius: in the same unit, more than 0.

    Returns:
        (M,) int32.
    """
    grid = _build_grid(positions, radius)
    chosen = np.arange(len(positions))
    starts, ends = _find_rows(grid, chosen)
    count = np.zeros(len(positions))
    for sample in _SAMPLES:
        near, count[chosen] = _measure(grid, chosen, (starts, ends), radius, sample)
        unsure = ((ends - starts).sum(axis=0) > sample) & (near < EXACT_BELOW)
        chosen, starts, ends = chosen[unsure], starts[:, unsure], ends[:, unsure]
    result = np.empty(len(positions), np.int32)
    result[grid.order] = np.rint(count)
    return result


def measure_spacing(positions: NDArray[np.floating]) -> float:
    """Return the median distance from a point to the nearest other place, of some points.

    Args:
        positions: (M, 3).

    Returns:
        The distance; 0 if all points are at one place.
    """
    axes = np.ascontiguousarray(positions[np.isfinite(positions).all(axis=1)].T, np.float32)
    count = axes.shape[1]
    if count == 0:
        return 0.0
    number = int(np.clip(_PAIRS // count, *_PROBES))
    probes = np.unique(np.linspace(0, count - 1, number).astype(np.int64))
    nearest = []
    for probe in probes:
        square = np.zeros(count, np.float32)
        for axis in axes:
            gap = axis - axis[probe]
            gap *= gap
            square += gap
        nearest.append(square.min(initial=np.inf, where=square > 0))
    median = float(np.median(np.sqrt(nearest)))
    return median if np.isfinite(median) else 0.0


def _build_grid(positions: NDArray[np.floating], size: float) -> _Grid:
    is_sound = np.isfinite(positions).all(axis=1)
    safe = np.where(is_sound[:, None], positions, positions[is_sound].min(axis=0, initial=0))
    places = np.empty((3, len(positions)), np.int64)
    for axis in range(3):
        cells = np.floor(safe[:, axis].astype(np.float64) / size)
        cells -= cells.min(initial=0)
        if cells.max(initial=0) > _LARGEST_KEY ** (1 / 3) - 4:
            # something is very far out: empty stretches shrink to one empty cell
            known, inverse = np.unique(cells, return_inverse=True)
            cells = np.cumsum(np.minimum(np.diff(known, prepend=known[:1]), 2))[inverse]
        places[axis] = cells
    places += 1
    width = places.max(axis=1, initial=0) + 2
    steps = (int(width[1] * width[2]), int(width[2]))
    keys = places[0] * steps[0] + places[1] * steps[1] + places[2]
    order = np.argsort(keys, kind="stable")
    points = np.ascontiguousarray(positions[order].T, np.float32)
    return _Grid(points, order, keys[order], steps)


def _find_rows(
    grid: _Grid, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first and last + 1 of the 9 runs of points around each: (9, N), (9, N)."""
    keys, inverse = np.unique(grid.keys[chosen], return_inverse=True)
    rows = [x * grid.steps[0] + y * grid.steps[1] for x in (-1, 0, 1) for y in (-1, 0, 1)]
    starts = [np.searchsorted(grid.keys, keys + (row - 1), "left")[inverse] for row in rows]
    ends = [np.searchsorted(grid.keys, keys + (row + 1), "right")[inverse] for row in rows]
    return np.stack(starts), np.stack(ends)


def _measure(
    grid: _Grid,
    chosen: NDArray[np.int64],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    radius: float,
    sample: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count those near each: among what was looked at, and extrapolated."""
    sizes = rows[1] - rows[0]
    total = sizes.sum(axis=0)
    step = np.maximum(-(-total // sample), 1)
    near = np.zeros(len(chosen), np.int64)
    count = np.zeros(len(chosen))
    limit = np.float32(radius) ** 2
    for start, size in zip(rows[0], sizes, strict=True):
        looked = -(-size // step)
        for part in _split(looked):
            owner = np.repeat(np.arange(part.start, part.stop), looked[part])
            other = _enumerate(looked[part]) * step[owner] + start[owner]
            here = chosen[owner]
            is_near = _square_distance(grid, here, other) <= limit
            is_near &= here != other
            hits = np.bincount(owner[is_near] - part.start, minlength=part.stop - part.start)
            near[part] += hits
            count[part] += hits * (size[part] / np.maximum(looked[part], 1))
    return near, count


def _split(sizes: NDArray[np.int64]) -> list[slice]:
    """Cut a list into parts whose sizes add up to about a chunk."""
    sums = np.cumsum(sizes)
    last = int(sums[-1]) if len(sums) else 0
    borders = np.searchsorted(sums, np.arange(_CHUNK, last, _CHUNK), "left")
    edges = np.unique(np.concatenate([[0], borders, [len(sizes)]]))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _enumerate(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0, 1, ... of each size, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)


def _square_distance(
    grid: _Grid, a: NDArray[np.int64], b: NDArray[np.int64]
) -> NDArray[np.float32]:
    total = np.zeros(len(a), np.float32)
    for axis in grid.points:
        gap = axis.take(a)
        gap -= axis.take(b)
        gap *= gap
        total += gap
    return total
