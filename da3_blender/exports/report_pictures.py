# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures for a report, with crosses where the points fall.

Runs in the engine.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDTH: Final = 720
_ARM: Final = 4
_MOST_CROSSES: Final = 600
_QUALITY: Final = 72
# Colours from good to bad, told apart by people who do not see red and green too.
_SCALE: Final = ((0, 158, 115), (240, 228, 66), (230, 120, 20), (200, 30, 60))
WORST_PX: Final = 2.0  # the colour changes no more beyond this error


def choose_colours(error_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return (L, 3) colours of errors, from 0 to WORST_PX."""
    share = np.clip(np.asarray(error_px, np.float64) / WORST_PX, 0, 1) * (len(_SCALE) - 1)
    scale = np.array(_SCALE, np.float64)
    channels = [np.interp(share, np.arange(len(_SCALE)), scale[:, axis]) for axis in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def draw_points(
    picture: NDArray[np.uint8],
    size: tuple[int, int],
    px: NDArray[np.floating],
    error_px: NDArray[np.floating],
) -> str:
    """Draw crosses into a reduced picture.

    Args:
        picture: (H, W, 3) uint8 sRGB, of any size.
        size: width and height of the photo that `px` belong to.
        px: (L, 2) where points fall, pixels of the photo.
        error_px: (L,) pixels of the photo.

    Returns:
        A data URI of a WebP picture. Of many points the worst half and some others are drawn.
    """
    width = min(_WIDTH, size[0])
    height = max(1, round(width * size[1] / size[0]))
    reduced = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(reduced)
    order = np.argsort(error_px)  # the worst on top
    if len(order) > _MOST_CROSSES:
        half = _MOST_CROSSES // 2
        rest = order[:-half]
        order = np.r_[rest[:: max(1, len(rest) // half)], order[-half:]]
    at = np.asarray(px, np.float64)[order] * (width / size[0])
    colours = choose_colours(np.asarray(error_px)[order])
    for (x, y), colour in zip(at.tolist(), colours.tolist(), strict=True):
        for shade, thickness in (((0, 0, 0), 3), (tuple(colour), 1)):
            draw.line((x - _ARM, y, x + _ARM, y), fill=shade, width=thickness)
            draw.line((x, y - _ARM, x, y + _ARM), fill=shade, width=thickness)
    buffer = io.BytesIO()
    reduced.save(buffer, format="WEBP", quality=_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
