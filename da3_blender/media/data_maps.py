# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads pictures that are measurements: depth maps and masks.

Runs in the engine. Nothing is turned, tone-mapped or colour-managed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .exr_file import read_exr_depth
from .picture_file import open_picture
from .unusable import UnusableFile, check_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DEPTH_SUFFIXES: Final = (".npy", ".exr", ".png")
_PLANE_AXES: Final = 2


def read_depth_map(
    path: Path, png_scale: float, png_nothing: float | None = None
) -> NDArray[np.float32]:
    """Read a depth map.

    Args:
        path: .npy (any real numbers), .exr, or .png with one channel of 8 or 16 bit.
        png_scale: scene units per level of a PNG.
        png_nothing: level of a PNG that stands for no depth, beside 0; it becomes 0.

    Returns:
        (H, W) float32, scene units along the optical axis; what the file has for "nothing"
        (0, negative, infinite, NaN) as it is.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE with the path.
    """
    try:
        check_file(path)
        if path.suffix.lower() == ".npy":
            return _read_npy(path)
        if path.suffix.lower() == ".exr":
            return read_exr_depth(path)
        levels = _read_plane(path)
        depth = levels.astype(np.float32) * np.float32(png_scale)
        return depth if png_nothing is None else np.where(levels == png_nothing, 0, depth)
    except UnusableFile as finding:
        raise finding.to_error(path) from finding


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask: True where any channel but the opacity is above zero, (H, W).

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE with the path.
    """
    try:
        check_file(path)
        with open_picture(path) as picture:
            picture.load()
            if picture.mode in ("P", "PA"):
                picture = picture.convert("RGB")  # noqa: PLW2901 - the same picture
            pixels = np.asarray(picture)
            has_alpha = picture.mode in ("LA", "La", "RGBA", "RGBa")
    except UnusableFile as finding:
        raise finding.to_error(path) from finding
    if pixels.ndim == _PLANE_AXES:
        return pixels > 0
    return (pixels[..., :-1] if has_alpha else pixels).any(axis=-1)


def _read_npy(path: Path) -> NDArray[np.float32]:
    try:
        depth = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnusableFile(reason=f"it is no readable .npy file ({error})") from error
    if depth.ndim != _PLANE_AXES or depth.dtype.kind not in "fiu":
        raise UnusableFile(
            reason=f"it holds {depth.dtype} of shape {depth.shape}, not one depth map (H, W)"
        )
    return depth.astype(np.float32)


def _read_plane(path: Path) -> NDArray[np.generic]:
    with open_picture(path) as picture:
        picture.load()
        if picture.mode not in ("L", "I", "F") and not picture.mode.startswith("I;16"):
            raise UnusableFile(
                reason=f"it is a picture of kind {picture.mode}, not one channel of depth"
            )
        return np.asarray(picture)
