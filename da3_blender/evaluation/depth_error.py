# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of depth maps, after one of four ways to bring them to the size of the truth.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALIGNMENTS: Final = ("none", "median", "scale", "affine")
_LEAST_DEPTH: Final = 1e-6  # what aligned depth is at least, so that ratios exist
_DELTA: Final = 1.25


class DepthErrors(NamedTuple):
    """Errors over a set of pixels.

    Attributes:
        abs_rel: mean of |d - d'| / d' with the true depth d'.
        rmse: root of the mean square error, units of the truth.
        delta_1: share of pixels with max(d / d', d' / d) below 1.25.
        delta_2: the same below 1.25 squared.
    """

    abs_rel: float
    rmse: float
    delta_1: float
    delta_2: float


def align_depth(
    depth: NDArray[np.floating], true_depth: NDArray[np.floating], alignment: str
) -> NDArray[np.float64]:
    """Bring depth to the size of the truth.

    Args:
        depth: (P,) depth along the optical axis.
        true_depth: (P,) positive, of the same pixels.
        alignment: one of ALIGNMENTS: as it is; times the ratio of the medians; times the factor
            of least squares; factor and offset of least squares.

    Returns:
        (P,) float64, at least 1e-6.

    Raises:
        ValueError: the alignment is unknown.
    """
    if alignment not in ALIGNMENTS:
        message = f"no alignment {alignment!r}; use one of {', '.join(ALIGNMENTS)}"
        raise ValueError(message)
    found, true = np.asarray(depth, np.float64), np.asarray(true_depth, np.float64)
    if alignment == "median":
        median = float(np.median(found))
        found = found * (float(np.median(true)) / median if median > 0 else 0.0)
    elif alignment == "scale":
        square = float(found @ found)
        found = found * (float(found @ true) / square if square > 0 else 0.0)
    elif alignment == "affine":
        terms = np.stack([found, np.ones_like(found)], axis=1)
        found = terms @ np.linalg.lstsq(terms, true, rcond=None)[0]
    return np.maximum(np.nan_to_num(found, nan=0.0, posinf=np.finfo(np.float32).max), _LEAST_DEPTH)


def measure_depth(
    depth: NDArray[np.floating], true_depth: NDArray[np.floating], alignment: str
) -> DepthErrors:
    """Measure the errors of some pixels together.

    Args:
        depth: (P,) depth along the optical axis.
        true_depth: (P,) positive, of the same pixels.
        alignment: one of ALIGNMENTS.

    Returns:
        The errors; NaN without pixels.
    """
    if not np.size(true_depth):
        return DepthErrors(*[float("nan")] * 4)
    found, true = align_depth(depth, true_depth, alignment), np.asarray(true_depth, np.float64)
    ratio = np.maximum(found / true, true / found)
    return DepthErrors(
        float((np.abs(found - true) / true).mean()),
        float(np.sqrt(((found - true) ** 2).mean())),
        float((ratio < _DELTA).mean()),
        float((ratio < _DELTA**2).mean()),
    )


def measure_each(
    depths: Sequence[NDArray[np.floating]],
    true_depths: Sequence[NDArray[np.floating]],
    alignment: str,
) -> DepthErrors:
    """Measure image by image, each with an alignment of its own, and take the plain mean.

    Args:
        depths: per image (P_i,).
        true_depths: per image (P_i,), positive; images without pixels are left out.
        alignment: one of ALIGNMENTS.

    Returns:
        The mean; NaN if no image has pixels.
    """
    each = [
        measure_depth(depth, true, alignment)
        for depth, true in zip(depths, true_depths, strict=True)
        if len(true)
    ]
    if not each:
        return DepthErrors(*[float("nan")] * 4)
    return DepthErrors(*np.mean(each, axis=0).tolist())


def measure_together(
    depths: Sequence[NDArray[np.floating]],
    true_depths: Sequence[NDArray[np.floating]],
    alignment: str,
) -> DepthErrors:
    """Measure all images with one alignment for all, which asks that they agree in size.

    Args:
        depths: per image (P_i,).
        true_depths: per image (P_i,), positive.
        alignment: one of ALIGNMENTS.
    """
    if not depths:
        return DepthErrors(*[float("nan")] * 4)
    return measure_depth(np.concatenate(depths), np.concatenate(true_depths), alignment)
