# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resize 8-bit pictures the way the network saw them in training.

Runs in the engine. Source: the box average and the cubic filter of OpenCV 4, written from
their documented arithmetic; results differ by at most one grey level.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray

_CUBIC_A = -0.75
_LEAST_OVERLAP = 1e-3
"""Slivers of a source pixel below this are left out of a box."""
_PIXELS_IN_16_BITS = 256
_ROWS_PER_PIECE = 32
"""Rows that are narrowed together, so that they stay in the processor's cache."""


def resize_by_area(image: Array, width: int, height: int) -> Array:
    """Shrink by averaging the box of source pixels under each new pixel.

    Args:
        image: (H, W, 3) uint8.
        width: new width, at most W.
        height: new height, at most H.

    Returns:
        (height, width, 3) uint8.
    """
    down, across = image.shape[0] / height, image.shape[1] / width
    if down.is_integer() and across.is_integer():
        return _average_blocks(image, int(down), int(across))
    # columns first, one tap after the other in float32: the order decides how ties round
    columns, weights = _build_boxes(image.shape[1], width)
    narrow = np.empty((image.shape[0], width, 3), np.float32)
    for first in range(0, image.shape[0], _ROWS_PER_PIECE):
        rows = slice(first, first + _ROWS_PER_PIECE)
        narrow[rows] = _add_taps(image[rows].swapaxes(0, 1), columns, weights).swapaxes(0, 1)
    total = _add_taps(narrow, *_build_boxes(image.shape[0], height))
    return np.rint(total).astype(np.uint8)


def resize_by_cubic(image: Array, width: int, height: int) -> Array:
    """Resize with a cubic filter of four taps; nothing is smoothed where a side shrinks.

    Args:
        image: (H, W, 3) uint8.
        width: new width.
        height: new height.

    Returns:
        (height, width, 3) uint8.
    """
    columns, across = _build_cubic_taps(image.shape[1], width)
    rows, down = _build_cubic_taps(image.shape[0], height)
    wide = np.zeros((image.shape[0], width, 3))
    for tap in range(4):
        wide += image[:, columns[tap]] * across[tap][None, :, None]
    total = np.zeros((height, width, 3))
    for tap in range(4):
        total += wide[rows[tap]] * down[tap][:, None, None]
    return np.clip(np.rint(total), 0, 255).astype(np.uint8)


def _average_blocks(image: Array, down: int, across: int) -> Array:
    """Average blocks of whole pixels (H, W, 3) uint8; only blocks of 2 x 2 round halves up."""
    # 256 pixels of 255 still fit into 16 bits, which are half as much to move
    kind = np.uint16 if down * across <= _PIXELS_IN_16_BITS else np.uint32
    height, width = image.shape[0] // down, image.shape[1] // across
    lines = image.reshape(height, down, -1)
    rows = np.empty((height, lines.shape[2]), kind)
    for first in range(0, height, _ROWS_PER_PIECE):
        piece = slice(first, first + _ROWS_PER_PIECE)
        np.add.reduce(lines[piece], axis=1, dtype=kind, out=rows[piece])
    total, left = rows.reshape(height, width, across * 3), across
    while left % 2 == 0:  # halves of a block at a time: long runs of numbers, not three
        left //= 2
        total = total[..., : left * 3] + total[..., left * 3 :]
    total = total.reshape(height, width, left, 3)
    rest, total = total[:, :, 1:], total[:, :, 0].copy()
    for column in range(left - 1):
        total += rest[:, :, column]
    if (down, across) == (2, 2):
        return ((total + kind(2)) >> kind(2)).astype(np.uint8)
    return np.rint(total.astype(np.float32) * np.float32(1 / (down * across))).astype(np.uint8)


def _add_taps(x: Array, taps: Array, weights: Array) -> Array:
    """Sum weighted rows of x (S, ...) for taps and weights (k, count) into (count, ...) float32."""
    total = np.zeros((taps.shape[1], *x.shape[1:]), np.float32)
    for tap, weight in zip(taps, weights, strict=True):
        total += x[tap] * weight[:, None, None]
    return total


def _build_boxes(size: int, count: int) -> tuple[Array, Array]:
    """Return source indices (k, count) int64 and weights (k, count) float32 of the boxes.

    Boxes with fewer than k source pixels are filled up with weight 0.
    """
    scale = size / count
    most = math.ceil(scale) + 2
    taps, weights = np.zeros((most, count), np.int64), np.zeros((most, count), np.float32)
    for index in range(count):
        low, high = index * scale, (index + 1) * scale
        extent = min(scale, size - low)
        last = min(math.floor(high), size - 1)
        first = min(math.ceil(low), last)
        box = [(pixel, 1.0) for pixel in range(first, last)]
        if first - low > _LEAST_OVERLAP:
            box.insert(0, (first - 1, first - low))
        if high - last > _LEAST_OVERLAP:
            box.append((last, min(high - last, 1.0, extent)))
        for tap, (pixel, share) in enumerate(box):
            taps[tap, index], weights[tap, index] = pixel, share / extent
    return taps, weights


def _build_cubic_taps(size: int, count: int) -> tuple[Array, Array]:
    """Return source indices (4, count) int64 and weights (4, count) float64."""
    place = (np.arange(count) + 0.5) * (size / count) - 0.5
    start = np.floor(place).astype(np.int64)
    t = place - start
    a = _CUBIC_A

    def near(d: Array) -> Array:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Array) -> Array:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weights = np.stack((far(1 + t), near(t), near(1 - t), far(2 - t)))
    taps = np.clip(start + np.arange(-1, 3)[:, None], 0, size - 1)
    return taps, weights
