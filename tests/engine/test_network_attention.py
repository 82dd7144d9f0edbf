# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention and linear layers: every way gives the same numbers, none holds all scores.

Runs in the engine's environment.
"""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch import nn
from torch.nn import functional

from da3_blender.network import attention, products
from da3_blender.network.attention import attend, attend_in_pieces
from da3_blender.network.block import Block, BlockShape

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Float32 sums in another order; a wrong rule shows from 1e-2 on."""
HALF = {"rtol": 2e-2, "atol": 2e-2}
"""bfloat16 has three digits; the two ways round at different places."""

needs_fast_products = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.is_available(),
    reason="this processor has no AVX-512, so there is one way only",
)


def make_heads(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(*shape, generator=generator).to(dtype) for _ in range(3)]


def take_plain_way(monkeypatch):
    for module in (products, attention):
        monkeypatch.setattr(module, "can_multiply_fast", lambda _x: False)


@pytest.mark.parametrize("scores", [1, 2 * 3 * 50 * 7, 10**9])
def test_pieces_of_queries_give_the_whole(scores):
    q, k, v = make_heads(2, 3, 50, 64)
    expected = functional.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(attend_in_pieces(q, k, v, scores), expected, **CLOSE)


def test_a_device_without_fused_kernel_never_holds_all_scores(monkeypatch):
    sizes = []
    plain = functional.scaled_dot_product_attention

    def record(q, k, v):
        sizes.append(q.shape[1] * q.shape[2] * k.shape[2])
        return plain(q, k, v)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", record)
    tokens = 120 * 721  # the giant network's 120 views, upstream's issue 204
    x = attend(*(torch.empty(1, 24, tokens, 64, device="meta") for _ in range(3)))
    assert x.shape == (1, 24, tokens, 64)
    assert max(sizes) <= attention._SCORES_PER_PIECE
    assert sum(sizes) == 24 * tokens**2


@needs_fast_products
@pytest.mark.parametrize(
    ("dtype", "limits"), [(torch.float32, CLOSE), (torch.bfloat16, HALF)], ids=str
)
def test_fast_products_give_the_plain_attention(monkeypatch, dtype, limits):
    q, k, v = make_heads(2, 3, 301, 64, dtype=dtype)
    monkeypatch.setattr(attention, "_SCORES_PER_THREAD", 20_000)  # several pieces, one not full
    expected = functional.scaled_dot_product_attention(q, k, v)
    with torch.no_grad():
        result = attend(q, k, v)
    assert result.dtype == dtype
    torch.testing.assert_close(result, expected, **limits)


@needs_fast_products
@pytest.mark.parametrize("has_gated_ffn", [False, True])
def test_a_block_is_the_same_with_and_without_fast_products(monkeypatch, has_gated_ffn):
    torch.manual_seed(1)
    shape = BlockShape(128, 2, 192, 1e-6, has_gated_ffn=has_gated_ffn, has_query_key_norm=True)
    block, x = Block(shape).eval(), torch.randn(2, 60, 128)
    with torch.no_grad():
        fast = block(x)
        take_plain_way(monkeypatch)
        plain = block(x)
    torch.testing.assert_close(fast, plain, **CLOSE)
    assert not torch.equal(fast, x)


def test_gradients_reach_the_weights():
    torch.manual_seed(2)
    layer, x = nn.Linear(64, 32), torch.randn(5, 64, requires_grad=True)
    products.apply_linear_gelu(x, layer).sum().backward()
    expected = torch.autograd.grad(functional.gelu(layer(x)).sum(), (x, layer.weight))
    torch.testing.assert_close(x.grad, expected[0])
    torch.testing.assert_close(layer.weight.grad, expected[1])


def test_a_one_by_one_convolution_is_the_same_in_every_layout(monkeypatch):
    torch.manual_seed(3)
    layer, x = nn.Conv2d(48, 96, 1), torch.randn(2, 48, 9, 14)
    with torch.no_grad():
        results = [
            products.apply_conv1(x.contiguous(memory_format=layout), layer)
            for layout in (torch.contiguous_format, torch.channels_last)
        ]
        take_plain_way(monkeypatch)
        plain = products.apply_conv1(x, layer)
    for result in results:
        torch.testing.assert_close(result, plain, **CLOSE)
