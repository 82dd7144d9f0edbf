# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotary positions: rotate query and key channels by the row and column of their patch.

Runs in the engine. Source: RoFormer (Su et al. 2021) in its two-dimensional form.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_BASE = 100.0


class Rotation(NamedTuple):
    """Cosines and sines for a row of tokens.

    Attributes:
        cos: (P, D) float32.
        sin: (P, D) float32.
        only_first_of: 0 to rotate all P tokens. Otherwise the tokens come in groups of this
            many, cos and sin hold one row, and only the first token of each group turns.
    """

    cos: Tensor
    sin: Tensor
    only_first_of: int = 0


def build_rotation(positions: Tensor, channels: int) -> Rotation:
    """Build the tables for integer patch positions.

    Args:
        positions: (P, 2) integer, row and column.
        channels: channels D of one attention head; the first half turns with the row, the
            second half with the column.

    Returns:
        cos and sin, each (P, D) float32.
    """
    half = channels // 2
    steps = torch.arange(0, half, 2, device=positions.device, dtype=torch.float32)
    frequencies = _BASE ** (-steps / half)  # (D/4,)
    angles = positions.to(torch.float32)[:, :, None] * frequencies  # (P, 2, D/4)
    angles = torch.cat((angles, angles), dim=-1).flatten(1)  # (P, D)
    return Rotation(angles.cos(), angles.sin())


def build_local_rotation(rows: int, columns: int, channels: int, device: torch.device) -> Rotation:
    """Build the tables of blocks that look at one view: (0, 0), then each patch from (1, 1) on.

    Args:
        rows: patch rows.
        columns: patch columns.
        channels: channels of one attention head.
        device: where the tables live.

    Returns:
        Tables for 1 + rows*columns tokens.
    """
    grid = torch.cartesian_prod(
        torch.arange(1, rows + 1, device=device), torch.arange(1, columns + 1, device=device)
    )  # (h*w, 2)
    return build_rotation(torch.cat((torch.zeros_like(grid[:1]), grid)), channels)


def build_global_rotation(tokens: int, channels: int, device: torch.device) -> Rotation:
    """Build the tables of blocks that look across views.

    There every patch sits at (1, 1) and every camera token at (0, 0). Only differences of
    positions reach the attention scores, so turning the camera tokens by (-1, -1) and leaving
    the patches alone gives the same scores for a fraction of the work.

    Args:
        tokens: tokens of one view, the camera token included.
        channels: channels of one attention head.
        device: where the tables live.

    Returns:
        One row of cos and sin for the first token of each group of `tokens`.
    """
    position = torch.full((1, 2), -1, device=device)
    return build_rotation(position, channels)._replace(only_first_of=tokens)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate queries or keys.

    Args:
        x: (B, heads, P, D) float32.
        rotation: tables that fit P and D.

    Returns:
        (B, heads, P, D); with `only_first_of` this is `x` itself, changed in place.
    """
    if not rotation.only_first_of:
        return x * rotation.cos + _swap_halves(x) * rotation.sin
    first = x[:, :, :: rotation.only_first_of]  # (B, heads, N, D)
    first.copy_(first * rotation.cos + _swap_halves(first) * rotation.sin)
    return x


def _swap_halves(x: Tensor) -> Tensor:
    """Turn (a, b, c, d) quarters of the last axis into (-b, a, -d, c)."""
    a, b, c, d = x.chunk(4, dim=-1)
    return torch.cat((-b, a, -d, c), dim=-1)
