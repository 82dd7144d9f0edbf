# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of Gaussians as arrays of a results folder.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from .cloud import GaussianCloud

if TYPE_CHECKING:
    from ..contract.result_folder import Result, ResultWriter

NETWORK_BORDER: Final = 8 / 256
"""Gaussians of pixels nearer to an edge of their photo, as a share of that side, are poor: 8 pixels
of 256 on each side are what the release leaves out."""
# field of a cloud -> array of a result
_ARRAYS: Final = {
    "positions": "splat_positions",
    "scales": "splat_scales",
    "rotations": "splat_rotations",
    "opacities": "splat_opacities",
    "harmonics": "splat_harmonics",
    "views": "splat_view",
    "confidence": "splat_confidence",
    "border": "splat_border",
    "far": "splat_far",
}


def save_splats(cloud: GaussianCloud, writer: ResultWriter) -> None:
    """Write a cloud into a result.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    for field, name in _ARRAYS.items():
        values = getattr(cloud, field)
        if values is not None:
            writer.save_array(name, values)


def load_splats(result: Result) -> GaussianCloud | None:
    """Read the cloud of a result; None if it has none.

    Raises:
        EngineError: RESULT_BROKEN.
    """
    if not result.has(_ARRAYS["positions"]):
        return None
    arrays = {
        field: np.array(result.load(name)) for field, name in _ARRAYS.items() if result.has(name)
    }
    try:
        return GaussianCloud(**arrays)
    except (TypeError, ValueError) as error:  # one is missing, or has another length
        raise EngineError(
            ErrorCode.RESULT_BROKEN,
            f"The splats in {result.folder} cannot be used: {error}.",
            "Run Reconstruct again, or choose another results folder.",
        ) from error
