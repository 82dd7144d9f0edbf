# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Position embeddings: the learned grid of the backbone and the sine map of the heads.

Runs in the engine.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_RESAMPLING_OFFSET = 0.1
"""Added to the wanted grid size before the scale is taken: the weights were trained with it."""
_UV_BASE = 100.0
_UV_FACTOR = 0.1


def resample_position_embedding(stored: Tensor, rows: int, columns: int) -> Tensor:
    """Bring the learned position grid to another grid size.

    Args:
        stored: (1, 1 + g*g, C); the first entry belongs to the class token.
        rows: wanted patch rows.
        columns: wanted patch columns.

    Returns:
        (1, 1 + rows*columns, C) float32, row-major.
    """
    stored = stored.to(torch.float32)
    side = math.isqrt(stored.shape[1] - 1)
    if (rows, columns) == (side, side):
        return stored
    grid = stored[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)  # (1, C, g, g)
    scale = ((rows + _RESAMPLING_OFFSET) / side, (columns + _RESAMPLING_OFFSET) / side)
    grid = functional.interpolate(
        grid, scale_factor=scale, mode="bicubic", align_corners=False, recompute_scale_factor=False
    )  # (1, C, rows, columns)
    return torch.cat((stored[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)


def add_uv_embedding(x: Tensor, aspect: float) -> Tensor:
    """Add a sine map of the viewing position to a feature map, in place unless training.

    The map is separable: the first half of the channels depends on the column only, the second
    half on the row only.

    Args:
        x: (B, C, H, W) float32, C a multiple of 4.
        aspect: width over height of the image (not of this map).

    Returns:
        `x` itself; where gradients are recorded, a new map.
    """
    if torch.is_grad_enabled():
        x = x.clone()
    channels, height, width = x.shape[1:]
    diagonal = math.hypot(aspect, 1.0)
    u = _build_axis(aspect / diagonal, width, channels // 4, x.device)  # (C/2, W)
    v = _build_axis(1.0 / diagonal, height, channels // 4, x.device)  # (C/2, H)
    x[:, : channels // 2] += u[:, None, :]
    x[:, channels // 2 :] += v[:, :, None]
    return x


def _build_axis(span: float, size: int, count: int, device: torch.device) -> Tensor:
    """Return (2*count, size) float32: `count` sines, then `count` cosines, factor included."""
    edge = span * (size - 1) / size
    place = torch.linspace(-edge, edge, size, dtype=torch.float64, device=device)
    omega = _UV_BASE ** (-torch.arange(count, dtype=torch.float64, device=device) / count)
    angle = omega[:, None] * place  # (count, size)
    return (_UV_FACTOR * torch.cat((angle.sin(), angle.cos()))).to(torch.float32)
