# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer block: attention and a feed-forward part, each with a learned step size.

Runs in the engine. Source: ViT (Dosovitskiy et al. 2020), LayerScale (Touvron et al. 2021),
SwiGLU (Shazeer 2020), query/key norm (Dehghani et al. 2023). Attribute names follow the
keys of the official checkpoints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import attend
from .products import apply_linear, apply_linear_gelu, multiply_any
from .rotary import Rotation, rotate

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUERY_KEY_NORM_EPS = 1e-5
_HIDDEN_PER_PIECE = 2**25
"""Hidden numbers of the feed-forward part at a time: 64 MB in 16 bit, no matter how many views."""
_HEAD_TOKENS_PER_PIECE = 2**18
"""Tokens times heads that have queries, keys and values at a time; the same for attention."""


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
            (B, P, C), same dtype, before the projection `proj`.
        """
        per_head = x.shape[0] * x.shape[1]
        groups = math.ceil(self.heads * per_head / _HEAD_TOKENS_PER_PIECE)
        heads = math.ceil(self.heads / min(groups, self.heads))
        if heads == self.heads:
            qkv = apply_linear(x, self.qkv).unflatten(-1, (3, self.heads, -1))
            return self._attend(qkv, rotation)
        # some heads at a time: nobody but the tokens themselves is as large as all tokens
        weight = self.qkv.weight.unflatten(0, (3, self.heads, -1))  # (3, heads, D, C)
        bias = self.qkv.bias.unflatten(0, (3, self.heads, -1))  # (3, heads, D)
        pieces = []
        for w, b in zip(weight.split(heads, dim=1), bias.split(heads, dim=1), strict=True):
            qkv = multiply_any(x, w.flatten(0, 2), b.flatten())
            pieces.append(self._attend(qkv.unflatten(-1, (3, w.shape[1], -1)), rotation))
        return torch.cat(pieces, dim=-1)  # (B, P, C)

    def _attend(self, qkv: Tensor, rotation: Rotation | None) -> Tensor:
        """Return (B, P, heads * D) for some heads of qkv (B, P, 3, heads, D)."""
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, P, D)
        if self.has_query_key_norm:
            # norm and rotation stay in the precision of the norm's weights
            q = self.q_norm(q.to(self.q_norm.weight.dtype))
            k = self.k_norm(k.to(self.k_norm.weight.dtype))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        x = attend(q.to(v.dtype), k.to(v.dtype), v)  # (B, heads, P, D)
        return x.transpose(1, 2).flatten(2)


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
        hidden = shape.ffn_hidden * (2 if shape.has_gated_ffn else 1)
        self._tokens_per_piece = max(1, _HIDDEN_PER_PIECE // hidden)
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
        pieces = self._compute_pieces(x, rotation)
        if torch.is_grad_enabled():
            return torch.cat(list(pieces)).view(x.shape)
        y, first = None, 0
        for tokens in pieces:
            if y is None:  # not earlier: attention needs the memory too
                y = x.new_empty(x.shape).flatten(0, 1)  # (B*P, C)
            y[first : first + len(tokens)] = tokens
            first += len(tokens)
        return y.view(x.shape)

    def _compute_pieces(self, x: Tensor, rotation: Rotation | None) -> Iterator[Tensor]:
        """Yield the result (T, C) for some tokens at a time, in order."""
        rows = max(1, self._tokens_per_piece // x.shape[1])
        for group in x.split(rows):
            mixed = self._attend(group, rotation)
            for old, part in zip(self._split(group), self._split(mixed), strict=True):
                tokens = old + self.ls1(apply_linear(part, self.attn.proj))
                yield tokens + self.ls2(self.mlp(self.norm2(tokens).to(self._dtype)))

    @property
    def _dtype(self) -> torch.dtype:
        """Return the format of the matrix products."""
        return self.attn.qkv.weight.dtype

    def _attend(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """Return what attention makes of (B, P, C), normalised in pieces."""
        pieces = [self.norm1(tokens).to(self._dtype) for tokens in self._split(x)]
        normed = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        del pieces
        return self.attn(normed.view(x.shape), rotation)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Split (B, P, C) into pieces of tokens (T, C)."""
        return x.flatten(0, 1).split(self._tokens_per_piece)
