# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of whole networks: one call, reference strategies, pose from rays, public wrapper.

Runs in the engine's environment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from da3_blender.contract.cameras import invert_rigid
from da3_blender.inference.given_cameras import normalise_cameras
from da3_blender.inference.predictor import PredictOptions, Predictor
from da3_blender.inference.ray_pose import estimate_cameras_from_rays
from da3_blender.network.any_view import AnyViewNetwork, ForwardOptions, NetworkOutput
from da3_blender.network.nested import NestedNetwork
from da3_blender.network.pose_encoding import encoding_to_cameras
from da3_blender.network.reference_view import order_from_reference
from da3_blender.network.single_view import SingleViewNetwork

from .family_checks import (
    check_nested,
    check_raw_gaussians,
    check_scene_gaussians,
    check_single_view,
    collect_scene,
)
from .fixture import (
    PROBE_LIMIT,
    RELATIVE_LIMIT,
    Comparison,
    Fixture,
    NetworkCache,
    load_weights_module,
)

Array = np.ndarray

_GAUSSIANS = re.compile(r"(out_gs_|mid_raw_gs)")
_RAY_POSE_LIMITS = {"out_extrinsics": 1e-3, "out_intrinsics": 1e-2}
_KNOWN_CALL = {"export_feat_layers", "infer_gs", "ref_view_strategy", "use_ray_pose"}


class Inner(NamedTuple):
    """What hooks saw inside the network, chunks joined."""

    depth_logits: list[Tensor]
    ray_logits: list[Tensor]
    camera_tokens: list[Tensor]
    class_tokens: list[Tensor]


def check_network(fixture: Fixture, cache: NetworkCache) -> Comparison:
    """Compare one call of a network of any kind, results and inner values."""
    network = cache.get(fixture)
    fixture.need("out_depth")
    images, w2c, K = _read_input(fixture)
    if isinstance(network, SingleViewNetwork):
        return check_single_view(network, fixture, images)
    if isinstance(network, NestedNetwork):
        return check_nested(network, fixture, images, w2c, K)
    return _check_any_view(network, fixture, images, w2c, K)


def _check_any_view(
    network: AnyViewNetwork, fixture: Fixture, images: Tensor, w2c: Tensor | None, K: Tensor | None
) -> Comparison:
    result = Comparison()
    call = dict(fixture.meta.get("call", {}))
    unknown = sorted(set(call) - _KNOWN_CALL)
    if unknown:
        result.remarks.append(f"options not known: {', '.join(unknown)}")
    options = ForwardOptions(
        wants_gaussians=bool(call.get("infer_gs")),
        reference_view=call.get("ref_view_strategy", "saddle_balanced"),
        wants_rays=any(name.startswith(("out_ray", "mid_ray")) for name in fixture.arrays),
        export_layers=tuple(call.get("export_feat_layers", ())),
    )
    output, inner = _run(network, images, w2c, K, options)
    if "out_ref_index" in fixture.arrays and not _check_reference(fixture, output, result):
        return result
    ours = collect_results(output, fixture, network)
    ours |= _collect_inner(network, images, inner, options, fixture)
    if call.get("use_ray_pose"):
        ours |= _compute_ray_pose(output, fixture)
    _compare_arrays(result, ours, fixture)
    if options.wants_gaussians:
        check_raw_gaussians(result, output, fixture)
        check_scene_gaussians(result, collect_scene(output, w2c, wants_gaussians=True), fixture)
    return result


def _compare_arrays(result: Comparison, ours: dict[str, Array], fixture: Fixture) -> None:
    """Compare all arrays but the inputs, and the Gaussians, which have limits of their own."""
    limit = PROBE_LIMIT if fixture.meta.get("scale_rules") else RELATIVE_LIMIT
    uses_rays = dict(fixture.meta.get("call", {})).get("use_ray_pose")
    skipped = []
    for name, theirs in fixture.arrays.items():
        if name.startswith("in_") or name in ("out_ref_index", "ransac_draws"):
            continue
        if name in ours:
            has_draws = uses_rays and name in _RAY_POSE_LIMITS
            result.close(name, ours[name], theirs, _RAY_POSE_LIMITS[name] if has_draws else limit)
        elif not _GAUSSIANS.match(name):
            skipped.append(name)
    if skipped:
        result.remarks.append(f"not compared: {', '.join(skipped)}")


def check_strategies(fixture: Fixture, cache: NetworkCache) -> Comparison:
    """Compare the same pictures with each rule for the reference view."""
    result = Comparison()
    network = cache.get(fixture)
    images, _, _ = _read_input(fixture)
    acceptable = fixture.meta.get("acceptable", {})
    for strategy, chosen in dict(fixture.need_meta("chosen")).items():
        output, inner = _run(network, images, None, None, ForwardOptions(reference_view=strategy))
        index = int(output.reference[0])
        if "mid_ref_cls" in fixture.arrays:
            tokens = inner.class_tokens[0].unflatten(0, images.shape[:2])
            result.close("mid_ref_cls", tokens, fixture.arrays["mid_ref_cls"], RELATIVE_LIMIT)
        result.same(f"{strategy} reference", index, acceptable.get(strategy, [chosen]))
        if index != chosen:
            result.remarks.append(f"{strategy} chose a tie, maps not compared")
            continue
        w2c, K = _decode(output, images)
        ours = {"depth": output.depth, "depth_conf": output.confidence, "intrinsics": K}
        ours |= {"extrinsics": w2c[..., :3, :], "pose_enc": output.pose_encoding}
        for name, value in ours.items():
            if f"{strategy}_{name}" in fixture.arrays:
                theirs = fixture.arrays[f"{strategy}_{name}"]
                result.close(f"{strategy}_{name}", value, theirs, RELATIVE_LIMIT)
    return result


def check_ray_pose(fixture: Fixture, cache: NetworkCache) -> Comparison:
    """Compare cameras that come from the network's rays and stored draws."""
    result = Comparison()
    network = cache.get(fixture)
    images, w2c, K = _read_input(fixture)
    call = dict(fixture.meta.get("call", {}))
    strategy = call.get("ref_view_strategy", "saddle_balanced")
    fixture.need("out_extrinsics")
    options = ForwardOptions(reference_view=strategy, wants_rays=True)
    output, _ = _run(network, images, w2c, K, options)
    if "out_ref_index" in fixture.arrays and not _check_reference(fixture, output, result):
        return result
    ours = collect_results(output, fixture, network) | _compute_ray_pose(output, fixture)
    for name, theirs in fixture.arrays.items():
        if name in ours:
            limit = _RAY_POSE_LIMITS.get(name, RELATIVE_LIMIT)
            result.close(name, ours[name], theirs, limit)
    return result


def check_api(fixture: Fixture, cache: NetworkCache) -> Comparison:
    """Compare a whole prediction, from 8-bit pictures to aligned cameras."""
    result = Comparison()
    fixture.need("out_depth")
    weights = load_weights_module(fixture.path.parent.resolve())
    network = cache.get(fixture)
    tags, sizes = fixture.need_meta("images")["tags"], fixture.need_meta("sizes")
    images = [weights.test_image_u8(tag, *size) for tag, size in zip(tags, sizes, strict=True)]
    call = dict(fixture.meta.get("call", {}))
    has_cameras = bool(fixture.meta.get("cams"))
    options = PredictOptions(
        process_resolution=int(fixture.need_meta("process_res")),
        resize_method=str(fixture.need_meta("process_res_method")),
        reference_view=call.get("ref_view_strategy", "saddle_balanced"),
        export_layers=tuple(call.get("export_feat_layers", ())),
        w2c=fixture.need("in_extrinsics").astype(np.float64) if has_cameras else None,
        K_original=fixture.need("in_intrinsics").astype(np.float64) if has_cameras else None,
        align_to_input_scale=bool(fixture.meta.get("align_to_input_ext_scale", True)),
        matches_release=True,
    )
    outputs = []
    hook = network.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    try:
        prediction = Predictor(network, network.preset, "cpu", "float32").predict(images, options)
    finally:
        hook.remove()
    theirs = fixture.arrays
    ours = {"out_depth": prediction.depth, "out_sky": prediction.sky}
    if prediction.w2c is not None:
        rows = theirs["out_extrinsics"].shape[-2] if "out_extrinsics" in theirs else 3
        ours |= {"out_conf": prediction.confidence, "out_extrinsics": prediction.w2c[:, :rows]}
        ours |= {"out_intrinsics": prediction.K, "mid_proc_intrinsics": prediction.K[None]}
    if isinstance(outputs[0], NetworkOutput):
        ours["mid_raw_depth_view0"] = outputs[0].depth[0, 0]
        ours["mid_raw_extrinsics"] = _decode(outputs[0], outputs[0].depth)[0][..., :3, :]
    if has_cameras:
        ours["mid_norm_extrinsics"] = normalise_cameras(options.w2c)[None]
    limits = {
        "out_intrinsics": 1e-6 if has_cameras else RELATIVE_LIMIT,
        "mid_proc_intrinsics": 1e-6,
    }
    for layer, feature in prediction.features.items():
        ours[f"out_feat_layer_{layer}"] = _permute(
            feature[None], layer, prediction.reference_index, network
        )[0]
    for name, array in theirs.items():
        if name in ours:
            result.close(name, ours[name], array, limits.get(name, RELATIVE_LIMIT))
        elif not name.startswith("in_") and name != "out_processed_images":
            result.remarks.append(f"not compared: {name}")
    if "out_processed_images" in theirs:
        levels = np.abs(prediction.images.astype(int) - theirs["out_processed_images"]).max()
        if levels > 1:  # the reference truncates where it should round
            result.troubles.append(f"out_processed_images differ by {levels} grey levels")
    return result


def collect_results(
    output: NetworkOutput, fixture: Fixture, network: AnyViewNetwork
) -> dict[str, Array]:
    """Name our results as the fixtures do, thinned out as they are."""
    step, ray_step = (int(fixture.meta.get(n, 1)) for n in ("subsample", "ray_subsample"))
    w2c, K = _decode(output, output.depth)
    ours = {
        "out_depth": output.depth[..., ::step, ::step],
        "out_depth_conf": output.confidence[..., ::step, ::step],
        "out_pose_enc": output.pose_encoding,
        "out_extrinsics": w2c[..., :3, :],
        "out_intrinsics": K,
    }
    if output.rays is not None:
        ours["out_ray"] = output.rays[..., ::ray_step, ::ray_step, :]
        ours["out_ray_conf"] = output.ray_confidence[..., ::ray_step, ::ray_step]
    for layer, feature in output.features.items():
        reference = None if output.reference is None else output.reference.tolist()
        ours[f"out_feat_layer_{layer}"] = _permute(feature.numpy(), layer, reference, network)
    return {name: np.asarray(value) for name, value in ours.items()}


def _permute(feature: Array, layer: int, reference: object, network: AnyViewNetwork) -> Array:
    """Bring features to upstream's view order: from the reference on after the reordering."""
    if reference is None or layer < network.preset.backbone.multi_view_start - 1:
        return feature
    order = order_from_reference(torch.tensor(reference).reshape(-1), feature.shape[1]).numpy()
    return feature[np.arange(len(feature))[:, None], order]


def _collect_inner(
    network: AnyViewNetwork,
    images: Tensor,
    inner: Inner,
    options: ForwardOptions,
    fixture: Fixture,
) -> dict[str, Array]:
    """Name the values inside the network as the fixtures do."""
    ours = {"mid_main_logits": torch.cat(inner.depth_logits)}
    if inner.ray_logits:
        ours["mid_ray_logits"] = torch.cat(inner.ray_logits)
    tokens = inner.camera_tokens[0] if inner.camera_tokens else None
    if tokens is not None:
        ours["mid_cam_token"] = tokens
    if any(name.startswith(("mid_feat", "mid_camtoken")) for name in fixture.arrays):
        backbone = network.backbone["pretrained"]
        levels = []
        with torch.inference_mode():
            backbone(images, levels.append, tokens, options.reference_view)
            for level in (level.put_in_order() for level in levels):
                pair = (level.local, level.main)
                ours[f"mid_feat{level.stage}"] = backbone.compose_features(*pair)
                ours[f"mid_camtoken{level.stage}"] = torch.cat([x[:, :, 0] for x in pair], dim=-1)
    return {name: value.numpy() for name, value in ours.items()}


