# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All arrays of a result in one .npz file, for scripts.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.whole_file import open_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as they are: not compressed, because depth hardly gets smaller by it.

    Args:
        path: of the file, ending in .npz.
        arrays: by name; the names of a results folder are depth, depth_confidence, w2c, K.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    with open_whole(path) as file:
        np.savez(file, **arrays)
