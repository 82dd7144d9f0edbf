# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bends depth maps smoothly towards the points that known cameras saw.

Runs in the engine. The depth of a small network is wrong over large parts of a picture, for which a
common scale is no remedy; a smooth factor in place and depth is. The factor of a view is
used only where it also helps at points that it was not fitted to, a part of the picture at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST_POINTS: Final = 100
_CELLS: Final = 4  # the picture has so many parts in each direction
_FOLDS: Final = 4
_LEAST_ERROR: Final = 0.03  # mean relative error that is not worth a correction
_LEAST_GAIN: Final = 0.25  # share of that error which must go, at points that were left out
_RIDGE: Final = 1e-3  # for each point; keeps the factor near one where no point is
_ROUNDS: Final = 8
_SURE: Final = 0.02  # relative errors below it weigh the same; larger ones less and less
_MOST_BENDING: Final = 0.7  # logarithm of the factor, which is two at most
_BUMPS: Final = (-1.0, -1 / 3, 1 / 3, 1.0)  # their centres in both directions, the picture being 2
_BUMP_WIDTH: Final = 0.5


class KnownDepth(NamedTuple):
    """Where a view saw points: (P,) column and row of its depth map, and true over predicted."""

    column: NDArray[np.integer]
    row: NDArray[np.integer]
    ratio: NDArray[np.float64]


def bend_depth(
    depth: NDArray[np.float32], known: list[KnownDepth]
) -> tuple[NDArray[np.float32], int]:
    """Correct depth maps that are already of the right size on the whole.

    Args:
        depth: (N, H, W) in the unit of the points; values <= 0 stay as they are.
        known: of the N views.

    Returns:
        (N, H, W) float32, and the number of views that were corrected.
    """
    bent, count = depth.copy(), 0
    for view, points in enumerate(known):
        if len(points.ratio) < _FEWEST_POINTS:
            continue
        terms = _make_terms(depth[view], points.row, points.column)
        error = np.log(points.ratio)
        if not _is_worth_it(terms, error, points, depth[view].shape):
            continue
        solution = _fit(terms, error)
        rows, columns = np.indices(depth[view].shape)
        terms = _make_terms(depth[view], rows.ravel(), columns.ravel())
        factor = np.exp(np.clip(terms @ solution, -_MOST_BENDING, _MOST_BENDING))
        factor = factor.reshape(rows.shape)
        bent[view] = np.where(depth[view] > 0, depth[view] * factor, depth[view])
        count += 1
    return bent, count


def _make_terms(
    depth: NDArray[np.float32], row: NDArray[np.integer], column: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return (P, 26) at some pixels of a map.

    Products of x, y and the logarithm of depth up to the second order, and bumps that are spread
    over the picture.
    """
    height, width = depth.shape
    x, y = (column + 0.5) / width * 2 - 1, (row + 0.5) / height * 2 - 1
    seen = depth[depth > 0]
    middle = np.median(seen) if len(seen) else 1.0
    there = depth[row, column].astype(np.float64)
    log = np.log(np.where(there > 0, there, middle) / middle)
    terms = [np.ones_like(x), x, y, log, x * x, x * y, y * y, log * log, log * x, log * y]
    terms += [
        np.exp(-((x - across) ** 2 + (y - down) ** 2) / (2 * _BUMP_WIDTH**2))
        for across in _BUMPS
        for down in _BUMPS
    ]
    return np.stack(terms, axis=-1)


def _fit(terms: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the least sum of absolute errors, by weights that follow the errors."""
    weights = np.ones(len(error))
    ridge = _RIDGE * len(error) * np.eye(terms.shape[1])
    ridge[0, 0] = 0.0  # a plain scale costs nothing
    solution = np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        weighted = terms * weights[:, None]
        solution = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ error)
        weights = 1 / np.maximum(np.abs(error - terms @ solution), _SURE)
        weights /= weights.mean()
    return solution


def _is_worth_it(
    terms: NDArray[np.float64],
    error: NDArray[np.float64],
    points: KnownDepth,
    shape: tuple[int, ...],
) -> bool:
    """Tell whether a fit helps at points in parts of the picture that it has not seen."""
    before = float(np.abs(error).mean())
    if before < _LEAST_ERROR:
        return False
    height, width = shape
    across, down = points.column * _CELLS // width, points.row * _CELLS // height
    fold = (across + 2 * down) % _FOLDS
    after = error.copy()
    for number in range(_FOLDS):
        is_left_out = fold == number
        if is_left_out.all():
            return False
        if is_left_out.any():
            solution = _fit(terms[~is_left_out], error[~is_left_out])
            bending = np.clip(terms[is_left_out] @ solution, -_MOST_BENDING, _MOST_BENDING)
            after[is_left_out] = error[is_left_out] - bending
    return float(np.abs(after).mean()) < (1 - _LEAST_GAIN) * before
