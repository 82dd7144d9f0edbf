# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cheap stand-in for the dense head while the backbone learns.

Runs in the environment `training`. Ours, no part of the published recipe and not of the network:
one linear layer reads depth and rays from each patch's token. On a processor the dense head takes
more than half of a step, and says little to the backbone that this layer does not say. (DUSt3R,
arXiv 2312.14132, trains with a linear head first, too.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from da3_blender.network.presets import PATCH_SIZE

from .targets import mean_where

if TYPE_CHECKING:
    from .targets import Targets

_CELLS = 2
"""Depths of a patch, across and down."""
_RAY = 6


class PatchHead(nn.Module):
    """Depth and ray of each patch.

    Args:
        width: channels of a token as the heads read it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, _CELLS**2 + _RAY)
        nn.init.zeros_(self.read.bias)
        with torch.no_grad():
            self.read.weight.mul_(0.1)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Read tokens.

        Args:
            tokens: (B, N, P, 2C), the last level as the dense head gets it.

        Returns:
            Depth (B, N, P, 4) of the middles of the patch's quarters, and rays (B, N, P, 6) of its
            middle, direction and origin.
        """
        logits, rays = self.read(tokens).split((_CELLS**2, _RAY), dim=-1)
        return logits.exp(), rays


def compare_patches(said: tuple[Tensor, Tensor], targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
    """Compare what the patches say with the truth.

    Args:
        said: of `PatchHead`.
        targets: truth.

    Returns:
        L1 of depth, of rays and of points, as in `losses`.
    """
    depth, rays = said
    true_depth, is_valid = _cut(targets.depth), _cut(targets.is_valid)
    true_rays = targets.rays.movedim(-1, -3).flatten(0, 1)  # (B*N, 6, 8h, 8w)
    true_rays = functional.avg_pool2d(true_rays, 8).flatten(2).mT.unflatten(0, depth.shape[:2])
    depth_loss = mean_where((depth - true_depth).abs(), is_valid)
    ray_loss = (rays - true_rays).abs().sum(-1).mean()
    points, true_points = (
        o[..., 3:] + z.mean(-1, keepdim=True) * o[..., :3]
        for o, z in ((rays, depth), (true_rays, true_depth))
    )
    return depth_loss, ray_loss, mean_where((points - true_points).abs().sum(-1), is_valid.all(-1))


def _cut(maps: Tensor) -> Tensor:
    """Return (B, N, P, 4), a map (B, N, H, W) at the middles of the quarters of each patch."""
    step = PATCH_SIZE // _CELLS
    cells = maps[..., step // 2 :: step, step // 2 :: step]  # (B, N, 2h, 2w)
    rows, columns = cells.shape[-2] // _CELLS, cells.shape[-1] // _CELLS
    parts = cells.unflatten(-1, (columns, _CELLS)).unflatten(-3, (rows, _CELLS))
    return parts.transpose(-3, -2).flatten(-2).flatten(-3, -2)
