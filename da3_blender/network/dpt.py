# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dense head of the metric and mono networks: depth and sky.

Runs in the engine. Attribute names follow the keys of the official checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from .dense_head import DenseHead, Scratch, make_conv3, resize_bilinear

if TYPE_CHECKING:
    from .presets import HeadPreset

_HIDDEN = 32


class SkyMaps(NamedTuple):
    """Result of the head.

    Attributes:
        depth: (B, H, W) float32, positive.
        sky: (B, H, W) float32, 0 or more; the larger, the more it is sky.
    """

    depth: Tensor
    sky: Tensor


class SkyScratch(Scratch):
    """One fusion chain and two output stacks."""

    def __init__(self, preset: HeadPreset) -> None:
        super().__init__(preset, chain_suffixes=("",))
        half = preset.features // 2
        self.output_conv1 = make_conv3(preset.features, half)
        self.output_conv2 = _make_output(half)
        self.sky_output_conv2 = _make_output(half)


class DPT(DenseHead):
    """Depth and sky from one chain; no token norm and no sine map of the viewing position."""

    def __init__(self, token_width: int, preset: HeadPreset) -> None:
        super().__init__(token_width, preset, has_uv_embedding=False)
        self.scratch = SkyScratch(preset)

    def forward(self, projected: tuple[Tensor, ...], size: tuple[int, int]) -> SkyMaps:
        """Compute the maps of some views, each on its own.

        Args:
            projected: four maps (B, channels, h, w) as `project` returns them.
            size: height and width of the images.

        Returns:
            Depth and sky at `size`.
        """
        pyramid = self.build_pyramid(projected, size[1] / size[0])
        x = self.scratch.output_conv1(self.scratch.fuse(pyramid, ""))  # (B, F/2, 8h, 8w)
        x = resize_bilinear(x, size)  # (B, F/2, H, W)
        depth = self.scratch.output_conv2(x).exp()
        return SkyMaps(depth[:, 0], functional.relu(self.scratch.sky_output_conv2(x))[:, 0])


def _make_output(channels: int) -> nn.Sequential:
    return nn.Sequential(
        make_conv3(channels, _HIDDEN), nn.ReLU(inplace=True), nn.Conv2d(_HIDDEN, 1, 1)
    )
