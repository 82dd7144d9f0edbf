# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which views of a result are doubtful, and why, in words.

Runs in the engine. A view is judged by what is usual in its own set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.projection import project, unproject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .outcome import Dense, Observations, Outcome

_FEWEST_VIEWS: Final = 3  # two views say nothing about which of them is wrong
_RESIDUAL_PX: Final = 2.0  # fine in any set
_RESIDUAL_FACTOR: Final = 3.0
_FEW_POINTS: Final = 15
_FEW_POINTS_SHARE: Final = 0.15
_LOW_CONFIDENCE: Final = 0.6
_LOW_AGREEMENT: Final = 0.5
# Depth agrees where another view puts the same point this close; sampled and compared so often.
_SAME_DEPTH: Final = 0.05
_SAMPLES: Final = 1500
_NEIGHBOURS: Final = 6
_FEWEST_SAMPLES: Final = 50


def find_doubt(outcome: Outcome, observations: Observations | None) -> list[str]:
    """Judge every camera of an outcome.

    Args:
        outcome: in its final world.
        observations: who saw the points of the sparse cloud, if there was one.

    Returns:
        One text per camera; "" where nothing is wrong.
    """
    count = len(outcome.indices)
    reasons: list[list[str]] = [[] for _ in range(count)]
    if count >= _FEWEST_VIEWS:
        _judge_residuals(outcome.residual_px, reasons)
        if observations is not None:
            _judge_matches(np.bincount(observations.camera, minlength=count), reasons)
        if outcome.dense is not None:
            cameras = outcome.dense.list_cameras()
            with_depth = [reasons[camera] for camera in cameras]
            _judge_confidence(outcome.dense, with_depth)
            K, w2c = np.asarray(outcome.K)[cameras], np.asarray(outcome.w2c)[cameras]
            _judge_agreement(measure_agreement(outcome.dense, K, w2c), with_depth)
    return ["; ".join(parts) for parts in reasons]


def _judge_residuals(residuals: list[float | None], reasons: list[list[str]]) -> None:
    known = [value for value in residuals if value is not None and np.isfinite(value)]
    if not known:
        return
    usual = float(np.median(known))
    for value, parts in zip(residuals, reasons, strict=True):
        if value is not None and value > max(_RESIDUAL_PX, _RESIDUAL_FACTOR * usual):
            parts.append(f"its points are {value:.1f} px off, usual here are {usual:.1f}")


def _judge_matches(counts: NDArray[np.intp], reasons: list[list[str]]) -> None:
    least = max(_FEW_POINTS, _FEW_POINTS_SHARE * float(np.median(counts)))
    for value, parts in zip(counts.tolist(), reasons, strict=True):
        if value < least:
            parts.append(f"only {value} points of it match other photos")


def _judge_confidence(dense: Dense, reasons: list[list[str]]) -> None:
    values = np.array(
        [
            np.median(confidence[depth > 0]) if (depth > 0).any() else 0.0
            for confidence, depth in zip(dense.confidence, dense.depth, strict=True)
        ]
    )
    usual = float(np.median(values))
    for value, parts in zip(values.tolist(), reasons, strict=True):
        if value < _LOW_CONFIDENCE * usual:
            parts.append(
                f"the network is unsure of it: {value / usual:.0%} of the usual confidence"
            )


def _judge_agreement(agreement: NDArray[np.float64], reasons: list[list[str]]) -> None:
    known = agreement[np.isfinite(agreement)]
    if not len(known):
        return
    usual = float(np.median(known))
    for value, parts in zip(agreement.tolist(), reasons, strict=True):
        if np.isfinite(value) and value < _LOW_AGREEMENT * usual:
            parts.append(
                f"{value:.0%} of its depth agrees with other photos, usual are {usual:.0%}"
            )


def measure_agreement(
    dense: Dense, K: NDArray[np.floating], w2c: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Measure how far the depth of each view is confirmed by those next to it.

    Points of a view are looked up in the depth maps of its neighbours. Where these see something
    else it may stand in front of the point, so even a perfect view does not reach 1; that is
    alike for all views of a set.

    Args:
        dense: D depth maps.
        K: (D, 3, 3) pixels of the original photos, of the cameras of these maps.
        w2c: (D, 4, 4), OpenCV.

    Returns:
        (D,) share of confirmed points among those with an answer; NaN without enough answers.
    """
    count, height, width = dense.depth.shape
    grid_K = dense.grid_from_photo @ np.asarray(K, np.float64)
    centres = invert_rigid(w2c)[:, :3, 3]
    generator = np.random.default_rng(0)
    shares = np.full(count, np.nan)
    for view in range(count):
        valid = np.flatnonzero(np.isfinite(dense.depth[view]) & (dense.depth[view] > 0))
        if dense.sky is not None:
            valid = valid[~dense.sky[view].ravel()[valid]]
        if not len(valid):
            continue
        chosen = generator.choice(valid, min(_SAMPLES, len(valid)), replace=False)
        world = unproject(dense.depth[view][None], grid_K[view][None], w2c[view][None])
        points = world[0].reshape(-1, 3)[chosen]
        distance = np.linalg.norm(centres - centres[view], axis=1)
        agreed = asked = 0
        for other in np.argsort(distance, kind="stable")[1 : 1 + _NEIGHBOURS]:
            pixels, z = project(points, grid_K[other], w2c[other])
            inside = (z > 0) & (pixels >= 0).all(1) & (pixels < [width, height]).all(1)
            column, row = pixels[inside].astype(int).T
            seen = dense.depth[other][row, column].astype(np.float64)
            z = z[inside]
            known = np.isfinite(seen) & (seen > 0)
            agreed += int((known & (np.abs(seen / z - 1) < _SAME_DEPTH)).sum())
            asked += int(known.sum())
        if asked >= _FEWEST_SAMPLES:
            shares[view] = agreed / asked
    return shares
