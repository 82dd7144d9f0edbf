# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of coloured points as a PLY file, for programs that start from one.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..contract.whole_file import open_whole

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_cloud_ply(path: Path, points: NDArray[np.floating], colours: NDArray[np.uint8]) -> None:
    """Write points in a binary PLY.

    Args:
        path: of the file.
        points: (M, 3), written as float32 in the frame that they have.
        colours: (M, 3) uint8, sRGB.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    rows = np.empty(len(points), [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    rows["xyz"], rows["rgb"] = points, colours
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += [f"property uchar {name}" for name in ("red", "green", "blue")]
    with open_whole(path) as file:
        file.write("\n".join([*head, "end_header\n"]).encode())
        file.write(rows.tobytes())
