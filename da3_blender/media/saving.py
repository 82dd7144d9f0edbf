# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one picture as JPEG or PNG.

Runs in the engine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from ..contract.result_folder import translate_disk_errors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_FORMAT_OF_SUFFIX: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


def save_photo(array: NDArray[np.uint8], path: Path, quality: int = 95) -> None:
    """Write a picture through a temporary name; folders above it are made.

    Args:
        array: (H, W, 3) uint8 sRGB.
        path: ends in .jpg, .jpeg or .png; an older file is replaced.
        quality: of JPEG, 1 to 100; colours keep their full resolution.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE, with the path.
        ValueError: the array or the extension is another one.
    """
    file_format = _FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if file_format is None:
        message = f"{path.name} must end in .jpg, .jpeg or .png"
        raise ValueError(message)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:  # noqa: PLR2004
        message = f"need (H, W, 3) uint8, got {array.shape} {array.dtype}"
        raise ValueError(message)
    options = {"quality": quality, "subsampling": 0} if file_format == "JPEG" else {}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    picture = Image.fromarray(np.ascontiguousarray(array))
    with translate_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            picture.save(part, format=file_format, **options)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