def _compute_ray_pose(output: NetworkOutput, fixture: Fixture) -> dict[str, Array]:
    """Return cameras from rays; without stored draws they are not comparable in general."""
    draws = fixture.arrays.get("ransac_draws")
    draws = None if draws is None else torch.from_numpy(draws.astype(np.int64))
    scenes = [
        estimate_cameras_from_rays(rays, confidence, ransac_draws=draws)
        for rays, confidence in zip(output.rays, output.ray_confidence, strict=True)
    ]
    size = tuple(output.depth.shape[-2:])
    w2c = np.stack([invert_rigid(scene.c2w.numpy())[:, :3] for scene in scenes])
    K = np.stack([scene.build_intrinsics(size).numpy() for scene in scenes])
    return {"out_extrinsics": w2c, "out_intrinsics": K}


def _check_reference(fixture: Fixture, output: NetworkOutput, result: Comparison) -> bool:
    """Compare the reference views; False if maps cannot be compared."""
    if output.reference is None:
        result.troubles.append("no reference view was chosen")
        return False
    theirs = fixture.arrays["out_ref_index"].tolist()
    ours = output.reference.tolist()
    ties = fixture.meta.get("acceptable_reference") or [[index] for index in theirs]
    for scene, index in enumerate(ours):
        result.same("reference view", index, [*ties[scene], theirs[scene]])
    if ours != theirs and not result.troubles:
        result.remarks.append("the reference view is a tie, maps not compared")
    return ours == theirs


def _decode(output: NetworkOutput, image: Tensor) -> tuple[Tensor, Tensor]:
    return encoding_to_cameras(output.pose_encoding.double(), tuple(image.shape[-2:]))


def _read_input(fixture: Fixture) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return images (B, N, 3, H, W) and known cameras."""
    if "in_images" in fixture.arrays:
        images = fixture.arrays["in_images"].astype(np.float32)
    else:
        weights = load_weights_module(fixture.path.parent.resolve())
        size = [int(fixture.need_meta(name)) for name in ("views", "height", "width")]
        tags = fixture.need_meta("images")["tags"]
        images = np.stack([weights.test_images(tag, *size) for tag in tags])
    if not fixture.meta.get("cams"):
        return torch.from_numpy(images), None, None
    cameras = (fixture.need(name).astype(np.float32) for name in ("in_extrinsics", "in_intrinsics"))
    return torch.from_numpy(images), *(torch.from_numpy(array) for array in cameras)


def _run(
    network: AnyViewNetwork,
    images: Tensor,
    w2c: Tensor | None,
    K: Tensor | None,
    options: ForwardOptions,
) -> tuple[NetworkOutput, Inner]:
    """Run the network with hooks on the values that fixtures record."""
    inner = Inner([], [], [], [])
    scratch = network.head.scratch
    before_choice = network.preset.backbone.multi_view_start - 2
    watched = (
        (scratch.output_conv2, inner.depth_logits, slice(None)),
        (scratch.output_conv2_aux["3"], inner.ray_logits, slice(None)),
        (network.cam_enc, inner.camera_tokens, slice(None)),
        (network.backbone["pretrained"].blocks[before_choice], inner.class_tokens, np.s_[:, 0]),
    )
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, value, store=store, part=part: store.append(value[part].clone())
        )
        for module, store, part in watched
    ]
    try:
        with torch.inference_mode():
            return network(images, w2c, K, options), inner
    finally:
        for hook in hooks:
            hook.remove()
