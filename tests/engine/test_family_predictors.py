# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metric, mono and nested networks with tiny sizes, from checkpoint to prediction.

Runs in the engine's environment.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch
from safetensors.torch import save_file

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.inference.gaussians import move_gaussians
from da3_blender.inference.loading import load_predictor
from da3_blender.inference.metric_scale import apply_metric_scale, measure_metric_scale
from da3_blender.inference.predictor import PredictOptions
from da3_blender.inference.weights import build_empty_network, official_key
from da3_blender.network.any_view import AnyViewNetwork, ForwardOptions
from da3_blender.network.presets import (
    PRESETS,
    AnyViewPreset,
    BackbonePreset,
    HeadPreset,
    NestedPreset,
    SingleViewPreset,
)
from da3_blender.network.single_view import SingleViewNetwork
from da3_blender.network.work import count_network

BACKBONE = BackbonePreset(
    width=64,
    depth=10,
    ffn_hidden=96,
    has_gated_ffn=False,
    out_layers=(3, 5, 7, 9),
    multi_view_start=2,
    position_grid=4,
)
HEAD = HeadPreset(out_channels=(8, 8, 8, 8), features=8)
GIANT = AnyViewPreset("tiny-giant", BACKBONE, HEAD, has_gaussian_head=True)
PLAIN = replace(GIANT, name="tiny-plain", has_gaussian_head=False)
METRIC = SingleViewPreset(
    "tiny-metric",
    replace(BACKBONE, multi_view_start=None, out_layers=(1, 3, 5, 9)),
    HEAD,
    is_metric=True,
)
MONO = replace(METRIC, name="tiny-mono", is_metric=False)
NESTED = NestedPreset("tiny-nested", GIANT, METRIC)
KINDS = (GIANT, PLAIN, METRIC, MONO, NESTED)
K_PICTURE = np.array([[80.0, 0, 50], [0, 80, 40], [0, 0, 1]])


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    """Write a checkpoint of each kind and load it as a user's would be."""
    result, generator = {}, torch.Generator().manual_seed(5)
    for preset in KINDS:
        state = {}
        for name, parameter in build_empty_network(preset).state_dict().items():
            value = 0.15 * torch.randn(parameter.shape, generator=generator)
            if name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "gamma")):
                value += 1
            if name.endswith("fc_fov.0.bias"):
                value = torch.ones_like(value)
            if name.endswith("sky_output_conv2.2.bias"):
                value = torch.full_like(value, 0.28)
            state[official_key(name)] = value
        folder = tmp_path_factory.mktemp(preset.name)
        save_file(state, folder / "model.safetensors")
        (folder / "config.json").write_text(f'{{"model_name": "{preset.name}"}}')
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(PRESETS, preset.name, preset)
            result[preset.name] = load_predictor(folder, "cpu")
    return result


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (80, 100, 3), dtype=np.uint8) for _ in range(3)]


def options(**changes):
    return PredictOptions(**{"process_resolution": 56, **changes})


def make_cameras(views):
    generator = np.random.default_rng(3)
    c2w = np.tile(np.eye(4), (views, 1, 1))
    for pose in c2w:
        q, r = np.linalg.qr(generator.normal(size=(3, 3)))
        q = q * np.sign(np.diag(r))
        pose[:3, :3] = q * np.sign(np.linalg.det(q))
        pose[:3, 3] = generator.normal(size=3)
    return invert_rigid(c2w), np.tile(K_PICTURE, (views, 1, 1))


@pytest.mark.parametrize("name", ["tiny-metric", "tiny-mono"])
def test_single_views_have_depth_and_sky_only(predictors, images, name):
    result = predictors[name].predict(images, options(export_layers=(2,)))
    assert result.depth.shape == result.sky.shape == (3, 42, 56)
    assert result.sky.dtype == bool
    assert 0.02 < result.sky.mean() < 0.98
    assert (result.depth > 0).all()
    assert result.confidence is result.w2c is result.K is result.gaussians is None
    assert not result.is_metric
    assert result.features[2].shape == (3, 3, 4, 64)


def test_single_views_do_not_change_each_other(predictors, images):
    together = predictors["tiny-mono"].predict(images, options())
    alone = predictors["tiny-mono"].predict(images[1:2], options())
    assert np.allclose(together.depth[1], alone.depth[0], rtol=1e-5)
    joint = predictors["tiny-mono"].predict(images, options(matches_release=True))
    assert not np.allclose(joint.depth[1], alone.depth[0], rtol=1e-3)


