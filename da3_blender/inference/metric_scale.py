# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metres: from a focal length, and for any-view results from a metric model's depth.

Runs in the engine. Two passes: predict with an any-view model, free it if memory is short, then
`measure_metric_scale` with the metric model and `apply_metric_scale`. The nested model does both
in one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.similarity import Sim3, chain_sim3
from ..network.presets import SingleViewPreset
from .prediction import Prediction, PredictOptions
from .sky import FAR_QUANTILE, has_enough_pixels

if TYPE_CHECKING:
    from .predictor import Predictor
    from .progress import IsCancelled, OnProgress

Array = np.ndarray

_CANONICAL_FOCAL_PX = 300.0
"""Focal length at which the metric network's numbers are metres."""
_LEAST_METRIC_DEPTH_M = 0.01
_LEAST_DEPTH = 0.001
FARTHEST_SKY_M = 200.0
_LEAST_CONFIDENCE = 1.0
_MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


class MetricScale(NamedTuple):
    """How many metres one unit of a prediction is.

    Attributes:
        scale: metres per unit.
        spread: share by which single pixels disagree with it (robust standard deviation of
            the ratio's logarithm); 0.1 is 10 %.
        pixels: how many pixels it rests on.
    """

    scale: float
    spread: float
    pixels: int


def metric_depth(raw: Array, focal_px: Array | float) -> Array:
    """Turn the metric network's depth into metres.

    Args:
        raw: (N, H, W) float32, as the network gives it.
        focal_px: (N,) or one number, mean of fx and fy in pixels of this H x W grid.

    Returns:
        (N, H, W) float32, metres.

    Raises:
        EngineError: INPUT_MISMATCH; a focal length is not positive, or their number is wrong.
    """
    focal = np.atleast_1d(np.asarray(focal_px, np.float64))
    if len(focal) not in (1, len(raw)) or not (np.isfinite(focal) & (focal > 0)).all():
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"There are {len(raw)} depth maps and the focal lengths {focal.tolist()}.",
            "Give one positive focal length in pixels for each.",
        )
    factor = (focal / _CANONICAL_FOCAL_PX).astype(np.float32)
    return raw * factor[:, None, None]


def mean_focal(K: Array) -> Array:
    """Return (N,) means of fx and fy of K (N, 3, 3), pixels."""
    return (K[:, 0, 0] + K[:, 1, 1]) / 2


def choose_scale_pixels(depth: Array, confidence: Array, depth_m: Array, is_sky: Array) -> Array:
    """Choose the pixels that decide the scale: sure, not sky, and not at depth zero.

    Args:
        depth: (N, H, W) float32, scene units.
        confidence: (N, H, W) float32; at least the median of all that is not sky counts as sure.
        depth_m: (N, H, W) float32, metres.
        is_sky: (N, H, W) bool.

    Returns:
        (N, H, W) bool; empty if ten or fewer pixels are not sky.
    """
    if not has_enough_pixels(~is_sky):
        return np.zeros_like(is_sky)
    sure = confidence >= np.median(confidence[~is_sky])
    return sure & ~is_sky & (depth_m > _LEAST_METRIC_DEPTH_M) & (depth > _LEAST_DEPTH)


def fit_metric_scale(
    depth: Array,
    confidence: Array,
    depth_m: Array,
    is_sky: Array,
    *,
    matches_release: bool = False,
) -> MetricScale | None:
    """Find the factor that takes a prediction's depth to metres.

    The median of the ratios: up to half of the pixels may be wrong (reflections, windows, a
    view that the metric model misjudges) without moving it.

    Args:
        depth: (N, H, W) float32, scene units.
        confidence: (N, H, W) float32.
        depth_m: (N, H, W) float32, metres.
        is_sky: (N, H, W) bool.
        matches_release: least squares instead, which the farthest pixels decide.

    Returns:
        The scale; None if no pixel can decide it.
    """
    mask = choose_scale_pixels(depth, confidence, depth_m, is_sky)
    near, metres = depth[mask].astype(np.float64), depth_m[mask].astype(np.float64)
    if not near.size:
        return None
    logarithms = np.log(metres / near)
    median = np.median(logarithms)
    spread = float(_MAD_TO_DEVIATION * np.median(np.abs(logarithms - median)))
    scale = (metres @ near) / (near @ near) if matches_release else np.exp(median)
    return MetricScale(float(scale), spread, int(near.size))


def apply_metric_scale(
    prediction: Prediction, metric: MetricScale | None, is_sky: Array
) -> Prediction:
    """Bring an any-view prediction to metres and put the sky far away.

    Args:
        prediction: with cameras, scene units.
        metric: None leaves the unit as it is; the sky is put far away all the same.
        is_sky: (N, H, W) bool.

    Returns:
        A copy; where there is sky the confidence is the lowest possible, 1.
    """
    scale = 1.0 if metric is None else metric.scale
    w2c = prediction.w2c.copy()
    w2c[:, :3, 3] *= scale
    depth, confidence = prediction.depth * np.float32(scale), prediction.confidence
    if has_enough_pixels(~is_sky):
        far = np.quantile(depth[~is_sky], FAR_QUANTILE)
        far = far if metric is None else min(far, FARTHEST_SKY_M)
        depth = np.where(is_sky, np.float32(far), depth)
        confidence = np.where(is_sky, np.float32(_LEAST_CONFIDENCE), confidence)
    result = replace(prediction, depth=depth, confidence=confidence, w2c=w2c, sky=is_sky)
    if metric is None:
        return result
    world = prediction.world_from_gaussians
    if world is not None:
        world = chain_sim3(Sim3(scale, np.eye(3), np.zeros(3)), world)
    return replace(
        result,
        is_metric=True,
        metres_per_unit=1.0,
        scale_factor=scale,
        world_from_gaussians=world,
    )


def measure_metric_scale(
    prediction: Prediction,
    metric: Predictor,
    progress: OnProgress = lambda _share: None,
    is_cancelled: IsCancelled = lambda: False,
    *,
    matches_release: bool = False,
) -> tuple[MetricScale | None, Array]:
    """Run the metric model on the pictures of a finished prediction: the second pass.

    Args:
        prediction: with cameras; with known cameras its unit is theirs, so the result tells
            how many metres one unit of the known cameras is.
        metric: predictor of the metric model; it needs memory for one view at a time.
        progress: called with the finished share, 0 to 1.
        is_cancelled: polled as often.
        matches_release: see `fit_metric_scale`.

    Returns:
        The scale, None if no pixel can decide it, and (N, H, W) bool where the sky is.

    Raises:
        EngineError: SETTINGS_INVALID, the predictor is no metric model or the prediction has no
            cameras or no confidence; OUT_OF_MEMORY.
        CancelledError: `is_cancelled` said so.
    """
    if prediction.K is None or prediction.confidence is None:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "The prediction has no focal lengths or no confidence.",
            "Make it with an any-view model.",
        )
    if not (isinstance(metric.preset, SingleViewPreset) and metric.preset.is_metric):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"{metric.preset.name} does not measure metres view by view.",
            "Use da3metric-large for the second pass.",
        )
    # pictures of the grid's size pass the preparation unchanged
    options = PredictOptions(
        process_resolution=max(prediction.images.shape[1:3]), K_original=prediction.K
    )
    second = metric.predict(list(prediction.images), options, progress, is_cancelled)
    maps = (prediction.depth, prediction.confidence, second.depth, second.sky)
    return fit_metric_scale(*maps, matches_release=matches_release), second.sky
