# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that all dense heads share: feature pyramid and fusion chain.

Runs in the engine. Source: DPT (Ranftl et al. 2021), RefineNet (Lin et al. 2017). Attribute
names follow the keys of the official checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from .position import add_uv_embedding
from .products import apply_conv1

if TYPE_CHECKING:
    from .presets import HeadPreset

_COARSEST = 4
"""Number of the fusion block that starts a chain."""

Pyramid = tuple[Tensor, Tensor, Tensor, Tensor]
"""Four maps (B, F, H, W) from fine to coarse: 4, 2, 1 and 1/2 pixels per patch side."""


def resize_bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, C, H, W) to `size` so that corner pixels stay corner pixels."""
    return functional.interpolate(x, size, mode="bilinear", align_corners=True)


def make_conv3(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """Make a 3x3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class ResidualUnit(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = make_conv3(features, features)
        self.conv2 = make_conv3(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, F, H, W) to the same shape; `x` itself is left as it is."""
        y = self.conv1(functional.relu(x)).relu_()
        return self.conv2(y).add_(x)


class FusionBlock(nn.Module):
    """Adds a finer map to the chain and enlarges the result."""

    def __init__(self, features: int, *, has_lateral: bool) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, features, 1)
        if has_lateral:
            self.resConfUnit1 = ResidualUnit(features)
        self.resConfUnit2 = ResidualUnit(features)

    def forward(self, top: Tensor, lateral: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Fuse.

        Args:
            top: (B, F, H, W), what the coarser maps gave.
            lateral: (B, F, H, W) of this level, or None for the coarsest.
            size: height and width of the result.

        Returns:
            (B, F, *size).
        """
        if lateral is not None:
            top = self.resConfUnit1(lateral).add_(top)
        # a 1x1 convolution and a resize commute; on the small map it is cheaper
        return resize_bilinear(apply_conv1(self.resConfUnit2(top), self.out_conv), size)


class Scratch(nn.Module):
    """Everything below the key `scratch` that all heads have: lateral convolutions and chains.

    Args:
        preset: channels of the head.
        chain_suffixes: one fusion chain for each, its name appended to `refinenet<n>`.
    """

    def __init__(self, preset: HeadPreset, chain_suffixes: tuple[str, ...]) -> None:
        super().__init__()
        for stage, channels in enumerate(preset.out_channels, start=1):
            self.add_module(f"layer{stage}_rn", make_conv3(channels, preset.features, bias=False))
        for suffix in chain_suffixes:
            for stage in (1, 2, 3, 4):
                block = FusionBlock(preset.features, has_lateral=stage != _COARSEST)
                self.add_module(f"refinenet{stage}{suffix}", block)

    def fuse(self, pyramid: Pyramid, suffix: str) -> Tensor:
        """Run one fusion chain.

        Args:
            pyramid: four maps from fine to coarse.
            suffix: name of the chain.

        Returns:
            (B, F, 8h, 8w) for a grid of h x w patches.
        """
        r1, r2, r3, r4 = pyramid
        blocks = [self.get_submodule(f"refinenet{stage}{suffix}") for stage in (1, 2, 3, 4)]
        y = blocks[3](r4, None, r3.shape[-2:])
        y = blocks[2](y, r3, r2.shape[-2:])
        y = blocks[1](y, r2, r1.shape[-2:])
        return blocks[0](y, r1, (2 * r1.shape[-2], 2 * r1.shape[-1]))


class DenseHead(nn.Module):
    """Base of the heads: from tokens to the pyramid.

    Args:
        token_width: channels of the tokens.
        preset: channels of the head.
        has_uv_embedding: add the sine map of the viewing position to each projected stage.
    """

    def __init__(self, token_width: int, preset: HeadPreset, *, has_uv_embedding: bool) -> None:
        super().__init__()
        self.has_uv_embedding = has_uv_embedding
        first, second, _, last = preset.out_channels
        self.projects = nn.ModuleList(
            nn.Conv2d(token_width, channels, 1) for channels in preset.out_channels
        )
        self.resize_layers = nn.ModuleList(
            (
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(last, last, 3, stride=2, padding=1),
            )
        )
        self.norm: nn.Module = nn.Identity()

    def project(self, tokens: Tensor, stage: int, grid: tuple[int, int]) -> Tensor:
        """Bring the tokens of one level down to the channels of its stage.

        Args:
            tokens: (B, P, D) float32.
            stage: 0 for the shallowest level.
            grid: patch rows and columns, P = rows * columns.

        Returns:
            (B, channels, rows, columns) float32.
        """
        x = self.norm(tokens).transpose(1, 2).unflatten(2, grid)  # (B, D, h, w)
        return apply_conv1(x, self.projects[stage])

    def build_pyramid(self, projected: tuple[Tensor, ...], aspect: float) -> Pyramid:
        """Bring the four projected levels to four sizes.

        Args:
            projected: four maps (B, channels, h, w) as `project` returns them, changed in place.
            aspect: width over height of the image.

        Returns:
            Four maps (B, F, H, W) from fine to coarse.
        """
        maps = []
        for stage, x in enumerate(projected):
            placed = add_uv_embedding(x, aspect) if self.has_uv_embedding else x
            lateral = self.scratch.get_submodule(f"layer{stage + 1}_rn")
            maps.append(lateral(self.resize_layers[stage](placed)))
        return tuple(maps)
