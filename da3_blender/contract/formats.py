# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files count as pictures and videos, and how large a picture may be.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PHOTO_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".heic", ".heif", ".exr", ".bmp"}
)
VIDEO_SUFFIXES: Final = frozenset(
    {
        ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".ts", ".mpg",
        ".mpeg", ".wmv", ".3gp", ".ogv", ".flv", ".mxf",
    }
)  # fmt: skip
PHOTO_FORMATS_TEXT: Final = "JPEG, PNG, TIFF, WebP, HEIC, EXR or BMP"

MIN_SIDE_PX: Final = 32
MAX_PIXELS: Final = 400_000_000


def is_photo_name(path: Path) -> bool:
    """Tell by the extension, in any case, whether a file counts as a picture."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_video_name(path: Path) -> bool:
    """Tell by the extension, in any case, whether a file counts as a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES
