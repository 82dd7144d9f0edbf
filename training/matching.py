# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches attention across views which patches show the same place.

Runs in the environment `training`. Ours, no part of the published recipe: cameras and depth say
only indirectly what attention should look at, and a network that learns from little finds it
late. Two heads of the first blocks that look across views are compared with the truth:

- head 0 of every other view looks at where the middle of its patch is seen in the reference
  view, of which all cameras are told relative;
- head 1 of the reference view looks at where its patches are seen in the other views.

The whole row of scores is judged, as the block uses it: with attention over one other view at a
time, a patch would find itself before it finds its match, and what the block mixes would hardly
contain the match. A patch that is seen nowhere looks at the camera token of the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from da3_blender.network.presets import PATCH_SIZE
from da3_blender.network.rotary import build_global_rotation, rotate

from .targets import lift

if TYPE_CHECKING:
    from torch import nn

    from da3_blender.network.backbone import VisionTransformer
    from da3_blender.network.block import Block

    from .targets import Targets

_HEADS = 2
"""Heads of a block that are taught; the others stay free."""
_BLOCKS = 2
"""The first blocks that look across views are taught."""
_DEPTH_TOLERANCE = 0.08
"""A place is seen where its distance differs from what is there by less than this share."""
_UNSEEN_WEIGHT = 0.2
"""How much a patch without a match counts."""


class _Enough(Exception):  # noqa: N818 - a way out, no error
    """All that is judged has been computed."""


class Verdict(NamedTuple):
    """What attention is worth.

    Attributes:
        loss: scalar, the mean cross entropy in parts of that of attention to everything alike.
        hits: scalar, the share of the patches with a match whose largest weight lies on it, in
            the last block that is taught.
    """

    loss: Tensor
    hits: Tensor


class AttentionTeacher:
    """Keeps what goes into the first blocks that look across views, and judges it.

    Args:
        backbone: of the network in training.
    """

    def __init__(self, backbone: VisionTransformer) -> None:
        preset = backbone.preset
        self._backbone = backbone
        across = [i for i in range(preset.depth) if preset.is_global(i)][:_BLOCKS]
        self._blocks = [backbone.blocks[i] for i in across]
        self._kept: list[Tensor] = []
        self._is_on = False
        self._wants_no_more = False
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
            if self._wants_no_more and len(self._kept) == len(self._blocks):
                raise _Enough

    def run_until_judged(self, images: Tensor) -> None:
        """Run the backbone as far as attention is taught, and keep what `judge` needs.

        Args:
            images: (B, N, 3, H, W) as the network takes them.
        """
        self._wants_no_more = True
        try:
            with self:
                self._backbone(images, _ignore_level, reference_view="first")
        except _Enough:
            pass
        finally:
            self._wants_no_more = False

    def judge(self, targets: Targets, K: Tensor) -> Verdict:
        """Compare attention with the truth for the pass of the network that was kept.

        Args:
            targets: truth of the same views; the first is the reference.
            K: (B, N, 3, 3) float32, pixels.

        Returns:
            The verdict; zeros for one view.
        """
        views = targets.depth.shape[1]
        if views == 1:
            zero = targets.depth.new_zeros(())
            return Verdict(zero, zero)
        wanted = _want(find_matches(targets, K))
        losses = []
        for block, x in zip(self._blocks, self._kept, strict=True):
            for head, (rows, shares, weight) in enumerate(wanted):
                scores = _score(block, x, views, head, rows)  # (B, Q, N*T)
                loss = -(scores.log_softmax(-1) * shares).sum(-1)
                losses.append((loss * weight).sum() / weight.sum().clamp_min(1))
                if head == 0:
                    is_hit = shares.gather(-1, scores.argmax(-1, keepdim=True))[..., 0] > 0
                    is_seen = weight == 1
                    hits = (is_hit & is_seen).sum() / is_seen.sum().clamp_min(1)
        alike = torch.tensor(float(wanted[0][1].shape[-1])).log()
        return Verdict(torch.stack(losses).mean() / alike, hits.detach())


def _ignore_level(_level: object) -> None:
    """Take what the heads would read, which is nothing here."""


def _score(block: Block, x: Tensor, views: int, head: int, rows: slice) -> Tensor:
    """Return the scores (B, Q, N*T) with which the patches of some views look at all tokens.

    Args:
        block: looks across views.
        x: (B, N*T, C), what goes in.
        views: N.
        head: number of the head.
        rows: the views whose patches look.
    """
    normed = block.norm1(x)
    attention = block.attn
    width, tokens = normed.shape[-1], x.shape[1] // views
    channels = width // attention.heads
    parts = [slice(first + head * channels, first + (head + 1) * channels) for first in (0, width)]
    q, k = (
        norm(
            functional.linear(normed, attention.qkv.weight[part], attention.qkv.bias[part]).float()
        )
        for part, norm in zip(parts, (attention.q_norm, attention.k_norm), strict=True)
    )
    rotation = build_global_rotation(tokens, channels, x.device)
    k = rotate(k[:, None].clone(), rotation)[:, 0]
    q = q.unflatten(1, (views, tokens))[:, rows, 1:].flatten(1, 2)  # patches: they do not turn
    return q @ k.transpose(-1, -2) * channels**-0.5


def _want(matches: Tensor) -> tuple[tuple[slice, Tensor, Tensor], ...]:
    """Return what each head should do.

    Args:
        matches: (B, N, P, N, P) of `find_matches`.

    Returns:
        For each head the views that look, the shares (B, Q, N*T) and how much each patch that
        looks counts (B, Q).
    """
    jobs = []
    # for the reference: the same share for each view in which a patch is seen
    seen = (matches[:, :1].sum(-1) > 0).sum(-1).clamp_min(1)  # (B, 1, P)
    from_others, from_reference = matches[:, 1:].clone(), matches[:, :1] / seen[..., None, None]
    from_others[:, :, :, 1:] = 0
    for rows, shares in ((slice(1, None), from_others), (slice(0, 1), from_reference)):
        is_seen = shares.sum((-1, -2)) > 0.5  # noqa: PLR2004 - 0 or 1
        full = functional.pad(shares, (1, 0))  # (B, n, P, N, T)
        full[..., 0, 0] = (~is_seen).float()
        weight = torch.where(is_seen, 1.0, _UNSEEN_WEIGHT)
        jobs.append((rows, full.flatten(-2).flatten(1, 2), weight.flatten(1, 2)))
    return tuple(jobs)


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