def test_a_focal_length_gives_metres(predictors, images):
    K = np.tile(K_PICTURE, (3, 1, 1))
    K[2, 0, 0] = K[2, 1, 1] = 160
    raw = predictors["tiny-metric"].predict(images, options())
    metres = predictors["tiny-metric"].predict(images, options(K_original=K))
    # 100 pixels of width became 56
    focal = np.array([80.0, 80, 160]) * (56 / 100 + 42 / 80) / 2
    assert np.allclose(metres.depth, raw.depth * (focal / 300)[:, None, None], rtol=1e-5)
    assert metres.is_metric
    assert metres.metres_per_unit == 1.0
    assert np.allclose(metres.K, metres.grid_from_original @ K)
    mono = predictors["tiny-mono"].predict(images, options(K_original=K))
    assert not mono.is_metric


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("tiny-metric", {"use_ray_pose": True}),
        ("tiny-metric", {"wants_rays": True}),
        ("tiny-mono", {"wants_gaussians": True}),
        ("tiny-mono", dict(zip(("w2c", "K_original"), make_cameras(3), strict=True))),
        ("tiny-mono", {"export_layers": (10,)}),
        ("tiny-plain", {"wants_gaussians": True}),
        ("tiny-nested", {"K_original": np.eye(3)[None]}),
        ("tiny-nested", {"export_layers": (10,)}),
    ],
)
def test_what_a_model_cannot_do_is_refused(predictors, images, name, changes):
    with pytest.raises(EngineError) as error:
        predictors[name].predict(images, options(**changes))
    assert error.value.code is ErrorCode.SETTINGS_INVALID
    assert name in error.value.message or "intrinsics" in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("K", [np.zeros((3, 3, 3)), np.eye(3)[None]], ids=["zero", "too few"])
def test_bad_intrinsics_are_refused(predictors, images, K):
    with pytest.raises(EngineError) as error:
        predictors["tiny-metric"].predict(images, options(K_original=K))
    assert error.value.code is ErrorCode.INPUT_MISMATCH


def test_the_nested_network_is_its_branches_in_metres(predictors, images):
    nested = predictors["tiny-nested"]
    result = nested.predict(images, options(wants_rays=True))
    assert result.is_metric
    assert result.scale_factor > 0
    ground = ~result.sky
    assert (result.confidence[result.sky] == 1).all()
    assert np.unique(result.depth[result.sky]).size == 1
    assert result.depth[ground].min() > 0
    release = nested.predict(images, options(matches_release=True))
    shared = ground & ~release.sky
    ratio = result.depth[shared] / release.depth[shared]
    assert np.allclose(ratio, result.scale_factor / release.scale_factor, rtol=1e-4)
    assert release.sky.sum() < result.sky.sum()


def test_the_second_pass_gives_the_same_as_nesting(predictors, images, monkeypatch):
    nested = predictors["tiny-nested"]
    inside = nested.network
    whole = nested.predict(images, options())
    any_view, metric = predictors["tiny-giant"], predictors["tiny-metric"]
    monkeypatch.setattr(any_view, "network", inside.da3)
    monkeypatch.setattr(metric, "network", inside.da3_metric)
    first = any_view.predict(images, options())
    assert not first.is_metric
    assert first.metres_per_unit is None
    shares = []
    scale, is_sky = measure_metric_scale(first, metric, shares.append)
    assert shares[-1] == 1.0
    second = apply_metric_scale(first, scale, is_sky)
    assert scale.scale == pytest.approx(whole.scale_factor, rel=1e-5)
    assert np.allclose(second.depth, whole.depth, rtol=1e-5)
    assert np.allclose(second.w2c, whole.w2c, atol=1e-5)
    assert np.array_equal(second.sky, whole.sky)


def test_the_second_pass_needs_the_metric_model(predictors, images):
    first = predictors["tiny-giant"].predict(images, options())
    for name in ("tiny-mono", "tiny-nested"):
        with pytest.raises(EngineError, match=name):
            measure_metric_scale(first, predictors[name])
    mono = predictors["tiny-mono"].predict(images, options())
    with pytest.raises(EngineError, match="any-view"):
        measure_metric_scale(mono, predictors["tiny-metric"])
    with pytest.raises(CancelledError):
        measure_metric_scale(first, predictors["tiny-metric"], is_cancelled=lambda: True)


