# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo that a camera without distortion would have taken.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.lens import Lens

_BAND_PIXELS: Final = 1 << 20  # pixels undistorted at once, to bound the memory


def undistort_photo(image: NDArray[np.uint8], lens: Lens) -> NDArray[np.uint8]:
    """Make the photo that a pinhole camera with `lens.K` would have taken.

    Args:
        image: (H, W, 3) uint8, the photo, of the lens's size.
        lens: of that photo.

    Returns:
        (H, W, 3) uint8, same size; border pixels are repeated where the photo has none.

    Raises:
        ValueError: the sizes differ.
    """
    if image.shape != (lens.height, lens.width, 3):
        message = f"a photo of shape {image.shape} for a lens of {lens.width} x {lens.height}"
        raise ValueError(message)
    result = np.empty_like(image)
    rows = max(1, _BAND_PIXELS // lens.width)
    columns = np.arange(lens.width) + 0.5
    for top in range(0, lens.height, rows):
        band = np.arange(top, min(top + rows, lens.height)) + 0.5
        pinhole = np.stack(np.meshgrid(columns, band), axis=-1)  # (h, W, 2), pixel centres
        result[top : top + len(band)] = _sample(image, lens.pinhole_to_photo(pinhole))
    return result


def _sample(image: NDArray[np.uint8], at: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Read an image between its pixels, bilinear, clamped at its border.

    Args:
        image: (H, W, 3) uint8.
        at: (h, w, 2) x and y, pixels; the centre of the first pixel is (0.5, 0.5).

    Returns:
        (h, w, 3) uint8.
    """
    height, width, _ = image.shape
    x = np.clip(at[..., 0] - 0.5, 0, width - 1).astype(np.float32)
    y = np.clip(at[..., 1] - 0.5, 0, height - 1).astype(np.float32)
    left = np.minimum(x.astype(np.int32), max(width - 2, 0))
    top = np.minimum(y.astype(np.int32), max(height - 2, 0))
    right_share = (x - left)[..., None]
    bottom_share = (y - top)[..., None]
    flat = image.reshape(-1, 3)
    corner = top * width + left
    right = 1 if width > 1 else 0
    below = width if height > 1 else 0
    upper = _blend(flat[corner], flat[corner + right], right_share)
    lower = _blend(flat[corner + below], flat[corner + below + right], right_share)
    return (_blend(upper, lower, bottom_share) + np.float32(0.5)).astype(np.uint8)


def _blend(
    first: NDArray[Any], second: NDArray[Any], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    start = first.astype(np.float32)
    return start + (second.astype(np.float32) - start) * share
