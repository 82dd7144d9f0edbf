# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a network returns to a prediction on the processor.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..contract.cameras import invert_rigid
from ..contract.errors import EngineError, ErrorCode
from ..contract.similarity import Sim3
from ..network.pose_encoding import encoding_to_cameras
from .gaussians import Gaussians, build_gaussians, fit_scale_to_given
from .metric_scale import apply_metric_scale, fit_metric_scale, mean_focal, metric_depth
from .prediction import Prediction, PredictOptions, RayMaps
from .ray_pose import estimate_cameras_from_rays
from .sky import SKY_LEVEL, fill_sky, mask_sky

if TYPE_CHECKING:
    from ..network.any_view import NetworkOutput
    from ..network.single_view import SingleViewOutput
    from .preprocess import PreparedViews

Array = np.ndarray


def collect_any_view(
    output: NetworkOutput,
    prepared: PreparedViews,
    normalised: Array | None,
    options: PredictOptions,
) -> Prediction:
    """Bring the result of one scene to the processor and decode its cameras.

    Args:
        output: of an any-view network, batch of one.
        prepared: the pictures it saw.
        normalised: (N, 4, 4) known cameras as the network got them, or None.
        options: what was asked for.

    Returns:
        The prediction with the predicted cameras, in the network's world.

    Raises:
        EngineError: INTERNAL; numbers left the range of the precision.
    """
    size = (prepared.images.shape[1], prepared.images.shape[2])
    depth, confidence = output.depth[0].cpu().numpy(), output.confidence[0].cpu().numpy()
    _check_finite(depth, confidence)
    if options.use_ray_pose:
        cameras = estimate_cameras_from_rays(
            output.rays[0],
            output.ray_confidence[0],
            options.ray_factorisation,
            torch.Generator().manual_seed(options.seed),
        )
        w2c, K = invert_rigid(cameras.c2w.numpy()), cameras.build_intrinsics(size).numpy()
    else:
        w2c, K = encoding_to_cameras(output.pose_encoding[0].cpu().double(), size)
        w2c, K = w2c.numpy(), K.numpy()
    rays, gaussians, world = None, None, None
    if options.wants_rays:
        rays = RayMaps(output.rays[0].cpu().numpy(), output.ray_confidence[0].cpu().numpy())
    if options.wants_gaussians:
        is_bent = options.matches_release and normalised is not None
        scale = fit_scale_to_given(w2c, normalised) if is_bent else 1.0
        gaussians = _build_gaussians(output, w2c, K, scale)
        world = Sim3(1.0 / scale, np.eye(3), np.zeros(3))
    return Prediction(
        depth=depth,
        confidence=confidence,
        w2c=w2c,
        K=K,
        images=prepared.images,
        grid_from_original=prepared.grid_from_original,
        cropped_share=prepared.cropped_share,
        features={layer: x[0].cpu().numpy() for layer, x in output.features.items()},
        rays=rays,
        reference_index=None if output.reference is None else int(output.reference[0]),
        gaussians=gaussians,
        world_from_gaussians=world,
    )


def collect_single_view(
    output: SingleViewOutput,
    prepared: PreparedViews,
    K: Array | None,
    options: PredictOptions,
    *,
    is_metric: bool,
) -> Prediction:
    """Bring depth and sky of single views to the processor.

    Args:
        output: of a metric or mono network, batch of one.
        prepared: the pictures it saw.
        K: (N, 3, 3) known intrinsics, pixels of the prepared pictures, or None.
        options: what was asked for.
        is_metric: the network knows metres; with `K` the depth is turned to them.

    Returns:
        The prediction, without confidence and extrinsics.

    Raises:
        EngineError: INTERNAL; numbers left the range of the precision.
    """
    depth, sky = output.depth[0].cpu().numpy(), output.sky[0].cpu().numpy()
    _check_finite(depth, sky)
    depth = fill_sky(depth, sky, is_joint=options.matches_release)
    is_in_metres = is_metric and K is not None
    if is_in_metres:
        depth = metric_depth(depth, mean_focal(K))
    return Prediction(
        depth=depth,
        confidence=None,
        w2c=None,
        K=K,
        images=prepared.images,
        grid_from_original=prepared.grid_from_original,
        cropped_share=prepared.cropped_share,
        features={layer: x[0].cpu().numpy() for layer, x in output.features.items()},
        sky=mask_sky(sky, matches_release=options.matches_release),
        is_metric=is_in_metres,
        metres_per_unit=1.0 if is_in_metres else None,
    )


def join_metric(
    prediction: Prediction, metric: SingleViewOutput, K: Array | None, *, matches_release: bool
) -> Prediction:
    """Give the any-view branch of the nested network the scale of its metric branch.

    Args:
        prediction: of the any-view branch, in the network's world.
        metric: of the metric branch, batch of one.
        K: (N, 3, 3) known intrinsics, pixels of the prepared pictures, or None.
        matches_release: fit as the release does, with predicted focal lengths in any case.

    Returns:
        The prediction in metres; in its own unit if sky is all there is to see.

    Raises:
        EngineError: INTERNAL; numbers left the range of the precision.
    """
    raw, sky = metric.depth[0].cpu().numpy(), metric.sky[0].cpu().numpy()
    _check_finite(raw, sky)
    K = prediction.K if K is None or matches_release else K
    scale = fit_metric_scale(
        prediction.depth,
        prediction.confidence,
        metric_depth(raw, mean_focal(K)),
        sky >= SKY_LEVEL,
        matches_release=matches_release,
    )
    result = apply_metric_scale(prediction, scale, sky >= SKY_LEVEL)
    return replace(result, sky=mask_sky(sky, matches_release=matches_release))


def _build_gaussians(output: NetworkOutput, w2c: Array, K: Array, scale: float) -> Gaussians:
    maps = (output.raw_gaussians[0], output.opacity[0], output.depth[0])
    return build_gaussians(*maps, w2c, K, scale)


def _check_finite(*arrays: Array) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise EngineError(
            ErrorCode.INTERNAL,
            "The network returned numbers that are not finite.",
            "Choose float32 as precision, or download the model again.",
        )
