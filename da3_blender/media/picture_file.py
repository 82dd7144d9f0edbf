# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens and decodes JPEG, PNG, TIFF, WebP, HEIC and BMP files.

Runs in the engine.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError
from pillow_heif import HeifImageFile

from ..contract.formats import MAX_PIXELS
from .colour_profile import convert_to_srgb
from .exif import read_exif, turn_upright
from .linear_light import encode_srgb
from .unusable import UnusableFile, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# Named, so that a file cannot reach Pillow's readers of other formats (PostScript and the like).
# JPEG includes MPO, the format of phones that store several pictures in one file.
_FORMATS: Final = ("JPEG", "PNG", "TIFF", "WEBP", "BMP")
_JPEG_FORMATS: Final = ("JPEG", "MPO")
# What decoders raise for damaged files.
_DAMAGE: Final = (
    SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, RuntimeError,
    OverflowError, struct.error, zlib.error,
)  # fmt: skip
# Factors by which JPEG can be decoded smaller: its blocks have 8 x 8 pixels.
REDUCTIONS: Final = (2, 4, 8)
_STRIP_ROWS: Final = 64
_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture; only its header is read until pixels are asked for.

    Args:
        path: what it is decides the content, not the extension.

    Raises:
        UnusableFile: in the body too: the file is missing, forbidden, damaged, too large or
            no picture.
    """
    # The default refuses 180 megapixels and warns about 90; `check_size` has our own limit.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(0)
            is_heic = head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS
            with HeifImageFile(file) if is_heic else Image.open(file, formats=_FORMATS) as picture:
                yield picture
    except UnidentifiedImageError as error:
        raise UnusableFile(reason="it is not a picture, or its header is damaged") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = MAX_PIXELS / 1e6
        raise UnusableFile(
            reason=f"it is larger than the limit of {limit:.0f} megapixels"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise describe_os_error(error) from error
        raise UnusableFile(reason=f"it is damaged or cut off ({error})") from error
    except _DAMAGE as error:
        raise UnusableFile(reason=f"it is damaged ({error})") from error


def decode_picture(path: Path, least_side: int = 0) -> NDArray[np.uint8]:
    """Decode a picture.

    Args:
        path: of the file.
        least_side: a JPEG comes smaller by one of REDUCTIONS, without decoding it whole, as
            long as its longer side keeps this many pixels; 0 decodes all.

    Returns:
        (H, W, 3) uint8 sRGB, upright; transparency is dropped.

    Raises:
        UnusableFile: the file is missing, forbidden, damaged or no picture.
    """
    with open_picture(path) as picture:
        orientation = read_stored_orientation(picture)
        is_jpeg = picture.format in _JPEG_FORMATS
        factor = _choose_reduction(picture.size, least_side) if is_jpeg and least_side > 0 else 1
        pixels = _decode_plain_jpeg(path, picture, factor) if is_jpeg else None
        if pixels is None:
            if factor > 1:
                picture.draft(None, (picture.width // factor, picture.height // factor))
            picture.load()
            pixels = _to_rgb(picture)
    return np.ascontiguousarray(turn_upright(pixels, orientation))


def _decode_plain_jpeg(path: Path, picture: Image.Image, factor: int) -> NDArray[np.uint8] | None:
    """Decode a JPEG straight into an array, to Pillow's own numbers, in half its time.

    Args:
        path: of the file.
        picture: the same, opened.
        factor: 1 or one of REDUCTIONS.

    Returns:
        (H, W, 3) uint8 sRGB, or None if Pillow has to do it: the file is damaged, which Pillow
        bears or explains, or it has no colours in RGB.
    """
    profile = picture.info.get("icc_profile")
    if picture.mode != "RGB" and (picture.mode != "L" or profile):
        return None
    size = (picture.height // factor, picture.width // factor)
    try:
        pixels = simplejpeg.decode_jpeg(
            path.read_bytes(), "RGB", min_height=size[0], min_width=size[1], min_factor=factor
        )
    except (ValueError, RuntimeError):
        return None
    if pixels.shape[:2] != size:
        return None
    if profile:
        plain = Image.fromarray(pixels)
        converted = convert_to_srgb(plain, profile)
        return pixels if converted is plain else _copy_rgb(converted)
    return pixels


def _choose_reduction(size: tuple[int, int], least_side: int) -> int:
    """Return the largest factor that both sides allow: a rest would shift the picture."""
    fitting = (
        f for f in REDUCTIONS if max(size) >= f * least_side and not any(side % f for side in size)
    )
    return max(fitting, default=1)


def read_stored_orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation that is still to be applied to the picture's pixels."""
    # Pillow turns TIFF and libheif turns HEIC while decoding; their `size` is upright, too.
    return 1 if picture.format in ("TIFF", "HEIF") else read_exif(picture).orientation


def _to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    mode = picture.mode
    if mode.startswith("I;16"):  # Pillow's own conversion clips at 255
        values = np.asarray(picture).astype(np.uint32)
        return _grey_to_rgb(((values + 128) // 257).astype(np.uint8))
    if mode == "I":
        values = np.asarray(picture).astype(np.int64)
        full = 65_535 if values.max(initial=0) <= 65_535 else 2**31 - 1  # noqa: PLR2004 - 16 bit
        return _grey_to_rgb((np.clip(values, 0, full) * 255 // full).astype(np.uint8))
    if mode == "F":  # floating-point TIFF holds linear light
        values = np.nan_to_num(np.asarray(picture), nan=0.0, posinf=1.0, neginf=0.0)
        return _grey_to_rgb(encode_srgb(values))
    if mode in ("LA", "La"):
        picture = picture.convert("L")
    elif mode not in ("RGB", "L", "CMYK", "LAB"):
        picture = picture.convert("RGB")
    profile = picture.info.get("icc_profile")
    picture = convert_to_srgb(picture, profile)
    return _copy_rgb(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _copy_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """Copy the pixels strip by strip: at once, Pillow makes several copies of the whole."""
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    for top in range(0, picture.height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, picture.height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, picture.width, bottom)))
    return pixels


def _grey_to_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=-1)
