# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures bent to another shape, by cubic interpolation that keeps straight slopes straight.

Runs in the engine. Pillow's own bicubic transform moves what it reads by up to a tenth of a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from .exr_writing import Window

_BAND_PIXELS: Final = 1 << 18  # that are in work at a time
_TAPS: Final = 4


class Warp:
    """A way to resample pictures of one size, prepared once.

    Args:
        window: of the new pictures.
        find_source: takes (..., 2) pixels of the new picture, in the frame of the window, and
            returns those of the old one; NaN for nowhere.
    """

    def __init__(
        self,
        window: Window,
        find_source: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        self._window = window
        self._source = np.empty((window.height, window.width, 2), np.float32)
        x = np.arange(window.width) + window.left + 0.5
        for row in range(window.height):
            pixels = np.stack([x, np.full(window.width, row + window.top + 0.5)], axis=-1)
            self._source[row] = find_source(pixels)

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resample (H, W, 3) uint8; black where there is nothing."""
        result = np.empty((*self._source.shape[:2], picture.shape[2]), np.uint8)
        for band, values in self._iterate(picture):
            result[band] = np.clip(np.rint(values), 0, np.iinfo(np.uint8).max)
        return result

    def apply_to_plane(self, plane: NDArray[np.floating]) -> NDArray[np.float32]:
        """Resample (H, W) numbers; 0 where there is nothing, and no value beyond the old ones."""
        values = np.nan_to_num(np.asarray(plane, np.float32))[..., None]
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        result = np.empty(self._source.shape[:2], np.float32)
        for band, bent in self._iterate(values):
            result[band] = np.clip(bent[..., 0], low, high)
        return result

    def _iterate(self, picture: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield rows and their (h, W, C) float32 values."""
        rows = max(1, _BAND_PIXELS // self._window.width)
        for top in range(0, self._window.height, rows):
            band = slice(top, top + rows)
            yield band, _sample(picture, self._source[band])


def _sample(picture: NDArray[Any], at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read a picture between its pixels with the spline of Catmull and Rom.

    Args:
        picture: (H, W, C).
        at: (h, w, 2) x and y, pixels; NaN or outside gives 0. Border pixels are repeated.
    """
    height, width, channels = picture.shape
    flat = picture.reshape(-1, channels)
    with np.errstate(invalid="ignore"):
        inside = np.all((at >= 0) & (at <= np.array([width, height], np.float32)), axis=-1)
    x, y = np.where(np.expand_dims(inside, -1), at, 0.5).reshape(-1, 2).T - np.float32(0.5)
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    weight_x, weight_y = _weigh(x - left), _weigh(y - top)
    columns = [np.clip(left + tap - 1, 0, width - 1) for tap in range(_TAPS)]
    total = np.zeros((len(x), channels), np.float32)
    for tap in range(_TAPS):
        row = np.clip(top + tap - 1, 0, height - 1) * width
        line = np.zeros_like(total)
        for column, weight in zip(columns, weight_x, strict=True):
            line += flat[row + column] * weight[:, None]
        total += line * weight_y[tap][:, None]
    total[~np.ravel(inside)] = 0
    return total.reshape(*at.shape[:2], channels)


def _weigh(share: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Return the weights of the four neighbours, the second of which lies `share` before."""
    t, t2 = share, share * share
    t3 = t2 * t
    half = np.float32(0.5)
    return [
        half * (-t3 + 2 * t2 - t),
        half * (3 * t3 - 5 * t2 + 2),
        half * (-3 * t3 + 4 * t2 + t),
        half * (t3 - t2),
    ]
