# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From linear light to 8-bit sRGB, with one exposure for a whole set.

Runs in the engine. The result is for the network and the colours of points; Blender shows the
linear file itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_BRIGHT_PERCENTILE: Final = 90.0
_BRIGHT_TARGET: Final = 0.6  # linear; leaves room for highlights
_SHOULDER: Final = 0.8  # linear; brighter values are bent below 1 and not cut
_MAX_SAMPLES: Final = 100_000  # pixels per picture


def choose_exposure(pictures: Sequence[NDArray[np.float32]]) -> float:
    """Choose one factor that brings a set of pictures into a usable range.

    The brightest tenth of all pixels that are not black begins at 60 % of white.

    Args:
        pictures: (H, W, 3) each, linear Rec. 709, finite and not negative; any sizes.

    Returns:
        Positive factor; 1 if all pixels are black.
    """
    samples = []
    for picture in pictures:
        step = max(1, int(np.sqrt(picture.shape[0] * picture.shape[1] / _MAX_SAMPLES)))
        luminance = picture[::step, ::step] @ _LUMINANCE
        samples.append(luminance[luminance > 0])
    values = np.concatenate(samples) if samples else np.empty(0, np.float32)
    if not len(values):
        return 1.0
    return float(_BRIGHT_TARGET / np.percentile(values.astype(np.float64), _BRIGHT_PERCENTILE))


def map_tones(linear: NDArray[np.float32], exposure: float) -> NDArray[np.uint8]:
    """Expose, bend highlights and encode as sRGB.

    Args:
        linear: (H, W, 3) Rec. 709, finite and not negative.
        exposure: factor from `choose_exposure`.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    with np.errstate(over="ignore"):
        exposed = linear * np.float32(exposure)
    room = 1 - _SHOULDER
    bent = 1 - room * np.exp((_SHOULDER - np.maximum(exposed, _SHOULDER)) / room)
    return encode_srgb(np.where(exposed > _SHOULDER, bent, exposed))


def encode_srgb(linear: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Encode linear values with the sRGB curve.

    Args:
        linear: (...) 0 is black and 1 is white; values outside are clipped.

    Returns:
        (...) uint8.

    Source: IEC 61966-2-1.
    """
    linear = np.clip(linear, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # noqa: PLR2004
    return np.round(curve * 255).astype(np.uint8)
