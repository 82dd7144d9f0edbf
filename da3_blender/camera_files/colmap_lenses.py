# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lenses of COLMAP: its numbers for the models, and which of them we know.

Runs in both processes. Source: COLMAP, src/colmap/sensor/models.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract.lens import Lens
from .refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..contract.camera_file import CameraFile

# In the order of COLMAP's numbers: name and number of parameters.
MODELS: Final = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
    ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
    ("SIMPLE_DIVISION", 4),
    ("DIVISION", 5),
)
_NUMBERS: Final = {name: number for number, (name, _) in enumerate(MODELS)}
_OPENCV_PARAMS: Final = 8


def number_model(name: str) -> int:
    """Return COLMAP's number of a model."""
    return _NUMBERS[name]


def make_lens(path: Path, model: str, size: tuple[int, int], params: Sequence[float]) -> Lens:
    """Build a lens from what COLMAP says.

    Raises:
        EngineError: INPUT_UNREADABLE; we have no such lens.
    """
    values = tuple(float(value) for value in params)
    if model == "FULL_OPENCV" and not any(values[_OPENCV_PARAMS:]):
        model, values = "OPENCV", values[:_OPENCV_PARAMS]
    try:
        return Lens(model, values, *size)
    except ValueError as error:
        raise refuse(
            path,
            f"there is {error}",
            "Undistort the photos with COLMAP's image_undistorter and use its model, or solve "
            "again with a lens of kind OPENCV.",
        ) from error


def share_lenses(cameras: CameraFile) -> tuple[list[Lens], list[int]]:
    """Return the different lenses of all views, and which of them each view has."""
    lenses: list[Lens] = []
    known: dict[Lens, int] = {}
    places: list[int] = []
    for index in range(len(cameras.views)):
        lens = cameras.lens_of(index)
        if lens not in known:
            known[lens] = len(lenses)
            lenses.append(lens)
        places.append(known[lens])
    return lenses, places
