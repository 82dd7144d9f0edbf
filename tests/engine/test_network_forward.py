# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The any-view network with tiny sizes: shapes, symmetries, and what is computed on demand.

Runs in the engine's environment.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.network import block as block_module
from da3_blender.network.any_view import AnyViewNetwork, ForwardOptions
from da3_blender.network.position import add_uv_embedding, resample_position_embedding
from da3_blender.network.presets import AnyViewPreset, BackbonePreset, HeadPreset
from da3_blender.network.reference_view import (
    STRATEGIES,
    order_from_reference,
    reorder_views,
    select_reference_view,
)
from da3_blender.network.rotary import build_global_rotation, build_rotation, rotate
from da3_blender.network.work import count_network

TINY = AnyViewPreset(
    name="tiny",
    backbone=BackbonePreset(
        width=128,
        depth=10,
        ffn_hidden=192,
        has_gated_ffn=False,
        out_layers=(3, 5, 7, 9),
        multi_view_start=2,
        position_grid=5,
    ),
    head=HeadPreset(out_channels=(8, 12, 16, 20), features=16),
)
CLOSE = {"rtol": 1e-4, "atol": 2e-5}
"""Float32 sums in another order; a wrong rule shows from 1e-2 on."""


@pytest.fixture(scope="module")
def network():
    return make_network(TINY)


def make_network(preset):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        result = AnyViewNetwork(preset).requires_grad_(requires_grad=False).eval()
        for name, parameter in result.named_parameters():
            if name.endswith(("token", "pos_embed", "bias")):
                parameter.normal_(std=0.3)
            if name.endswith("fc_fov.0.bias"):
                parameter.fill_(1.0)
    return result


def make_images(views, height=42, width=56, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, views, 3, height, width, generator=generator)


