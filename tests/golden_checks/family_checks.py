# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of networks with a sky head, of the nested network, and of Gaussians.

Runs in the engine's environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from da3_blender.inference.collection import collect_any_view, join_metric
from da3_blender.inference.prediction import Prediction, PredictOptions
from da3_blender.inference.preprocess import PreparedViews
from da3_blender.inference.sky import fill_sky
from da3_blender.network.any_view import ForwardOptions, NetworkOutput

from .fixture import RELATIVE_LIMIT, Comparison, Fixture

if TYPE_CHECKING:
    from da3_blender.inference.gaussians import Gaussians
    from da3_blender.network.nested import NestedNetwork
    from da3_blender.network.single_view import SingleViewNetwork, SingleViewOutput

Array = np.ndarray

GAUSSIAN_LIMIT = 5e-5
ROTATION_LIMIT = 3e-4
_SKY_LEVEL = 0.3
_SKY_MARGIN = 1e-4
"""So close to the level rounding decides what is sky."""


def compare_gaussians(result: Comparison, ours: Gaussians, theirs: dict[str, Array]) -> None:
    """Compare Gaussians with arrays named means, scales, rotations, harmonics, opacities."""
    for name, wanted in theirs.items():
        value = getattr(ours, name)
        if name == "rotations":
            sign = np.where((value * wanted).sum(-1, keepdims=True) < 0, -1, 1)
            result.close(name, sign * value, wanted, ROTATION_LIMIT, is_absolute=True)
        else:
            result.close(name, value, wanted, GAUSSIAN_LIMIT)


def collect_scene(
    output: NetworkOutput, w2c: Tensor | None, *, wants_gaussians: bool
) -> Prediction:
    """Make a prediction of one network call as the release would."""
    size = tuple(output.depth.shape[1:4])
    eye = np.tile(np.eye(3), (size[0], 1, 1))
    blank = np.zeros((*size, 3), np.uint8)
    prepared = PreparedViews(
        np.zeros((size[0], 3, 1, 1), np.float32), blank, eye, np.zeros(size[0])
    )
    options = PredictOptions(matches_release=True, wants_gaussians=wants_gaussians)
    normalised = None if w2c is None else w2c[0].numpy()
    return collect_any_view(output, prepared, normalised, options)


def check_raw_gaussians(result: Comparison, output: NetworkOutput, fixture: Fixture) -> None:
    """Compare the channels of the Gaussian head."""
    for name, value in (("raw_gs", output.raw_gaussians), ("raw_gs_conf", output.opacity)):
        result.close(name, value, fixture.need(f"mid_{name}"), RELATIVE_LIMIT)


def check_scene_gaussians(result: Comparison, prediction: Prediction, fixture: Fixture) -> None:
    """Compare the Gaussians of a whole network call."""
    prefix = "out_gs_"
    theirs = {n.removeprefix(prefix): a[0] for n, a in fixture.arrays.items() if prefix in n}
    compare_gaussians(result, prediction.gaussians, theirs)


def compare_depth(result: Comparison, ours: Array, fixture: Fixture, sky: Array) -> None:
    """Compare depth except where rounding decides whether it is sky."""
    theirs = fixture.need("out_depth")
    sure = np.abs(sky - _SKY_LEVEL) >= _SKY_MARGIN
    result.close("out_depth", np.where(sure, ours, theirs), theirs, RELATIVE_LIMIT)
    if not sure.all():
        result.remarks.append(f"{np.count_nonzero(~sure)} pixels at the sky level left out")


def check_single_view(network: SingleViewNetwork, fixture: Fixture, images: Tensor) -> Comparison:
    """Compare one call of a metric or mono network."""
    result = Comparison()
    output, ours = _run_single_view(network, images)
    sky = output.sky.numpy()
    compare_depth(
        result, fill_sky(output.depth[0].numpy(), sky[0], is_joint=True)[None], fixture, sky
    )
    ours["out_sky"] = sky
    for name, theirs in fixture.arrays.items():
        if name in ours:
            result.close(name, ours[name], theirs, RELATIVE_LIMIT)
        elif name != "out_depth" and not name.startswith("in_"):
            result.remarks.append(f"not compared: {name}")
    return result


def _run_single_view(
    network: SingleViewNetwork, images: Tensor
) -> tuple[SingleViewOutput, dict[str, Array]]:
    """Run the network and name the values inside it as the fixtures do."""
    logits: dict[str, list[Tensor]] = {"mid_main_logits": [], "mid_sky_logits": []}
    scratch = network.head.scratch
    stacks = zip(logits.values(), (scratch.output_conv2, scratch.sky_output_conv2), strict=True)
    hooks = [
        stack.register_forward_hook(lambda _m, _i, value, store=store: store.append(value.clone()))
        for store, stack in stacks
    ]
    levels = []
    backbone = network.backbone["pretrained"]
    try:
        with torch.inference_mode():
            output = network(images)
            backbone(images, levels.append)
            inner = {name: torch.cat(values) for name, values in logits.items()}
            for level in (level.put_in_order() for level in levels):
                features = backbone.compose_features(level.local, level.main)
                inner[f"mid_feat{level.stage}"] = features
                inner[f"mid_camtoken{level.stage}"] = level.main[:, :, 0]
    finally:
        for hook in hooks:
            hook.remove()
    return output, {name: value.numpy() for name, value in inner.items()}


def check_nested(
    network: NestedNetwork, fixture: Fixture, images: Tensor, w2c: Tensor | None, K: Tensor | None
) -> Comparison:
    """Compare one call of the nested network with everything that follows it."""
    result = Comparison()
    call = dict(fixture.meta.get("call", {}))
    wants_gaussians = bool(call.get("infer_gs"))
    options = ForwardOptions(
        reference_view=call.get("ref_view_strategy", "saddle_balanced"),
        wants_rays=True,
        wants_gaussians=wants_gaussians,
    )
    with torch.inference_mode():
        output = network(images, w2c, K, options)
        plain = collect_scene(output.any_view, w2c, wants_gaussians=wants_gaussians)
    final = join_metric(plain, output.metric, None, matches_release=True)
    sky = output.metric.sky.numpy()
    compare_depth(result, final.depth[None], fixture, sky)
    ours = {
        "out_depth_conf": final.confidence[None],
        "out_extrinsics": final.w2c[None, :, :3],
        "out_intrinsics": final.K[None],
        "out_scale_factor": final.scale_factor,
        "out_pose_enc": output.any_view.pose_encoding,
        "out_ray": output.any_view.rays,
        "out_ray_conf": output.any_view.ray_confidence,
        "mid_metric_depth_raw": output.metric.depth,
        "mid_metric_sky": sky,
    }
    for name, value in ours.items():
        if name in fixture.arrays:
            result.close(name, value, fixture.arrays[name], RELATIVE_LIMIT)
    if wants_gaussians:
        check_raw_gaussians(result, output.any_view, fixture)
        check_scene_gaussians(result, plain, fixture)
    return result
