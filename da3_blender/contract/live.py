# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in which a long run shows its chunks while it goes on.

Runs in both processes.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .similarity import Sim3

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LIVE_FILE: Final = "live.json"
LIVE_PATTERN: Final = "live_*.npz"


class LiveChunk(NamedTuple):
    """One chunk, in the world and unit of the chunk.

    Attributes:
        points: (M, 3) float32.
        colours: (M, 3) uint8 sRGB.
        w2c: (n, 4, 4) float64, OpenCV.
        K: (n, 3, 3) float64, pixels of the photo.
        frames: (n,) int64, numbers on the time line.
        size: (2,) int64, width and height of the photo.
    """

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    frames: NDArray[np.int64]
    size: NDArray[np.int64]


def name_live_chunk(number: int) -> str:
    """Return the name of the file of a chunk."""
    return f"live_{number:05d}.npz"


def read_live_places(file: Path) -> list[Sim3] | None:
    """Return world_from_chunk of all chunks so far; None if the run is over."""
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return [Sim3.from_json(chunk["place"]) for chunk in content["chunks"]]
    except (OSError, ValueError, KeyError):
        return None


def read_live_chunk(file: Path, number: int) -> LiveChunk | None:
    """Read a chunk; None if the run is over."""
    try:
        with np.load(file.with_name(name_live_chunk(number)), allow_pickle=False) as arrays:
            return LiveChunk(*(arrays[name] for name in LiveChunk._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