def run(network, images, **options):
    with torch.inference_mode():
        return network(images, options=ForwardOptions(**options))


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("size", [(14, 14), (42, 56), (70, 70)])
def test_shapes(network, views, size):
    output = run(network, make_images(views, *size), wants_rays=True, export_layers=(1, 9))
    height, width = size
    assert output.depth.shape == output.confidence.shape == (1, views, height, width)
    assert output.rays.shape == (1, views, height * 8 // 14, width * 8 // 14, 6)
    assert output.ray_confidence.shape == output.rays.shape[:-1]
    assert output.pose_encoding.shape == (1, views, 9)
    assert output.features[9].shape == (1, views, height // 14, width // 14, 128)
    assert set(output.features) == {1, 9}
    assert (output.depth > 0).all()
    assert (output.confidence > 1).all()
    assert (output.reference is None) == (views < 3)


def test_gated_feed_forward_part():
    preset = replace(TINY, backbone=replace(TINY.backbone, has_gated_ffn=True))
    output = run(make_network(preset), make_images(2))
    assert torch.isfinite(output.depth).all()


def test_scenes_of_a_batch_do_not_mix(network):
    first, second = make_images(3, seed=1), make_images(3, seed=2)
    both = run(network, torch.cat((first, second)))
    for scene, images in enumerate((first, second)):
        alone = run(network, images)
        assert int(alone.reference[0]) == int(both.reference[scene])
        torch.testing.assert_close(both.depth[scene], alone.depth[0], **CLOSE)


def test_views_other_than_the_reference_may_change_places(network):
    images, order = make_images(4), [0, 3, 1, 2]
    plain = run(network, images, reference_view="first", export_layers=(5,))
    moved = run(network, images[:, order], reference_view="first", export_layers=(5,))
    torch.testing.assert_close(moved.depth, plain.depth[:, order], **CLOSE)
    torch.testing.assert_close(moved.pose_encoding, plain.pose_encoding[:, order], **CLOSE)
    torch.testing.assert_close(moved.features[5], plain.features[5][:, order], **CLOSE)


def test_features_and_maps_keep_the_callers_order(network):
    images, order = make_images(3), [1, 0, 2]
    middle = run(network, images, reference_view="middle", export_layers=(0, 1, 4))
    first = run(network, images[:, order], reference_view="first", export_layers=(0, 1, 4))
    assert middle.reference.tolist() == [1]
    torch.testing.assert_close(middle.depth[:, order], first.depth, **CLOSE)
    for layer in (0, 1, 4):
        torch.testing.assert_close(middle.features[layer][:, order], first.features[layer], **CLOSE)


def test_the_reference_matters(network):
    images = make_images(3)
    first = run(network, images, reference_view="first")
    middle = run(network, images, reference_view="middle")
    assert (first.depth - middle.depth).abs().max() > 1e-3


def test_two_views_are_not_reordered(network):
    images = make_images(2)
    results = [run(network, images, reference_view=strategy).depth for strategy in STRATEGIES]
    assert all(torch.equal(result, results[0]) for result in results)


def test_rays_cost_nothing_unless_wanted(network):
    images, seen = make_images(2), []
    stack = network.head.scratch.output_conv1_aux["3"]
    hook = stack.register_forward_hook(lambda *_args: seen.append(1))
    try:
        plain = run(network, images)
        assert plain.rays is None
        assert not seen
        full = run(network, images, wants_rays=True)
        assert seen
    finally:
        hook.remove()
    assert torch.equal(plain.depth, full.depth)


def test_pieces_change_no_result(network, monkeypatch):
    images = make_images(4)
    whole = run(network, images, views_per_chunk=4, wants_rays=True)
    for block in network.backbone["pretrained"].blocks:
        monkeypatch.setattr(block, "_tokens_per_piece", 10)
    monkeypatch.setattr(block_module, "_HEAD_TOKENS_PER_PIECE", 13)  # one head at a time
    pieces = run(network, images, views_per_chunk=3, wants_rays=True)
    torch.testing.assert_close(pieces.depth, whole.depth, **CLOSE)
    torch.testing.assert_close(pieces.rays, whole.rays, **CLOSE)


@pytest.mark.parametrize("wants_rays", [False, True])
def test_steps_add_up_to_the_announced_work(network, wants_rays):
    steps = []
    with torch.inference_mode():
        options = ForwardOptions(wants_rays=wants_rays, views_per_chunk=2)
        network(make_images(3), options=options, on_step=steps.append)
    assert len(steps) == TINY.backbone.depth + 2
    total = count_network(TINY, 3, (42, 56), with_rays=wants_rays)
    assert sum(steps) == pytest.approx(total)


def test_known_cameras_replace_the_reference(network):
    images = make_images(3)
    w2c = torch.eye(4).repeat(1, 3, 1, 1)
    w2c[0, 1, 0, 3], w2c[0, 2, 2, 3] = 1.0, -0.5
    K = torch.tensor([[50.0, 0, 28], [0, 50, 21], [0, 0, 1]]).repeat(1, 3, 1, 1)
    with torch.inference_mode():
        output = network(images, w2c, K)
        moved = network(images[:, [2, 0, 1]], w2c[:, [2, 0, 1]], K)
        other = network(images, w2c, 2 * K)
    assert output.reference is None
    # cameras travel with their views, whatever the order
    torch.testing.assert_close(moved.depth[0, 1], output.depth[0, 0], **CLOSE)
    torch.testing.assert_close(moved.pose_encoding[0, 1], output.pose_encoding[0, 0], **CLOSE)
    assert (other.pose_encoding - output.pose_encoding).abs().max() > 1e-3


def test_wrong_input_is_refused(network):
    with pytest.raises(ValueError, match="multiples of 14"):
        run(network, make_images(1, 42, 50))
    with pytest.raises(ValueError, match="both w2c and K"):
        network(make_images(2), w2c=torch.eye(4).repeat(1, 2, 1, 1))
    with pytest.raises(EngineError) as error:
        run(network, make_images(3), reference_view="best")
    assert error.value.code is ErrorCode.SETTINGS_INVALID
    assert "best" in error.value.message


def test_half_precision_backbone_stays_near(network):
    from da3_blender.inference.precision import cast_backbone

    images = make_images(2)
    exact = run(network, images)
    other = make_network(TINY)
    cast_backbone(other, torch.bfloat16)
    assert other.backbone["pretrained"].blocks[0].attn.qkv.weight.dtype == torch.bfloat16
    assert other.head.projects[0].weight.dtype == torch.float32
    rough = run(other, images)
    assert rough.depth.dtype == torch.float32
    # bfloat16 carries 8 bits; errors of ten blocks add up to a few of them
    assert (rough.depth / exact.depth - 1).abs().max() < 0.05
    assert not torch.equal(rough.depth, exact.depth)


def test_global_rotation_is_the_relative_one():
    views, patches, channels = 3, 4, 64
    generator = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, 1, 2, views * (1 + patches), channels, generator=generator)
    one_view = torch.cat((torch.zeros(1, 2), torch.ones(patches, 2)))
    literal = build_rotation(one_view.repeat(views, 1), channels)
    wanted = rotate(q, literal) @ rotate(k, literal).transpose(-1, -2)
    short = build_global_rotation(1 + patches, channels, q.device)
    ours = rotate(q.clone(), short) @ rotate(k.clone(), short).transpose(-1, -2)
    torch.testing.assert_close(ours, wanted, **CLOSE)


def test_position_grid_of_the_stored_size_is_left_alone():
    stored = torch.randn(1, 1 + 25, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resample_position_embedding(stored, 5, 5), stored)
    resized = resample_position_embedding(stored, 3, 7)
    assert resized.shape == (1, 22, 8)
    assert torch.equal(resized[:, 0], stored[:, 0])


def test_uv_embedding_is_symmetric_and_scaled():
    x = add_uv_embedding(torch.zeros(1, 16, 6, 9), aspect=1.5)[0]
    sines, cosines = x[:4], x[4:8]
    torch.testing.assert_close(sines, -sines.flip(-1))
    torch.testing.assert_close(cosines, cosines.flip(-1))
    assert x.abs().max() <= 0.1


def test_reference_rules():
    tokens = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(4))
    assert select_reference_view(tokens, "first").tolist() == [0, 0]
    assert select_reference_view(tokens, "middle").tolist() == [2, 2]
    order = torch.tensor([4, 2, 0, 1, 3])
    # balanced: the choice follows the view when the views change places
    chosen = select_reference_view(tokens, "saddle_balanced")
    moved = select_reference_view(tokens[:, order], "saddle_balanced")
    assert order[moved].tolist() == chosen.tolist()


def test_order_from_reference_is_undone_by_its_inverse():
    order = order_from_reference(torch.tensor([2, 0]), 4)
    assert order.tolist() == [[2, 0, 1, 3], [0, 1, 2, 3]]
    x = torch.arange(8).reshape(2, 4)
    assert torch.equal(reorder_views(reorder_views(x, order), order.argsort(dim=1)), x)
