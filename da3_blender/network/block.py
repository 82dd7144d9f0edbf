# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer block: attention and a feed-forward part, each with a learned step size.

Runs in the engine. Source: ViT (Dosovitskiy et al. 2020), LayerScale (Touvron et al. 2021),
SwiGLU (Shazeer 2020), query/key norm (Dehghani et al. 2023). Attribute names follow the
keys of the official checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import attend
from .products import apply_linear, apply_linear_gelu
from .rotary import Rotation, rotate

_QUERY_KEY_NORM_EPS = 1e-5
_TOKENS_PER_PIECE = 16384
"""Tokens that share the large intermediates of a block; bounds memory, changes no result."""


@dataclass(frozen=True)
class BlockShape:
    """Sizes of one block; `norm_eps` belongs to norm1 and norm2."""

    width: int
    heads: int
    ffn_hidden: int
    norm_eps: float
    has_gated_ffn: bool = False
    has_query_key_norm: bool = False


class Attention(nn.Module):
    """Multi-head self-attention with optional query/key norm and rotary positions."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.proj = nn.Linear(shape.width, shape.width)
        self.has_query_key_norm = shape.has_query_key_norm
        if shape.has_query_key_norm:
            channels = shape.width // shape.heads
            self.q_norm = nn.LayerNorm(channels, eps=_QUERY_KEY_NORM_EPS)
            self.k_norm = nn.LayerNorm(channels, eps=_QUERY_KEY_NORM_EPS)

    def forward(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """Let the tokens of each row of the batch look at each other.

        Args:
            x: (B, P, C) in the dtype of the weights.
            rotation: rotary tables for P tokens, or None.

        Returns:
            (B, P, C), same dtype.
        """
        qkv = apply_linear(x, self.qkv).unflatten(-1, (3, self.heads, -1))  # (B, P, 3, heads, D)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, P, D)
        if self.has_query_key_norm:
            # norm and rotation stay in the precision of the norm's weights
            q = self.q_norm(q.to(self.q_norm.weight.dtype))
            k = self.k_norm(k.to(self.k_norm.weight.dtype))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        x = attend(q.to(v.dtype), k.to(v.dtype), v)  # (B, heads, P, D)
        return apply_linear(x.transpose(1, 2).flatten(2), self.proj)  # (B, P, C)


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.fc1 = nn.Linear(shape.width, shape.ffn_hidden)
        self.fc2 = nn.Linear(shape.ffn_hidden, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (P, C) to (P, C), token by token."""
        return apply_linear(apply_linear_gelu(x, self.fc1), self.fc2)


class SwiGlu(nn.Module):
    """Gated feed-forward part: silu(u) * g between two linear layers."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.w12 = nn.Linear(shape.width, 2 * shape.ffn_hidden)
        self.w3 = nn.Linear(shape.ffn_hidden, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (P, C) to (P, C), token by token."""
        u, g = apply_linear(x, self.w12).chunk(2, dim=-1)
        return apply_linear(functional.silu(u) * g, self.w3)


class LayerScale(nn.Module):
    """One learned factor per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Scale (..., C); the result has the wider dtype of the two."""
        return x * self.gamma


class Block(nn.Module):
    """x + scale * attention(norm(x)), then x + scale * feed_forward(norm(x)).

    The dtype of the linear layers decides the dtype of the matrix products; the token stream
    keeps its own.
    """

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.attn = Attention(shape)
        self.ls1 = LayerScale(shape.width)
        self.norm2 = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.mlp = SwiGlu(shape) if shape.has_gated_ffn else Mlp(shape)
        self.ls2 = LayerScale(shape.width)

    def forward(self, x: Tensor, rotation: Rotation | None = None) -> Tensor:
        """Run the block; `x` itself is left as it is.

        Args:
            x: (B, P, C); the P tokens of a row attend to each other.
            rotation: rotary tables for P tokens, or None.

        Returns:
            (B, P, C), dtype of x.
        """
        dtype = self.attn.qkv.weight.dtype
        if torch.is_grad_enabled():
            # training needs every intermediate as it was
            x = x + self.ls1(self.attn(self.norm1(x).to(dtype), rotation))
            return x + self.ls2(self.mlp(self.norm2(x).to(dtype)))
        y = x.new_empty(x.shape)  # (B, P, C)
        rows = max(1, _TOKENS_PER_PIECE // x.shape[1])
        for before, after in zip(x.split(rows), y.split(rows), strict=True):
            branch = self.attn(self.norm1(before).to(dtype), rotation)
            after.copy_(before + self.ls1(branch))
        for tokens in y.view(-1, y.shape[-1]).split(_TOKENS_PER_PIECE):
            tokens.add_(self.ls2(self.mlp(self.norm2(tokens).to(dtype))))
        return y
