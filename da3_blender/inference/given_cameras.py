# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known cameras: bring them into the network's frame, and its result back into theirs.

Runs in the engine.
"""

from __future__ import annotations

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.errors import EngineError, ErrorCode
from ..contract.similarity import Sim3, fit_sim3

Array = np.ndarray

_LEAST_MEDIAN_DISTANCE = 0.1
_FEWEST_VIEWS_FOR_CONSENSUS = 10
_CONSENSUS_ROUNDS = 10
_CONSENSUS_SEED = 42
_FEWEST_VIEWS_FOR_FIT = 3
_ROTATION_TOLERANCE = 1e-3


def check_cameras(w2c: Array, views: int) -> Array:
    """Check known cameras.

    Args:
        w2c: (N, 4, 4) or (N, 3, 4), OpenCV world-to-camera.
        views: number of images.

    Returns:
        (N, 4, 4) float64.

    Raises:
        EngineError: INPUT_MISMATCH; the number is wrong, or a matrix is no rotation.
    """
    w2c = np.asarray(w2c)
    if w2c.shape not in ((views, 4, 4), (views, 3, 4)):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"There are {views} images and extrinsics of shape {w2c.shape}.",
            f"Give ({views}, 4, 4), in the order of the images.",
        )
    result = np.tile(np.eye(4), (views, 1, 1))
    result[:, :3] = w2c[:, :3]
    rotation = result[:, :3, :3]
    error = np.abs(rotation @ np.swapaxes(rotation, 1, 2) - np.eye(3)).max(axis=(1, 2))
    is_proper = np.isfinite(result).all(axis=(1, 2)) & (error < _ROTATION_TOLERANCE)
    is_proper &= np.linalg.det(np.nan_to_num(rotation)) > 0
    _check_all(is_proper, "extrinsics are no rotation")
    return result


def check_intrinsics(K: Array, views: int) -> Array:
    """Check known intrinsics.

    Args:
        K: (N, 3, 3), pixels.
        views: number of images.

    Returns:
        (N, 3, 3) float64.

    Raises:
        EngineError: INPUT_MISMATCH; the number is wrong, or a focal length is not positive.
    """
    K = np.asarray(K, np.float64)
    if K.shape != (views, 3, 3):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"There are {views} images and intrinsics of shape {K.shape}.",
            f"Give ({views}, 3, 3), in the order of the images.",
        )
    is_lens = np.isfinite(K).all(axis=(1, 2)) & (K[:, 0, 0] > 0) & (K[:, 1, 1] > 0)
    _check_all(is_lens, "focal length is bad")
    return K


def _check_all(good: Array, trouble: str) -> None:
    if not good.all():
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"Camera {int(np.argmin(good))}: the {trouble}.",
            "Give OpenCV world-to-camera matrices and focal lengths in pixels.",
        )


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


def _fit(reference: Array, estimate: Array) -> Sim3 | None:
    """Return `reference_from_estimate` of positions (N, 3), None where they do not decide it."""
    try:
        return fit_sim3(estimate, reference)
    except ValueError:
        return None


def align_cameras(
    reference_w2c: Array,
    estimate_w2c: Array,
    fewest_for_consensus: int = _FEWEST_VIEWS_FOR_CONSENSUS,
) -> Sim3:
    """Find the similarity that takes the world of `estimate_w2c` to that of `reference_w2c`.

    Ten views or more are fitted by consensus, so that some wrong cameras do no harm. Where the
    centres alone do not decide (fewer than three views, cameras on a line or all in one place)
    the orientations give the rotation and the spread of the centres the scale; without any
    spread the scale is 1.

    Args:
        reference_w2c: (N, 4, 4), OpenCV world-to-camera, usually the predicted cameras.
        estimate_w2c: (N, 4, 4), OpenCV world-to-camera, usually the given cameras.
        fewest_for_consensus: number of views from which on some may be wrong.

    Returns:
        The similarity, always finite.
    """
    reference, estimate = invert_rigid(reference_w2c), invert_rigid(estimate_w2c)
    y, x = reference[:, :3, 3], estimate[:, :3, 3]
    fit = None
    if _spans_plane(y) and _spans_plane(x):
        is_many = len(x) >= fewest_for_consensus
        fit = _fit_by_consensus(y, x) if is_many else _fit(y, x)
    return fit or _fit_from_orientations(reference, estimate)


def _spans_plane(positions: Array) -> bool:
    """Tell whether positions (N, 3) leave their line by more than rounding."""
    if len(positions) < _FEWEST_VIEWS_FOR_FIT:
        return False
    spread = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
    return bool(spread[1] > 1e-6 * spread[0])


def _fit_by_consensus(reference: Array, estimate: Array) -> Sim3 | None:
    """Fit half of the positions ten times, keep the fit most positions agree with, refine it."""
    whole = _fit(reference, estimate)
    if whole is None:
        return None
    moved = whole.apply_to_points(estimate)
    nearest = np.linalg.norm(moved[:, None] - reference[None], axis=-1).min(axis=1)
    threshold = np.median(nearest)
    count = len(reference)
    generator = np.random.default_rng(_CONSENSUS_SEED)
    best, best_inliers, best_score = whole, np.zeros(count, bool), (-1, 0.0)
    for _ in range(_CONSENSUS_ROUNDS):
        chosen = generator.choice(count, max((count + 1) // 2, 3), replace=False)
        fit = _fit(reference[chosen], estimate[chosen])
        if fit is None:
            continue
        error = np.linalg.norm(fit.apply_to_points(estimate) - reference, axis=-1)
        inliers = error <= threshold
        score = (np.count_nonzero(inliers), -error[inliers].mean() if inliers.any() else -np.inf)
        if score > best_score:
            best, best_inliers, best_score = fit, inliers, score
    if np.count_nonzero(best_inliers) < _FEWEST_VIEWS_FOR_FIT:
        return best
    return _fit(reference[best_inliers], estimate[best_inliers]) or best


def _fit_from_orientations(reference: Array, estimate: Array) -> Sim3:
    """Fit camera-to-world poses (N, 4, 4) whose centres do not decide the rotation."""
    turns = reference[:, :3, :3] @ np.swapaxes(estimate[:, :3, :3], 1, 2)
    u, _, vt = np.linalg.svd(turns.sum(axis=0))
    rotation = (u * (1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)))) @ vt
    mean_y, mean_x = reference[:, :3, 3].mean(axis=0), estimate[:, :3, 3].mean(axis=0)
    spread_y = np.linalg.norm(reference[:, :3, 3] - mean_y)
    spread_x = np.linalg.norm(estimate[:, :3, 3] - mean_x)
    has_spread = min(spread_x, spread_y) > 1e-9 * max(1.0, np.linalg.norm(mean_x))
    scale = float(spread_y / spread_x) if has_spread else 1.0
    return Sim3(scale, rotation, mean_y - scale * rotation @ mean_x)
