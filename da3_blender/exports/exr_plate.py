# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An EXR picture with all its channels, bent to another shape.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import OpenEXR

from ..contract.errors import EngineError, ErrorCode
from .exr_writing import write_exr

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .exr_writing import Window
    from .resampling import Warp

_FLAT: Final = 2  # dimensions of a channel that is no deep data
# Entries of a header that say what the picture is; the others are about how the file is built.
_KEPT: Final = (
    "chromaticities",
    "framesPerSecond",
    "timeCode",
    "pixelAspectRatio",
    "whiteLuminance",
)


def bend_exr(source: Path, target: Path, warp: Warp, window: Window) -> None:
    """Resample every channel of the first part of a file; number formats stay.

    Args:
        source: the file.
        target: of the new one.
        warp: makes pictures of the window.
        window: data window of the new file; the display window stays.

    Raises:
        EngineError: INPUT_UNREADABLE, DISK_FULL, OUTPUT_UNWRITABLE.
    """
    try:
        with OpenEXR.File(str(source), separate_channels=True) as file:
            header = dict(file.parts[0].header)
            planes = {
                name: _fill_frame(channel.pixels, header)
                for name, channel in file.parts[0].channels.items()
                if channel.pixels is not None and channel.pixels.ndim == _FLAT
            }
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise EngineError(
            ErrorCode.INPUT_UNREADABLE,
            f"{source} is no readable EXR file ({error}).",
            "Export the picture again.",
        ) from error
    size = next(iter(planes.values())).shape[::-1]
    bent = {
        name: warp.apply_to_plane(plane).astype(
            plane.dtype if plane.dtype == np.float16 else np.float32
        )
        for name, plane in planes.items()
    }
    kept = {name: header[name] for name in _KEPT if name in header}
    write_exr(target, bent, (size[0], size[1]), window, kept)


def _fill_frame(pixels: NDArray[Any], header: dict[str, Any]) -> NDArray[Any]:
    """Put the data window into the display window; 0 where there is nothing."""
    (left, top), (right, bottom) = (np.asarray(c, int) for c in header["displayWindow"])
    x, y = (int(value) for value in header["dataWindow"][0])
    frame = np.zeros((bottom - top + 1, right - left + 1), pixels.dtype)
    rows = slice(max(y, top), min(y + pixels.shape[0], bottom + 1))
    columns = slice(max(x, left), min(x + pixels.shape[1], right + 1))
    frame[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = pixels[
        rows.start - y : rows.stop - y, columns.start - x : columns.stop - x
    ]
    return frame
