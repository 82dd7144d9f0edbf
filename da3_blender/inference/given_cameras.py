# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known cameras: bring them into the network's frame, and its result back into theirs.

Runs in the engine. Source of the similarity fit: Umeyama, "Least-squares estimation of
transformation parameters between two point patterns" (1991).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray

_LEAST_MEDIAN_DISTANCE = 0.1
_LEAST_SINGULAR_VALUE = np.finfo(np.float64).eps
_FEWEST_VIEWS_FOR_CONSENSUS = 10
_CONSENSUS_ROUNDS = 10
_CONSENSUS_SEED = 42
_FEWEST_VIEWS_FOR_FIT = 3
_PLANE_DIMENSIONS = 2


class Similarity(NamedTuple):
    """x' = scale * rotation @ x + translation.

    Attributes:
        scale: positive.
        rotation: (3, 3) float64.
        translation: (3,) float64.
    """

    scale: float
    rotation: Array
    translation: Array


def invert_rigid(transform: Array) -> Array:
    """Invert rotation-and-translation matrices.

    Args:
        transform: (..., 4, 4).

    Returns:
        (..., 4, 4) float64.
    """
    transform = np.asarray(transform, np.float64)
    inverse = np.zeros_like(transform)
    inverse[..., :3, :3] = np.swapaxes(transform[..., :3, :3], -1, -2)
    inverse[..., :3, 3:] = -inverse[..., :3, :3] @ transform[..., :3, 3:]
    inverse[..., 3, 3] = 1
    return inverse


