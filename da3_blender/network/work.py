# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much arithmetic each part of the network needs, for an honest progress bar.

Runs in the engine.
"""

from __future__ import annotations

from collections.abc import Callable

from .presets import PATCH_SIZE, AnyViewPreset, BackbonePreset, HeadPreset

OnStep = Callable[[float], None]
"""Called after each finished part with its work in floating point operations."""

_OUTPUT_CHANNELS = 32


def ignore_step(_work: float) -> None:
    """Take note of nothing: the default `OnStep`."""


def count_block(preset: BackbonePreset, block: int, views: int, tokens: int) -> float:
    """Return the operations of one transformer block.

    Args:
        preset: sizes of the backbone.
        block: number of the block.
        views: views of all scenes of the batch.
        tokens: tokens of one view.

    Returns:
        Floating point operations.
    """
    width = preset.width
    ffn_layers = 3 if preset.has_gated_ffn else 2
    weights = 4 * width * width + ffn_layers * width * preset.ffn_hidden
    reach = views * tokens if preset.is_global(block) else tokens
    return views * tokens * (2.0 * weights + 4.0 * reach * width)


def count_head(preset: HeadPreset, size: tuple[int, int], *, with_rays: bool) -> float:
    """Return the operations of the dense head for one view, projections left out.

    Args:
        preset: channels of the head.
        size: height and width of the image.
        with_rays: count the ray branch too.

    Returns:
        Floating point operations.
    """
    patches = size[0] * size[1] / PATCH_SIZE**2
    stage_pixels = (16 * patches, 4 * patches, patches, patches / 4)
    features, half = preset.features, preset.features // 2
    rays_pixels = 64 * patches
    stages = zip(preset.out_channels, stage_pixels, strict=True)
    pyramid = sum(18.0 * channels * features * pixels for channels, pixels in stages)
    unit = 36.0 * features * features
    fusion = unit * (stage_pixels[3] + 2 * sum(stage_pixels[:3]))
    depth = 18.0 * features * half * rays_pixels
    depth += 18.0 * half * _OUTPUT_CHANNELS * size[0] * size[1]
    rays = 18.0 * (5 * features * half + half * _OUTPUT_CHANNELS) * rays_pixels
    return pyramid + fusion + depth + (fusion + rays if with_rays else 0.0)


def count_network(
    preset: AnyViewPreset, views: int, size: tuple[int, int], *, with_rays: bool
) -> float:
    """Return the operations that one call of the network reports through `OnStep`.

    Args:
        preset: sizes of the network.
        views: views of all scenes of the batch.
        size: height and width of the images.
        with_rays: whether the ray branch runs.

    Returns:
        Floating point operations.
    """
    tokens = 1 + size[0] * size[1] // PATCH_SIZE**2
    blocks = range(preset.backbone.depth)
    backbone = sum(count_block(preset.backbone, block, views, tokens) for block in blocks)
    return backbone + views * count_head(preset.head, size, with_rays=with_rays)
