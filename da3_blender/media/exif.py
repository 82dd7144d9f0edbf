# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera wrote beside the pixels: orientation, focal length, maker and lens.

Runs in the engine.
"""

from __future__ import annotations

import logging
import math
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PIL import ExifTags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_LOG = logging.getLogger(__name__)

_FULL_FRAME_DIAGONAL_MM: Final = math.hypot(36.0, 24.0)
_MM_PER_PLANE_UNIT: Final = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
# In longer sides of the picture: a fisheye at one end, a telescope at the other.
_PLAUSIBLE_FOCAL: Final = (0.3, 20.0)
# Cameras round the size in EXIF; a larger difference of the ratio means that it was cropped.
_RATIO_TOLERANCE: Final = 0.02
_SWAPS_SIDES: Final = (5, 6, 7, 8)
# What Pillow raises for damaged EXIF, found by reading its parser.
_EXIF_ERRORS: Final = (
    SyntaxError, struct.error, ValueError, TypeError, KeyError, IndexError, OSError, OverflowError,
)  # fmt: skip


class ExifFacts(NamedTuple):
    """The part of EXIF that we use.

    Args:
        orientation: 1 to 8 as in EXIF; 1 is upright.
        focal_length_mm: of the lens, or None.
        focal_length_35mm: equivalent on a 36 x 24 mm film, mm, or None.
        pixels_per_mm: of the sensor, along x, for a picture of `exif_size`, or None.
        exif_size: width and height in pixels that the camera wrote, or None.
        maker: of the camera; "" for scans, renders and screen shots.
        label: maker, model and lens.
    """

    orientation: int = 1
    focal_length_mm: float | None = None
    focal_length_35mm: float | None = None
    pixels_per_mm: float | None = None
    exif_size: tuple[float, float] | None = None
    maker: str = ""
    label: str = ""


def read_exif(picture: Image.Image) -> ExifFacts:
    """Read EXIF of an opened picture, not its pixels; damaged EXIF counts as none."""
    # For a PNG, Pillow would decode the pixels to look behind them, and hide that they are broken.
    if picture.format == "PNG" and "exif" not in picture.info:
        return ExifFacts()
    try:
        top = picture.getexif()
        inner = top.get_ifd(ExifTags.IFD.Exif)
        tags: dict[int, Any] = dict(top) | dict(inner)
    except _EXIF_ERRORS as error:
        _LOG.info("EXIF of %s cannot be read: %s", getattr(picture, "filename", ""), error)
        return ExifFacts()
    base = ExifTags.Base
    orientation = tags.get(base.Orientation)
    unit_mm = _MM_PER_PLANE_UNIT.get(_to_number(tags.get(base.FocalPlaneResolutionUnit, 2)) or 2)
    per_unit = _to_number(tags.get(base.FocalPlaneXResolution))
    width, height = (
        _to_number(tags.get(tag)) for tag in (base.ExifImageWidth, base.ExifImageHeight)
    )
    maker = _to_text(tags.get(base.Make))
    return ExifFacts(
        orientation=orientation if orientation in range(1, 9) else 1,
        focal_length_mm=_to_number(tags.get(base.FocalLength)),
        focal_length_35mm=_to_number(tags.get(base.FocalLengthIn35mmFilm)),
        pixels_per_mm=per_unit / unit_mm if per_unit and unit_mm else None,
        exif_size=(width, height) if width and height else None,
        maker=maker,
        label=_join_label(
            maker, _to_text(tags.get(base.Model)), _to_text(tags.get(base.LensModel))
        ),
    )


def has_swapped_sides(orientation: int) -> bool:
    """Tell whether width and height change places when the picture is turned upright."""
    return orientation in _SWAPS_SIDES


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror a picture as EXIF asks.

    Args:
        pixels: (H, W, 3) as stored in the file.
        orientation: 1 to 8.

    Returns:
        (H, W, 3), or (W, H, 3) for orientations 5 to 8; a view of `pixels`.
    """
    if has_swapped_sides(orientation):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def estimate_focal_px(facts: ExifFacts, width: int, height: int) -> float | None:
    """Estimate the focal length from EXIF.

    Args:
        facts: of the picture.
        width: pixels of the picture; upright or as stored makes no difference.
        height: pixels.

    Returns:
        Pixels of this picture, or None if EXIF does not tell, was written before the picture
        was cropped, or gives less than 0.3 or more than 20 longer sides.
    """
    longer, shorter = max(width, height), min(width, height)
    scale = 1.0
    if facts.exif_size is not None:
        exif_longer, exif_shorter = max(facts.exif_size), min(facts.exif_size)
        ratio_change = (longer / shorter) / (exif_longer / exif_shorter)
        if abs(ratio_change - 1) > _RATIO_TOLERANCE:
            return None
        scale = longer / exif_longer
    guesses: list[float] = []
    if facts.focal_length_35mm:
        diagonal = math.hypot(width, height)
        guesses.append(facts.focal_length_35mm / _FULL_FRAME_DIAGONAL_MM * diagonal)
    if facts.focal_length_mm and facts.pixels_per_mm:
        guesses.append(facts.focal_length_mm * facts.pixels_per_mm * scale)
    low, high = _PLAUSIBLE_FOCAL
    return next((px for px in guesses if low * longer <= px <= high * longer), None)


def _to_number(value: object) -> float | None:
    """Return a positive finite number, or None for anything else a broken file may hold."""
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    if value is None or isinstance(value, (str, bytes, tuple)):
        return None
    number = float(value)  # type: ignore[arg-type] - int, float or Pillow's rational
    return number if math.isfinite(number) and number > 0 else None


def _to_text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in value.split("\0", 1)[0])
    return " ".join(printable.split())


def _join_label(maker: str, model: str, lens: str) -> str:
    if model.casefold().startswith(maker.casefold()):
        maker = ""
    return " ".join(part for part in (maker, model, lens) if part)
