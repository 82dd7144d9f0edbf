# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about a photo before its pixels are decoded.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .completeness import is_cut_off
from .exif import estimate_focal_px, has_swapped_sides, read_exif
from .exr_file import find_exr_layer, is_exr
from .picture_file import open_picture, read_stored_orientation
from .unusable import UnusableFile, check_file, check_size, describe_os_error

if TYPE_CHECKING:
    from pathlib import Path

# Formats that Blender shows when the extension tells the truth; HEIC is not among them.
_SUFFIXES_OF_FORMAT: Final = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
}
_MODES_FOR_PRINT: Final = ("CMYK", "LAB", "YCbCr")


class PhotoFacts(NamedTuple):
    """Facts from the header of one picture file.

    Args:
        width: pixels, upright.
        height: pixels, upright.
        focal_prior_px: from EXIF, pixels of this picture, or None.
        camera_label: maker, model and lens, or "".
        needs_copy: Blender would show it turned, in wrong colours or not at all.
        has_camera: EXIF names the maker of a camera.
        is_linear: an EXR file, to be tone-mapped.
    """

    width: int
    height: int
    focal_prior_px: float | None = None
    camera_label: str = ""
    needs_copy: bool = False
    has_camera: bool = False
    is_linear: bool = False


def read_photo_facts(path: Path) -> PhotoFacts:
    """Read the header of a picture and check that the file is whole and of a sane size.

    Raises:
        UnusableFile: the file is missing, forbidden, empty, damaged, cut off, no picture, too
            small or too large.
    """
    check_file(path)
    facts = _read_exr_facts(path) if is_exr(path) else _read_picture_facts(path)
    check_size(facts.width, facts.height)
    try:
        is_incomplete = is_cut_off(path)  # last: a header that cannot be read tells more
    except OSError as error:
        raise describe_os_error(error) from error
    if is_incomplete:
        raise UnusableFile(reason="the file is cut off; it may be an incomplete copy or download")
    return facts


def _read_exr_facts(path: Path) -> PhotoFacts:
    layer = find_exr_layer(path)
    return PhotoFacts(
        layer.width, layer.height, needs_copy=path.suffix.lower() != ".exr", is_linear=True
    )


def _read_picture_facts(path: Path) -> PhotoFacts:
    with open_picture(path) as picture:
        exif = read_exif(picture)
        width, height = picture.size
        if has_swapped_sides(read_stored_orientation(picture)):
            width, height = height, width
        is_shown = path.suffix.lower() in _SUFFIXES_OF_FORMAT.get(picture.format or "", ())
        return PhotoFacts(
            width,
            height,
            focal_prior_px=estimate_focal_px(exif, width, height),
            camera_label=exif.label,
            needs_copy=not is_shown or exif.orientation != 1 or picture.mode in _MODES_FOR_PRINT,
            has_camera=bool(exif.maker),
        )
