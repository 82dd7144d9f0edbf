# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Smaller photos for the feature search.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reduce_photo(image: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Reduce a photo so that its longer side has at most `max_side` pixels.

    Every new pixel is the exact average of the area it covers, so the edges of the two pictures
    coincide: x_photo = x_reduced * W / W_reduced, with the first pixel's centre at (0.5, 0.5).

    Args:
        image: (H, W, 3) uint8.
        max_side: pixels, at least 1.

    Returns:
        (h, w, 3) uint8; the photo itself where it is small enough.
    """
    height, width, _ = image.shape
    longer = max(height, width)
    if longer <= max_side:
        return image
    new_height = max(1, round(height * max_side / longer))
    new_width = max(1, round(width * max_side / longer))
    rows = _average_rows(image, new_height)  # (h, W, 3)
    columns = _average_rows(rows.swapaxes(0, 1), new_width)  # (w, h, 3)
    return np.ascontiguousarray((columns.swapaxes(0, 1) + np.float32(0.5)).astype(np.uint8))


def _average_rows(pixels: NDArray[np.generic], count: int) -> NDArray[np.float32]:
    """Average (H, W, 3) along its first axis to (count, W, 3), with fractions of rows."""
    size = len(pixels)
    edges = np.arange(count + 1) * size  # in units of 1 / count rows: exact integers
    first = edges // count
    fraction = ((edges % count) / count).astype(np.float32)[:, None, None]
    total = np.add.reduceat(pixels, first[:-1], axis=0, dtype=np.float32)
    # Whole rows were added; the row that an edge cuts belongs to both sides by its shares.
    cut = pixels[np.minimum(first, size - 1)] * fraction
    return (total - cut[:-1] + cut[1:]) / np.float32(size / count)
