# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dense head of the any-view networks: depth with confidence, and rays on request.

Runs in the engine. Attribute names follow the keys of the official checkpoints. Three of the
four ray output stacks of the checkpoints never reach a result and do not exist here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from .dense_head import DenseHead, Pyramid, Scratch, make_conv3, resize_bilinear
from .position import add_uv_embedding

if TYPE_CHECKING:
    from .presets import HeadPreset

_EPS = 1e-5
_HIDDEN = 32
_LIVE_STACK = "3"
"""Number of the ray output stack whose result is used."""


class DenseMaps(NamedTuple):
    """Result of the head.

    Attributes:
        depth: (B, H, W) float32, positive.
        confidence: (B, H, W) float32, above 1.
        rays: (B, 8h, 8w, 6) float32: direction, not normalised, then origin, world frame; or None.
        ray_confidence: (B, 8h, 8w) float32, above 1; or None.
    """

    depth: Tensor
    confidence: Tensor
    rays: Tensor | None
    ray_confidence: Tensor | None


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class DualScratch(Scratch):
    """Fusion chains and output convolutions for depth and for rays."""

    def __init__(self, preset: HeadPreset) -> None:
        super().__init__(preset, chain_suffixes=("", "_aux"))
        full, half = preset.features, preset.features // 2
        self.output_conv1 = make_conv3(full, half)
        self.output_conv2 = nn.Sequential(
            make_conv3(half, _HIDDEN), nn.ReLU(inplace=True), nn.Conv2d(_HIDDEN, 2, 1)
        )
        pairs = ((full, half), (half, full), (full, half), (half, full), (full, half))
        self.output_conv1_aux = nn.ModuleDict(
            {_LIVE_STACK: nn.Sequential(*(make_conv3(*pair) for pair in pairs))}
        )
        # the places 1 and 3 hold axis swaps upstream; the keys count them
        stack = nn.Sequential(
            make_conv3(half, _HIDDEN),
            nn.Identity(),
            ChannelNorm(_HIDDEN, eps=_EPS),
            nn.Identity(),
            nn.ReLU(),
            nn.Conv2d(_HIDDEN, 7, 1),
        )
        self.output_conv2_aux = nn.ModuleDict({_LIVE_STACK: stack})


class DualDPT(DenseHead):
    """Depth head with a second, optional branch for rays."""

    def __init__(self, token_width: int, preset: HeadPreset) -> None:
        super().__init__(token_width, preset, has_uv_embedding=True)
        self.norm = nn.LayerNorm(token_width, eps=_EPS)
        self.scratch = DualScratch(preset)

    def forward(
        self, projected: tuple[Tensor, ...], size: tuple[int, int], *, wants_rays: bool
    ) -> DenseMaps:
        """Compute the maps of some views, each on its own.

        Args:
            projected: four maps (B, channels, h, w) as `project` returns them, changed in place.
            size: height and width of the images.
            wants_rays: run the ray branch.

        Returns:
            Depth and confidence at `size`, rays at 8 pixels per patch side.
        """
        aspect = size[1] / size[0]
        pyramid = self.build_pyramid(projected, aspect)
        depth = self._compute_depth_logits(pyramid, size)  # (B, 2, H, W)
        rays, ray_confidence = None, None
        if wants_rays:
            logits = self._compute_ray_logits(pyramid, aspect)  # (B, 7, 8h, 8w)
            rays = logits[:, :6].movedim(1, -1).contiguous()
            ray_confidence = 1 + logits[:, 6].exp()
        return DenseMaps(depth[:, 0].exp(), 1 + depth[:, 1].exp(), rays, ray_confidence)

    def _compute_depth_logits(self, pyramid: Pyramid, size: tuple[int, int]) -> Tensor:
        x = self.scratch.output_conv1(self.scratch.fuse(pyramid, ""))  # (B, F/2, 8h, 8w)
        x = resize_bilinear(x, size)  # (B, F/2, H, W)
        return self.scratch.output_conv2(add_uv_embedding(x, size[1] / size[0]))

    def _compute_ray_logits(self, pyramid: Pyramid, aspect: float) -> Tensor:
        x = self.scratch.fuse(pyramid, "_aux")  # (B, F, 8h, 8w)
        x = self.scratch.output_conv1_aux[_LIVE_STACK](x)  # (B, F/2, 8h, 8w)
        return self.scratch.output_conv2_aux[_LIVE_STACK](add_uv_embedding(x, aspect))
