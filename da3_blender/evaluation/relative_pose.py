# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the motion between every two cameras, and the area under their curve.

Runs in the engine. Two conventions: that of the published evaluation of Depth Anything 3, for
comparison with its numbers, and the usual one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.rotations import measure_angle

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLDS_DEG: Final = (3, 5, 15, 30)
# What counts for a pair that cannot be measured, such as one with a camera that was not found.
LOST_DEG: Final = 1e6
_LEAST_BASELINE: Final = 0.01  # usual convention: share of the median of the true baselines
_TINY: Final = 1e-15


class PairErrors(NamedTuple):
    """Errors of P pairs of cameras i < j, in the order (0, 1), (0, 2), ... (N - 2, N - 1).

    rotation: (P,) float64 degrees; translation: (P,) float64 degrees between the directions of
    the motions. LOST_DEG where there is nothing to measure.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @property
    def worst(self) -> NDArray[np.float64]:
        """(P,) float64 degrees, the larger of both errors."""
        return np.maximum(self.rotation, self.translation)


def measure_pairs(
    w2c: NDArray[np.floating],
    true_w2c: NDArray[np.floating],
    found: NDArray[np.bool_] | None = None,
) -> PairErrors:
    """Measure pairs as the published evaluation of Depth Anything 3 does.

    Both sets get their first camera as the world; then the motion of a pair is inv(E_i) E_j of
    world-to-camera matrices E. That is not the usual E_j inv(E_i): an error of the first camera
    enters every pair. The sign of a translation does not count, and one of no length is 90
    degrees off.

    Args:
        w2c: (N, 4, 4) OpenCV world-to-camera; any numbers where a camera was not found.
        true_w2c: (N, 4, 4) the truth, in any other world and scale.
        found: (N,) which cameras exist; the first of them is the world. None for all.

    Returns:
        The errors; directions from 0 to 90 degrees.
    """
    count = len(w2c)
    found = np.ones(count, bool) if found is None else np.asarray(found, bool)
    first, second = np.triu_indices(count, 1)
    if not found.any():
        lost = np.full(len(first), LOST_DEG)
        return PairErrors(lost, lost)
    world = int(np.argmax(found))
    motions = []
    for poses in (w2c, true_w2c):
        poses = np.asarray(poses, np.float64)  # noqa: PLW2901 - the same, as float64
        relative = poses @ invert_rigid(poses[world])
        motions.append(invert_rigid(relative[first]) @ relative[second])
    rotation = np.degrees(measure_angle(motions[1][:, :3, :3], motions[0][:, :3, :3]))
    cosine = (_normalise(motions[0][:, :3, 3]) * _normalise(motions[1][:, :3, 3])).sum(axis=1)
    translation = np.degrees(np.arccos(np.clip(np.abs(cosine), 0, 1)))
    return _drop_lost(PairErrors(rotation, translation), found[first] & found[second])


def measure_usual_pairs(
    w2c: NDArray[np.floating],
    true_w2c: NDArray[np.floating],
    found: NDArray[np.bool_] | None = None,
) -> PairErrors:
    """Measure pairs by the relative motion E_j inv(E_i), with the sign of its direction.

    Pairs whose true baseline is below 1 percent of the median have no direction to speak of and
    are left out.

    Args:
        w2c: (N, 4, 4) OpenCV world-to-camera; any numbers where a camera was not found.
        true_w2c: (N, 4, 4) the truth, in any other world and scale.
        found: (N,) which cameras exist; None for all.

    Returns:
        The errors of the pairs that are left; directions from 0 to 180 degrees.
    """
    found = np.ones(len(w2c), bool) if found is None else np.asarray(found, bool)
    first, second = np.triu_indices(len(w2c), 1)
    motion, true_motion = (
        np.asarray(poses, np.float64)[second] @ invert_rigid(poses)[first]
        for poses in (w2c, true_w2c)
    )
    baseline = np.linalg.norm(true_motion[:, :3, 3], axis=1)
    kept = np.zeros(0, bool)
    if len(baseline):
        kept = baseline > max(_LEAST_BASELINE * float(np.median(baseline)), _TINY)
    rotation = np.degrees(measure_angle(true_motion[kept, :3, :3], motion[kept, :3, :3]))
    cosine = (_normalise(motion[kept, :3, 3]) * _normalise(true_motion[kept, :3, 3])).sum(axis=1)
    translation = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return _drop_lost(PairErrors(rotation, translation), (found[first] & found[second])[kept])


def measure_auc(errors_deg: NDArray[np.floating], threshold_deg: int) -> float:
    """Measure the area under the curve of the share of pairs below a limit.

    Args:
        errors_deg: (P,) degrees; what is not a number counts as lost.
        threshold_deg: whole degrees T.

    Returns:
        Mean over k = 1..T of the share of pairs below k degrees, 0 to 1; NaN without pairs.
    """
    if not len(errors_deg):
        return float("nan")
    errors = np.nan_to_num(np.asarray(errors_deg, np.float64), nan=LOST_DEG, posinf=LOST_DEG)
    counts, _ = np.histogram(errors, bins=np.arange(threshold_deg + 1))
    return float(np.mean(np.cumsum(counts) / len(errors)))


def _normalise(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + _TINY)


def _drop_lost(errors: PairErrors, there: NDArray[np.bool_]) -> PairErrors:
    """Set what cannot be measured to LOST_DEG."""
    return PairErrors(
        *(np.where(there & np.isfinite(values), values, LOST_DEG) for values in errors)
    )
