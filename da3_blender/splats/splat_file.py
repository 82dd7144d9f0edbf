# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The .splat files of web viewers: 32 bytes a Gaussian, one colour for all directions.

Runs in both processes. Source of the layout: antimatter15/splat: position and scale as six floats,
red, green, blue and opacity as bytes, the quaternion wxyz as bytes around 128.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.whole_file import open_whole
from .cloud import GaussianCloud, normalise_rotations
from .failures import check_count, make_unreadable
from .harmonics import coefficient_to_colour, colour_to_coefficient
from .spz_file import to_bytes

if TYPE_CHECKING:
    from pathlib import Path

_ROW: Final = np.dtype(
    [("place", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("rotation", "u1", 4)]
)


def read_splat(path: Path) -> GaussianCloud:
    """Read a file.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_EMPTY.
    """
    size = path.stat().st_size
    if size % _ROW.itemsize:
        raise make_unreadable(
            path,
            f"is no .splat file or ends too early: {size:,} bytes are no multiple of 32.",
            "Copy or download it again.",
        )
    check_count(path, size // _ROW.itemsize)
    rows = np.fromfile(path, _ROW)
    colours = rows["colour"] / np.float32(255)
    harmonics = colour_to_coefficient(colours[:, :3]).astype(np.float32)[:, :, None]
    rotations = (rows["rotation"].astype(np.float32) - 128) / 128
    return GaussianCloud(
        rows["place"].astype(np.float32),
        rows["scale"].astype(np.float32),
        normalise_rotations(rotations),
        colours[:, 3].copy(),
        harmonics,
    )


def write_splat(path: Path, cloud: GaussianCloud) -> None:
    """Write a file, the Gaussians that matter most first, so that viewers can show it early.

    Errors: colours and opacity 1/510, rotations 0.0079; degrees above 0 are left out.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    weight = cloud.scales.prod(axis=1, dtype=np.float64) * cloud.opacities
    cloud = cloud.limit_degree(0).take(np.argsort(-weight, kind="stable"))
    rows = np.empty(cloud.count, _ROW)
    rows["place"] = cloud.positions
    rows["scale"] = cloud.scales
    rows["colour"][:, :3] = to_bytes(coefficient_to_colour(cloud.harmonics[:, :, 0]) * 255)
    rows["colour"][:, 3] = to_bytes(cloud.opacities * 255)
    rows["rotation"] = to_bytes(normalise_rotations(cloud.rotations) * 128 + 128)
    with open_whole(path) as file:
        file.write(rows.tobytes())
