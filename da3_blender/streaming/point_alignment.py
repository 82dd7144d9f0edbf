# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The similarity between two clouds of the same points, some of which are wrong.

Runs in the engine. The network's confidence loss makes its error go with 1 / confidence, so a
residual counts as residual * confidence, and least squares weigh with the square. The kernel's
width comes from the data: scenes have any unit. Sources: Umeyama 1991; Geman and McClure 1987;
Huber 1964 and the constants of DA3-Streaming for the release's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.rotations import measure_angle
from ..contract.similarity import Sim3

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS: Final = 30
_FIRST_WIDTH: Final = 8.0
_SHRINK: Final = 0.7
_DEVIATION: Final = 2.5 * 1.4826
"""Of the median, for a kernel that keeps the noise of a normal distribution."""
_INLIER: Final = 1.0
"""Kernel widths up to which a pair counts as right."""
_SAME: Final = 1e-12
_LEAST_WEIGHT: Final = 1e-6
_RELEASE_WIDTH: Final = 0.1
_RELEASE_ROUNDS: Final = 5
_RELEASE_TOLERANCE: Final = 1e-9
_RELEASE_ANGLE: Final = 0.1


class Alignment(NamedTuple):
    """A similarity and how far it can be trusted.

    Attributes:
        target_from_source: the similarity.
        inliers: share 0..1 of the pairs that agree with it.
        residual: median distance of the pairs, in units of the target.
    """

    target_from_source: Sim3
    inliers: float
    residual: float


def combine_confidence(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the confidence of a difference: errors go with 1 / confidence and add in squares."""
    first, second = (np.maximum(np.asarray(x, np.float64), 1e-12) for x in (first, second))
    return 1 / np.sqrt(1 / first**2 + 1 / second**2)


def align_points(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    confidence: NDArray[np.floating],
    *,
    keeps_scale: bool = False,
) -> Alignment:
    """Fit target ~ S source, whatever a part of the pairs says.

    Args:
        source: (M, 3) positions.
        target: (M, 3) the same points in the other world.
        confidence: (M,) of the pairs, see `combine_confidence`; only ratios matter.
        keeps_scale: the scale is 1.

    Raises:
        ValueError: fewer than three pairs with confidence.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    confidence = np.asarray(confidence, np.float64)
    if np.count_nonzero(confidence > 0) < 3:  # noqa: PLR2004 - a triangle
        message = f"need at least 3 pairs of points, got {len(source)}"
        raise ValueError(message)
    confidence = confidence / confidence.mean()
    found = _fit(source, target, confidence**2, keeps_scale=keeps_scale)
    factor = _FIRST_WIDTH
    for _ in range(_ROUNDS):
        residual = _measure(found, source, target) * confidence
        width = max(factor * _DEVIATION * float(np.median(residual)), np.finfo(float).tiny)
        kernel = 1 / (1 + (residual / width) ** 2) ** 2  # Geman-McClure
        new = _fit(source, target, confidence**2 * kernel, keeps_scale=keeps_scale)
        is_same = factor == 1 and _compare(found, new) < _SAME
        found, factor = new, max(1.0, factor * _SHRINK)
        if is_same:
            break
    distance = _measure(found, source, target)
    residual = distance * confidence
    width = _DEVIATION * float(np.median(residual))
    inliers = float(np.mean(residual <= _INLIER * width)) if width > 0 else 1.0
    return Alignment(found, inliers, float(np.median(distance)))


def align_points_like_release(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    weights: NDArray[np.floating],
    *,
    keeps_scale: bool = False,
) -> Sim3:
    """Fit as DA3-Streaming does, for comparison: Huber's kernel of 0.1 units, ratio of radii.

    Args:
        source: (M, 3) positions.
        target: (M, 3) the same points in the other world.
        weights: (M,) root of the product of both confidences.
        keeps_scale: the scale is 1.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    weights = np.asarray(weights, np.float64)
    found = _fit_radii(source, target, weights, keeps_scale=keeps_scale)
    cost = np.inf
    for _ in range(_RELEASE_ROUNDS):
        residual = _measure(found, source, target)
        kernel = np.minimum(1, _RELEASE_WIDTH / np.maximum(residual, 1e-12))
        rho = np.where(
            residual <= _RELEASE_WIDTH,
            residual**2 / 2,
            _RELEASE_WIDTH * (residual - _RELEASE_WIDTH / 2),
        )
        new_cost = float((weights * rho).sum())
        new = _fit_radii(source, target, weights * kernel, keeps_scale=keeps_scale)
        change = abs(new.scale - found.scale) + float(
            np.linalg.norm(new.translation - found.translation)
        )
        angle = np.degrees(float(measure_angle(new.rotation, found.rotation)))
        is_over = change < _RELEASE_TOLERANCE and angle < _RELEASE_ANGLE
        if is_over or abs(cost - new_cost) < _RELEASE_TOLERANCE * cost:
            break
        found, cost = new, new_cost
    return found


def _measure(
    sim: Sim3, source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    moved = source @ (sim.scale * sim.rotation).T + sim.translation
    return np.linalg.norm(target - moved, axis=1)


def _compare(one: Sim3, other: Sim3) -> float:
    size = max(1e-12, float(np.linalg.norm(other.translation)))
    return (
        abs(one.scale / other.scale - 1)
        + float(np.abs(one.rotation - other.rotation).max())
        + float(np.linalg.norm(one.translation - other.translation)) / size
    )


def _centre(
    source: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    total = weights.sum()
    if not total > _LEAST_WEIGHT * 1e-6:
        message = "all pairs of points have no weight"
        raise ValueError(message)
    w = weights / total
    source_mean, target_mean = w @ source, w @ target
    return w, source_mean, target_mean, source - source_mean, target - target_mean


def _rotate(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return the rotation nearest to a covariance target x source, and the trace of both."""
    u, d, vt = np.linalg.svd(covariance)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0])
    return (u * sign) @ vt, float((d * sign).sum())


def _fit(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    keeps_scale: bool,
) -> Sim3:
    """Fit in the least-squares sense."""
    w, source_mean, target_mean, s, t = _centre(source, target, weights)
    rotation, trace = _rotate((t * w[:, None]).T @ s)
    variance = float(w @ (s**2).sum(1))
    scale = 1.0 if keeps_scale or variance <= 0 else trace / variance
    return Sim3(scale, rotation, target_mean - scale * rotation @ source_mean)


def _fit_radii(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    keeps_scale: bool,
) -> Sim3:
    """Fit with the ratio of the radii as scale, which noise in one cloud biases."""
    w, source_mean, target_mean, s, t = _centre(source, target, weights)
    rotation, _ = _rotate((t * w[:, None]).T @ s)
    variance = float(w @ (s**2).sum(1))
    scale = 1.0 if keeps_scale or variance <= 0 else (float(w @ (t**2).sum(1)) / variance) ** 0.5
    return Sim3(scale, rotation, target_mean - scale * rotation @ source_mean)
