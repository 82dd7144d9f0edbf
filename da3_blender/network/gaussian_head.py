# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dense head that describes one Gaussian for each pixel.

Runs in the engine. Attribute names follow the keys of the official checkpoints.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from .dense_head import DenseHead, Scratch, make_conv3, resize_bilinear
from .position import add_uv_embedding

if TYPE_CHECKING:
    from .presets import HeadPreset

GAUSSIAN_CHANNELS = 37
"""Pixel offset 2, scales 3, quaternion 4, spherical harmonics 3 x 9, depth offset 1."""
_HIDDEN = 32
_MERGER_CHANNELS = (3, 32, 64)


class GaussianMaps(NamedTuple):
    """Result of the head.

    Attributes:
        raw: (B, H, W, 37) float32, as the last layer leaves it.
        opacity: (B, H, W) float32, 0 to 1.
    """

    raw: Tensor
    opacity: Tensor


class GaussianScratch(Scratch):
    """One fusion chain and its output convolutions."""

    def __init__(self, preset: HeadPreset) -> None:
        super().__init__(preset, chain_suffixes=("",))
        half = preset.features // 2
        self.output_conv1 = make_conv3(preset.features, half)
        self.output_conv2 = nn.Sequential(
            make_conv3(half, _HIDDEN), nn.ReLU(), nn.Conv2d(_HIDDEN, GAUSSIAN_CHANNELS + 1, 1)
        )


class GaussianHead(DenseHead):
    """Gaussians from the tokens of the backbone and from the picture itself."""

    def __init__(self, token_width: int, preset: HeadPreset) -> None:
        super().__init__(token_width, preset, has_uv_embedding=True)
        self.scratch = GaussianScratch(preset)
        channels = (*_MERGER_CHANNELS, preset.features // 2)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [make_conv3(inputs, outputs), nn.GELU()]
        self.images_merger = nn.Sequential(*layers)

    def forward(
        self, projected: tuple[Tensor, ...], images: Tensor, size: tuple[int, int]
    ) -> GaussianMaps:
        """Compute the maps of some views, each on its own.

        Args:
            projected: four maps (B, channels, h, w) as `project` returns them, changed in place.
            images: (B, 3, H, W) float32 normalised.
            size: height and width of the images.

        Returns:
            Raw channels and opacity at `size`.
        """
        aspect = size[1] / size[0]
        pyramid = self.build_pyramid(projected, aspect)
        x = self.scratch.output_conv1(self.scratch.fuse(pyramid, ""))  # (B, F/2, 8h, 8w)
        x = resize_bilinear(x, size).add_(self.images_merger(images))  # (B, F/2, H, W)
        x = self.scratch.output_conv2(add_uv_embedding(x, aspect))  # (B, 38, H, W)
        raw = x[:, :GAUSSIAN_CHANNELS].movedim(1, -1).contiguous()
        return GaussianMaps(raw, x[:, GAUSSIAN_CHANNELS].sigmoid())
