# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches attention across views which patches show the same place.

Runs in the environment `training`. Ours, no part of the published recipe: cameras and depth say
only indirectly what attention should look at, and a network that learns from little finds it
late. Here the attention of one view's patch over the patches of another view is compared with
where the truth says that its middle is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor
from torch.nn import functional

from da3_blender.network.presets import PATCH_SIZE

from .targets import lift

if TYPE_CHECKING:
    from torch import nn

    from da3_blender.network.backbone import VisionTransformer

    from .targets import Targets

_HEADS = 2
"""Heads of a block that are taught; the others stay free."""
_BLOCKS = 3
"""The first blocks that look across views are taught."""
_DEPTH_TOLERANCE = 0.08
"""A place is seen where its distance differs from what is there by less than this share."""


class AttentionTeacher:
    """Keeps what goes into the first blocks that look across views, and judges it.

    Args:
        backbone: of the network in training.
    """

    def __init__(self, backbone: VisionTransformer) -> None:
        preset = backbone.preset
        across = [i for i in range(preset.depth) if preset.is_global(i)][:_BLOCKS]
        self._blocks = [backbone.blocks[i] for i in across]
        self._kept: list[Tensor] = []
        self._is_on = False
        for block in self._blocks:
            block.register_forward_pre_hook(self._keep)

    def __enter__(self) -> Self:
        self._kept.clear()
        self._is_on = True
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_on = False

    def _keep(self, _block: nn.Module, arguments: tuple) -> None:
        if self._is_on:
            self._kept.append(arguments[0])

    def judge(self, targets: Targets, K: Tensor) -> Tensor:
        """Compare attention with the truth for the pass of the network that was kept.

        Args:
            targets: truth of the same views.
            K: (B, N, 3, 3) float32, pixels.

        Returns:
            Scalar: the mean cross entropy, in parts of that of attention to everything alike;
            0 for one view.
        """
        views = targets.depth.shape[1]
        if views == 1:
            return targets.depth.new_zeros(())
        wanted = find_matches(targets, K)  # (B, N, P, N, P)
        is_seen = wanted.sum(-1) > 0  # (B, N, P, N)
        terms = []
        for block, x in zip(self._blocks, self._kept, strict=True):
            patches = x.unflatten(1, (views, -1))[:, :, 1:]  # (B, N, P, C), without camera tokens
            normed = block.norm1(patches)
            attention = block.attn
            width = normed.shape[-1]
            qk = functional.linear(
                normed, attention.qkv.weight[: 2 * width], attention.qkv.bias[: 2 * width]
            ).unflatten(-1, (2, attention.heads, -1))[..., :_HEADS, :]
            q, k = (
                attention.q_norm(qk[..., 0, :, :].float()),
                attention.k_norm(qk[..., 1, :, :].float()),
            )
            scores = torch.einsum("bnphd,bmqhd->bhnpmq", q, k) * q.shape[-1] ** -0.5
            loss = -(scores.log_softmax(-1) * wanted[:, None]).sum(-1)  # (B, h, N, P, N)
            terms.append((loss.mean(1) * is_seen).sum() / is_seen.sum().clamp_min(1))
        patches = wanted.shape[-1]
        return torch.stack(terms).mean() / torch.tensor(float(patches)).log()


@torch.no_grad()
def find_matches(targets: Targets, K: Tensor) -> Tensor:
    """Find where the middle of each patch is seen in the other views.

    Args:
        targets: truth.
        K: (B, N, 3, 3) float32, pixels.

    Returns:
        (B, N, P, N, P) float32: for each patch and each view the shares of the four patches
        around the place, summing to 1; 0 where it is hidden, outside, or in the same view.
    """
    depth = targets.depth
    views, height, width = depth.shape[1:]
    rows, columns = height // PATCH_SIZE, width // PATCH_SIZE
    middle = slice(PATCH_SIZE // 2, None, PATCH_SIZE)
    points = lift(depth, targets.w2c, K)[:, :, middle, middle].flatten(2, 3)  # (B, N, P, 3)
    is_known = targets.is_valid[:, :, middle, middle].flatten(2)  # (B, N, P)
    rotation, shift = targets.w2c[..., :3, :3], targets.w2c[..., :3, 3]
    local = torch.einsum("bmij,bnpj->bnpmi", rotation, points) + shift[:, None, None]
    far = local[..., 2]
    pixels = torch.einsum("bmij,bnpmj->bnpmi", K, local)[..., :2] / far.clamp_min(1e-6)[..., None]
    x, y = pixels.unbind(-1)  # (B, N, P, N)
    is_inside = (far > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    xi, yi = x.long().clamp(0, width - 1), y.long().clamp(0, height - 1)
    place = (yi * width + xi).movedim(3, 1).flatten(2)  # (B, M, N*P)
    there = depth.flatten(2).gather(2, place).unflatten(2, (views, -1)).movedim(1, 3)
    is_seen = is_inside & is_known[..., None] & ((there - far).abs() < _DEPTH_TOLERANCE * far)
    is_seen &= ~torch.eye(views, dtype=torch.bool, device=depth.device)[:, None]
    across, down = x / PATCH_SIZE - 0.5, y / PATCH_SIZE - 0.5
    shares = _spread(down, rows)[..., :, None] * _spread(across, columns)[..., None, :]
    return shares.flatten(-2) * is_seen[..., None]


def _spread(place: Tensor, count: int) -> Tensor:
    """Return (..., count): shares of the two cells beside a place, cells lying at whole numbers."""
    cells = torch.arange(count, device=place.device)
    return (1 - (place.clamp(0, count - 1)[..., None] - cells).abs()).clamp_min(0)