def normalise_cameras(w2c: Array) -> Array:
    """Put the first camera at the origin and the median camera at distance 1 from it.

    The median is the lower one and counts the first camera itself, with distance 0; it is at
    least 0.1. The network was trained with this rule: two views are always divided by 0.1.

    Args:
        w2c: (N, 4, 4), OpenCV world-to-camera, any world.

    Returns:
        (N, 4, 4) float64, OpenCV world-to-camera of the network's world.
    """
    w2c = np.asarray(w2c, np.float64)
    relative = w2c @ invert_rigid(w2c[0])
    distances = np.linalg.norm(invert_rigid(relative)[:, :3, 3], axis=-1)
    median = np.sort(distances)[(len(distances) - 1) // 2]
    relative[:, :3, 3] /= max(median, _LEAST_MEDIAN_DISTANCE)
    return relative


def fit_similarity(reference: Array, estimate: Array) -> Similarity | None:
    """Find the similarity that takes `estimate` to `reference` with the least squared error.

    Args:
        reference: (N, 3) positions.
        estimate: (N, 3) positions, same order.

    Returns:
        The similarity; None if the positions do not span a plane, so that it is not unique.
    """
    y, x = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    mean_y, mean_x = y.mean(axis=0), x.mean(axis=0)
    variance = np.square(x - mean_x).sum() / len(x)
    u, d, vt = np.linalg.svd((y - mean_y).T @ (x - mean_x) / len(x))
    if np.count_nonzero(d > _LEAST_SINGULAR_VALUE) < _PLANE_DIMENSIONS:
        return None
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = float((d * sign).sum() / variance)
    return Similarity(scale, rotation, mean_y - scale * rotation @ mean_x)


def transform_cameras(w2c: Array, similarity: Similarity) -> Array:
    """Move cameras by a similarity of the world.

    Args:
        w2c: (N, 4, 4), OpenCV world-to-camera.
        similarity: new world from old world.

    Returns:
        (N, 4, 4) float64, OpenCV world-to-camera of the new world.
    """
    c2w = invert_rigid(w2c)
    c2w[:, :3, 3] = apply_similarity(similarity, c2w[:, :3, 3])
    c2w[:, :3, :3] = similarity.rotation @ c2w[:, :3, :3]
    return invert_rigid(c2w)


def apply_similarity(similarity: Similarity, positions: Array) -> Array:
    """Move positions (M, 3); returns (M, 3) float64."""
    return similarity.scale * positions @ similarity.rotation.T + similarity.translation


def align_cameras(reference_w2c: Array, estimate_w2c: Array) -> Similarity:
    """Find the similarity that takes the world of `estimate_w2c` to that of `reference_w2c`.

    Ten views or more are fitted by consensus, so that some wrong cameras do no harm. Where the
    centres alone do not decide (fewer than three views, cameras on a line or all in one place)
    the orientations give the rotation and the spread of the centres the scale; without any
    spread the scale is 1.

    Args:
        reference_w2c: (N, 4, 4), OpenCV world-to-camera, usually the predicted cameras.
        estimate_w2c: (N, 4, 4), OpenCV world-to-camera, usually the given cameras.

    Returns:
        The similarity, always finite.
    """
    reference, estimate = invert_rigid(reference_w2c), invert_rigid(estimate_w2c)
    y, x = reference[:, :3, 3], estimate[:, :3, 3]
    fit = None
    if _spans_plane(y) and _spans_plane(x):
        is_many = len(x) >= _FEWEST_VIEWS_FOR_CONSENSUS
        fit = _fit_by_consensus(y, x) if is_many else fit_similarity(y, x)
    return fit or _fit_from_orientations(reference, estimate)


def _spans_plane(positions: Array) -> bool:
    """Tell whether positions (N, 3) leave their line by more than rounding."""
    if len(positions) < _FEWEST_VIEWS_FOR_FIT:
        return False
    spread = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
    return bool(spread[1] > 1e-6 * spread[0])


def _fit_by_consensus(reference: Array, estimate: Array) -> Similarity | None:
    """Fit half of the positions ten times, keep the fit most positions agree with, refine it."""
    whole = fit_similarity(reference, estimate)
    if whole is None:
        return None
    moved = apply_similarity(whole, estimate)
    nearest = np.linalg.norm(moved[:, None] - reference[None], axis=-1).min(axis=1)
    threshold = np.median(nearest)
    count = len(reference)
    generator = np.random.default_rng(_CONSENSUS_SEED)
    best, best_inliers, best_score = whole, np.zeros(count, bool), (-1, 0.0)
    for _ in range(_CONSENSUS_ROUNDS):
        chosen = generator.choice(count, max((count + 1) // 2, 3), replace=False)
        fit = fit_similarity(reference[chosen], estimate[chosen])
        if fit is None:
            continue
        error = np.linalg.norm(apply_similarity(fit, estimate) - reference, axis=-1)
        inliers = error <= threshold
        score = (np.count_nonzero(inliers), -error[inliers].mean() if inliers.any() else -np.inf)
        if score > best_score:
            best, best_inliers, best_score = fit, inliers, score
    if np.count_nonzero(best_inliers) < _FEWEST_VIEWS_FOR_FIT:
        return best
    return fit_similarity(reference[best_inliers], estimate[best_inliers]) or best


def _fit_from_orientations(reference: Array, estimate: Array) -> Similarity:
    """Fit camera-to-world poses (N, 4, 4) whose centres do not decide the rotation."""
    turns = reference[:, :3, :3] @ np.swapaxes(estimate[:, :3, :3], 1, 2)
    u, _, vt = np.linalg.svd(turns.sum(axis=0))
    rotation = (u * (1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)))) @ vt
    mean_y, mean_x = reference[:, :3, 3].mean(axis=0), estimate[:, :3, 3].mean(axis=0)
    spread_y = np.linalg.norm(reference[:, :3, 3] - mean_y)
    spread_x = np.linalg.norm(estimate[:, :3, 3] - mean_x)
    has_spread = min(spread_x, spread_y) > 1e-9 * max(1.0, np.linalg.norm(mean_x))
    scale = float(spread_y / spread_x) if has_spread else 1.0
    return Similarity(scale, rotation, mean_y - scale * rotation @ mean_x)
