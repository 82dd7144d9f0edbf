# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture file, without a set around it.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .picture_file import decode_picture
from .unusable import UnusableFile

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def read_picture(path: Path, least_side: int = 0) -> NDArray[np.uint8]:
    """Decode a picture; not for EXR files, whose exposure depends on their set.

    Args:
        path: of the file.
        least_side: as in `PhotoSource.iterate`.

    Returns:
        (height, width, 3) uint8 sRGB, upright.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE, with the path.
    """
    try:
        return decode_picture(path, least_side)
    except UnusableFile as finding:
        raise finding.to_error(path) from finding
