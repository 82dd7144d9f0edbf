# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OpenEXR files with named channels and a data window of their own.

Runs in the engine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import OpenEXR

from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import translate_disk_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


class Window(NamedTuple):
    """Pixels of a picture that may reach beyond its frame.

    left, top: first column and row, negative beyond the frame; width, height: of the whole.
    """

    left: int
    top: int
    width: int
    height: int

    def join(self, other: Window) -> Window:
        """Return the smallest window around both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right = max(self.left + self.width, other.left + other.width)
        bottom = max(self.top + self.height, other.top + other.height)
        return Window(left, top, right - left, bottom - top)


def write_exr(
    path: Path,
    channels: Mapping[str, NDArray[np.floating]],
    size: tuple[int, int],
    window: Window | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write a scan-line file, losslessly compressed, through a temporary name.

    Args:
        path: of the file.
        channels: (H, W) float16 or float32 of the window, by name.
        size: width and height of the frame, the display window.
        window: of the channels; None for the frame.
        attributes: more entries of the header.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    window = window or Window(0, 0, *size)
    low = np.array((window.left, window.top), np.int32)
    header = {
        **(attributes or {}),
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "displayWindow": (np.array((0, 0), np.int32), np.array(size, np.int32) - 1),
        "dataWindow": (low, low + np.array((window.width, window.height), np.int32) - 1),
    }
    planes = {name: np.ascontiguousarray(plane) for name, plane in channels.items()}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with translate_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with OpenEXR.File(header, planes) as file:
                file.write(str(part))
            part.replace(path)
        except RuntimeError as error:  # the library's word for every failure of writing
            raise EngineError(
                ErrorCode.OUTPUT_UNWRITABLE,
                f"{path} could not be written ({error}).",
                "Free some space, or choose a folder that you may write to.",
            ) from error
        finally:
            part.unlink(missing_ok=True)
