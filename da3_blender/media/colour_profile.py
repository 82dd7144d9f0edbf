# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour profiles of photos: Display P3, Adobe RGB and print profiles to sRGB.

Runs in the engine.
"""

from __future__ import annotations

import io
import logging
from typing import Final

import numpy as np
from PIL import Image, ImageCms

_LOG = logging.getLogger(__name__)

_MODES_WITH_PROFILES: Final = ("RGB", "L", "CMYK", "LAB")
# Differences of rounding and of the many recipes for the sRGB curve.
_SAME_COLOUR: Final = 3


def convert_to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture from its embedded profile to sRGB.

    Args:
        picture: 8 bit per channel, mode RGB, L, CMYK or LAB; others are returned as they are.
        profile: bytes of the ICC profile, or None.

    Returns:
        Mode RGB after a conversion; `picture` itself if it has no profile, a damaged one, one
        for another mode, or sRGB already.
    """
    if not profile or picture.mode not in _MODES_WITH_PROFILES:
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            picture.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        if picture.mode == "RGB" and _changes_nothing(transform):
            return picture
        return ImageCms.applyTransform(picture, transform) or picture
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        _LOG.info("The colour profile cannot be used: %s", error)
        return picture


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Try a transform on a few colours; names of profiles tell less."""
    steps = np.linspace(0, 255, 5).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(5, 25, 3)
    moved = ImageCms.applyTransform(Image.fromarray(colours), transform)
    difference = np.abs(np.asarray(moved).astype(int) - colours)
    return bool(difference.max() <= _SAME_COLOUR)
