# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much arithmetic each part of the network needs, for an honest progress bar.

Runs in the engine.
"""

from __future__ import annotations

from collections.abc import Callable

from .presets import (
    PATCH_SIZE,
    BackbonePreset,
    HeadPreset,
    NestedPreset,
    Preset,
    SingleViewPreset,
)

OnStep = Callable[[float], None]
"""Called after each finished part with its work in floating point operations."""

_OUTPUT_CHANNELS = 32
_RAY_PIXELS_PER_PATCH = 64
"""Fusion chains end at 8 x 8 pixels per patch."""
_STAGE_PIXELS = (16, 4, 1, 0.25)
"""Pixels per patch of the pyramid's maps."""
_MERGER_PRODUCTS = (3 * 32, 32 * 64)
_MERGER_LAST = 64


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


def count_backbone(preset: BackbonePreset, views: int, size: tuple[int, int]) -> float:
    """Return the operations of all transformer blocks, `views` at `size` in the batch."""
    tokens = 1 + size[0] * size[1] // PATCH_SIZE**2
    return sum(count_block(preset, block, views, tokens) for block in range(preset.depth))


def count_head(preset: HeadPreset, size: tuple[int, int], *, with_rays: bool) -> float:
    """Return the operations of the any-view depth head for one view, projections left out.

    Args:
        preset: channels of the head.
        size: height and width of the image.
        with_rays: count the ray branch too.

    Returns:
        Floating point operations.
    """
    features, half = preset.features, preset.features // 2
    pyramid, fusion = _count_pyramid(preset, size)
    pixels = _RAY_PIXELS_PER_PATCH * _count_patches(size)
    rays = 18.0 * (5 * features * half + half * _OUTPUT_CHANNELS) * pixels
    main = pyramid + fusion + _count_output(preset, size, stacks=1)
    return main + (fusion + rays if with_rays else 0.0)


def count_sky_head(preset: HeadPreset, size: tuple[int, int]) -> float:
    """Return the operations of the depth and sky head for one view, projections left out."""
    return sum(_count_pyramid(preset, size)) + _count_output(preset, size, stacks=2)


def count_gaussian_head(preset: HeadPreset, size: tuple[int, int]) -> float:
    """Return the operations of the Gaussian head for one view, projections left out."""
    merger = 18.0 * sum(_MERGER_PRODUCTS) + 18.0 * _MERGER_LAST * (preset.features // 2)
    output = _count_output(preset, size, stacks=1) + merger * size[0] * size[1]
    return sum(_count_pyramid(preset, size)) + output


def count_network(
    preset: Preset,
    views: int,
    size: tuple[int, int],
    *,
    with_rays: bool,
    with_gaussians: bool = False,
) -> float:
    """Return the operations that one call of the network reports through `OnStep`.

    Args:
        preset: sizes of the network.
        views: views of all scenes of the batch.
        size: height and width of the images.
        with_rays: whether the ray branch runs.
        with_gaussians: whether the Gaussian head runs.

    Returns:
        Floating point operations.
    """
    if isinstance(preset, NestedPreset):
        flags = {"with_rays": with_rays, "with_gaussians": with_gaussians}
        return sum(
            count_network(branch, views, size, **flags)
            for branch in (preset.any_view, preset.metric)
        )
    backbone = count_backbone(preset.backbone, views, size)
    if isinstance(preset, SingleViewPreset):
        return backbone + views * count_sky_head(preset.head, size)
    gaussians = count_gaussian_head(preset.head, size) if with_gaussians else 0.0
    return backbone + views * (count_head(preset.head, size, with_rays=with_rays) + gaussians)


def _count_patches(size: tuple[int, int]) -> float:
    return size[0] * size[1] / PATCH_SIZE**2


def _count_pyramid(preset: HeadPreset, size: tuple[int, int]) -> tuple[float, float]:
    """Return the operations of the pyramid and of one fusion chain."""
    patches = _count_patches(size)
    stage_pixels = tuple(pixels * patches for pixels in _STAGE_PIXELS)
    stages = zip(preset.out_channels, stage_pixels, strict=True)
    pyramid = sum(18.0 * channels * preset.features * pixels for channels, pixels in stages)
    unit = 36.0 * preset.features * preset.features
    return pyramid, unit * (stage_pixels[3] + 2 * sum(stage_pixels[:3]))


def _count_output(preset: HeadPreset, size: tuple[int, int], *, stacks: int) -> float:
    """Return the operations of the convolutions after one fusion chain."""
    half = preset.features // 2
    first = 18.0 * preset.features * half * _RAY_PIXELS_PER_PATCH * _count_patches(size)
    return first + stacks * 18.0 * half * _OUTPUT_CHANNELS * size[0] * size[1]


def count_head_bytes(preset: HeadPreset, size: tuple[int, int], *, with_rays: bool) -> float:
    """Return the memory that one view takes at the widest place of the any-view head, float32.

    Beside the projected levels and the pyramid these are: the finest map before and after it is
    brought to the size of the image; that map with the hidden channels and the logits; or, with
    rays, two maps of the ray branch at full width and one at half. What libraries add for their
    own use is not counted.
    """
    patches, pixels = _count_patches(size), size[0] * size[1]
    fine, half = _RAY_PIXELS_PER_PATCH * patches, preset.features // 2
    held = preset.features * sum(_STAGE_PIXELS) * patches
    steps = [half * (fine + pixels), (half + _OUTPUT_CHANNELS + 2) * pixels]
    if with_rays:
        steps.append((2 * preset.features + half) * fine + 2 * pixels)
    return 4.0 * (held + max(steps)) + count_projected_bytes(preset, size)


def count_projected_bytes(preset: HeadPreset, size: tuple[int, int]) -> float:
    """Return the memory that the four levels of one view take until the head needs them."""
    return 4.0 * sum(preset.out_channels) * _count_patches(size)
