# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small grey pictures of all frames of a source: enough to tell motion and sharpness, and quick.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .video_file import VideoFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..contract.views import PhotoSource


def iterate_grey(source: PhotoSource, side: int) -> Iterator[NDArray[np.uint8]]:
    """Decode all views in order, one at a time.

    Args:
        source: video or sequence.
        side: pixels of the longer side; smaller pictures stay as they are.

    Yields:
        (h, w) uint8 grey levels. Those of a video are as they are stored, so they may lie on
        their side.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_MISSING with the path.
    """
    if isinstance(source, VideoFile):
        yield from source.iterate_grey(side)
        return
    for _, image in source.iterate(side):
        yield reduce_grey(np.asarray(Image.fromarray(image).convert("L")), side)


def reduce_grey(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return (h, w) with a longer side of at most `side` pixels, each the mean of what it covers.

    Args:
        grey: (H, W) uint8.
        side: pixels.
    """
    height, width = grey.shape
    scale = side / max(height, width)
    if scale >= 1:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