def test_given_cameras_of_the_nested_network_learn_their_metres(predictors, images):
    w2c, K = make_cameras(3)
    result = predictors["tiny-nested"].predict(images, options(w2c=w2c, K_original=K))
    assert np.array_equal(result.w2c, w2c)
    assert not result.is_metric
    moved = predictors["tiny-nested"].predict(
        images, options(w2c=w2c, K_original=K, align_to_input_scale=False)
    )
    assert moved.is_metric
    metres = result.depth * result.metres_per_unit
    assert np.allclose(metres, moved.depth, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny-giant", "tiny-nested"])
def test_gaussians_meet_the_depth_in_the_world_of_the_result(predictors, images, name):
    predictor = predictors[name]
    head = predictor.network.da3.gs_head if name == "tiny-nested" else predictor.network.gs_head
    last = head.scratch.output_conv2[2]
    kept = last.weight.clone(), last.bias.clone()
    try:
        for channel in (0, 1, 36):  # no offsets: each Gaussian stays on its pixel
            last.weight[channel] = 0
            last.bias[channel] = 0
        result = predictor.predict(images, options(wants_gaussians=True))
    finally:
        last.weight.copy_(kept[0])
        last.bias.copy_(kept[1])
    means = move_gaussians(result.gaussians, result.world_from_gaussians).means
    centres = invert_rigid(result.w2c)[:, None, :3, 3]
    distance = np.linalg.norm(means.reshape(3, -1, 3) - centres, axis=-1).reshape(3, 42, 56)
    ground = np.ones_like(distance, bool) if result.sky is None else ~result.sky
    assert np.allclose(distance[ground], result.depth[ground], rtol=1e-4)
    assert (result.world_from_gaussians.scale == 1.0) == (name == "tiny-giant")


def test_moved_gaussians_do_not_depend_on_the_detour(predictors, images):
    # the release bends their scale towards known cameras; the way to the world undoes it
    w2c, K = make_cameras(3)
    ways = [
        predictors["tiny-giant"].predict(
            images, options(wants_gaussians=True, matches_release=flag, w2c=w2c, K_original=K)
        )
        for flag in (False, True)
    ]
    assert not np.allclose(ways[0].gaussians.means, ways[1].gaussians.means, rtol=1e-3)
    first, second = (move_gaussians(w.gaussians, w.world_from_gaussians) for w in ways)
    assert np.allclose(first.means, second.means, rtol=1e-3, atol=1e-3)
    assert np.allclose(first.scales, second.scales, rtol=1e-3, atol=1e-5)


def test_gaussians_change_nothing_else(predictors, images):
    plain = predictors["tiny-giant"].predict(images, options())
    rich = predictors["tiny-giant"].predict(images, options(wants_gaussians=True))
    assert plain.gaussians is None
    assert np.array_equal(plain.depth, rich.depth)
    assert np.array_equal(plain.w2c, rich.w2c)


@pytest.mark.parametrize(
    ("preset", "wants_gaussians"),
    [*((preset, False) for preset in KINDS), (GIANT, True), (NESTED, True)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_reported_work_adds_up(predictors, preset, wants_gaussians):
    work, images = [], torch.zeros(1, 3, 3, 42, 56)
    network = predictors[preset.name].network
    with torch.inference_mode():
        if isinstance(network, SingleViewNetwork):
            network(images, on_step=work.append)
        else:
            forward = ForwardOptions(wants_gaussians=wants_gaussians)
            network(images, options=forward, on_step=work.append)
    total = count_network(preset, 3, (42, 56), with_rays=False, with_gaussians=wants_gaussians)
    assert sum(work) == pytest.approx(total)


def test_chunks_of_views_change_nothing(predictors):
    images = torch.randn(1, 5, 3, 28, 42, generator=torch.Generator().manual_seed(0))
    network = predictors["tiny-metric"].network
    with torch.inference_mode():
        first, second = (network(images, views_per_chunk=chunk) for chunk in (1, 4))
    torch.testing.assert_close(first.depth, second.depth, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.sky, second.sky, rtol=1e-4, atol=1e-5)


def test_sides_must_be_whole_patches(predictors):
    with pytest.raises(ValueError, match="multiples of 14"):
        predictors["tiny-mono"].network(torch.zeros(1, 1, 3, 28, 30))
    with (
        pytest.raises(ValueError, match="no Gaussian head"),
        torch.device("meta"),
    ):
        AnyViewNetwork(PLAIN)(
            torch.zeros(1, 1, 3, 28, 28), options=ForwardOptions(wants_gaussians=True)
        )


def test_weights_of_the_nested_network_exist_once(predictors):
    network = predictors["tiny-nested"].network
    stored = [p.data_ptr() for p in network.parameters()]
    assert len(stored) == len(set(stored))
    assert sum(p.numel() for p in network.parameters()) == sum(
        sum(p.numel() for p in predictors[name].network.parameters())
        for name in ("tiny-giant", "tiny-metric")
    )
