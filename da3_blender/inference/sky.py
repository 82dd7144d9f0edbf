# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sky is, and how far away it is put.

Runs in the engine.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

SKY_LEVEL = 0.3
"""From here on a pixel is sky: its depth is made up."""
RELEASE_MASK_LEVEL = 0.5
"""The release calls a pixel sky from here on, although it replaces depth from `SKY_LEVEL` on."""
FAR_QUANTILE = 0.99
_MOST_PIXELS_TOO_FEW = 10


def mask_sky(sky: Array, *, matches_release: bool) -> Array:
    """Tell where the sky is.

    Args:
        sky: (N, H, W) float32, 0 or more, as the network gives it.
        matches_release: take the release's higher threshold.

    Returns:
        (N, H, W) bool.
    """
    return sky >= (RELEASE_MASK_LEVEL if matches_release else SKY_LEVEL)


def fill_sky(depth: Array, sky: Array, *, is_joint: bool = False) -> Array:
    """Put the sky at the 0.99 quantile of the depth of everything else.

    A view with ten or fewer pixels of either kind is left alone.

    Args:
        depth: (N, H, W) float32, any unit.
        sky: (N, H, W) float32, 0 or more, as the network gives it.
        is_joint: one distance for all views, so that each changes the others, as the release
            does; otherwise each view has its own.

    Returns:
        (N, H, W) float32, a copy.
    """
    filled = depth.copy()
    groups = [slice(None)] if is_joint else list(range(len(depth)))
    for group in groups:
        is_sky = sky[group] >= SKY_LEVEL
        if has_enough_pixels(is_sky) and has_enough_pixels(~is_sky):
            far = np.quantile(depth[group][~is_sky], FAR_QUANTILE)
            filled[group] = np.where(is_sky, far, depth[group])
    return filled


def has_enough_pixels(mask: Array) -> bool:
    """Tell whether a mask holds enough pixels for statistics."""
    return int(np.count_nonzero(mask)) > _MOST_PIXELS_TOO_FEW
