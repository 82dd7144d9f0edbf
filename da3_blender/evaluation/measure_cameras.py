# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All measures of an estimate's cameras.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.cameras import invert_rigid
from .relative_pose import (
    LOST_DEG,
    THRESHOLDS_DEG,
    PairErrors,
    measure_auc,
    measure_pairs,
    measure_usual_pairs,
)
from .trajectory import fit_trajectory, measure_focal, measure_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scene import Scene


def measure_cameras(
    scene: Scene,
    frames: NDArray[np.intp],
    w2c: NDArray[np.float64],
    K: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Compare cameras with the truth.

    Args:
        scene: the truth.
        frames: (M,) which frames have a camera; pairs with another frame count as lost.
        w2c: (M, 4, 4) OpenCV world-to-camera, any world.
        K: (M, 3, 3) pixels of the scene's pictures, or None.

    Returns:
        Named numbers: the two AUC, median errors of pairs, trajectory and steps, focal length.
    """
    found = np.zeros(len(scene), bool)
    found[frames] = True
    everywhere = np.tile(np.eye(4), (len(scene), 1, 1))
    everywhere[frames] = w2c
    pairs = measure_pairs(everywhere, scene.w2c, found)
    usual = measure_usual_pairs(everywhere, scene.w2c, found)
    scores: dict[str, Any] = {"found_frames": len(frames)}
    scores |= {f"auc{t:02d}": measure_auc(pairs.worst, t) for t in THRESHOLDS_DEG}
    scores["usual"] = {f"auc{t:02d}": measure_auc(usual.worst, t) for t in THRESHOLDS_DEG}
    scores["usual"] |= _take_medians(usual)
    if len(frames):
        scores |= _measure_trajectory(scene, frames, w2c)
    if K is not None and len(frames):
        scores["focal_percent"] = float(np.median(measure_focal(K, scene.K[frames])))
    return scores


def _take_medians(pairs: PairErrors) -> dict[str, float]:
    there = pairs.rotation < LOST_DEG
    if not there.any():
        return {"rotation_deg": float("nan"), "translation_deg": float("nan")}
    return {
        "rotation_deg": float(np.median(pairs.rotation[there])),
        "translation_deg": float(np.median(pairs.translation[there])),
    }


def _measure_trajectory(
    scene: Scene, frames: NDArray[np.intp], w2c: NDArray[np.float64]
) -> dict[str, float]:
    true_w2c = scene.w2c[frames]
    fit = fit_trajectory(w2c, true_w2c)
    centres = invert_rigid(true_w2c)[:, :3, 3]
    extent = float(np.linalg.norm(centres.max(axis=0) - centres.min(axis=0)))
    scores = {
        "ate": fit.rmse,
        "ate_percent": 100 * fit.rmse / extent if extent > 0 else float("nan"),
    }
    if len(frames) > 1:
        steps = measure_steps(w2c, true_w2c, fit.true_from_found)
        scores["step_rotation_deg"] = float(np.sqrt((steps.rotation_deg**2).mean()))
        scores["step_translation"] = float(np.sqrt((steps.translation**2).mean()))
    return scores
