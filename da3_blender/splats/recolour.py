# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tint, saturation and brightness as one matrix, which colours and coefficients share.

Runs in both processes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from .harmonics import coefficient_to_colour, colour_to_coefficient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .cloud import GaussianCloud

LUMA: Final = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in grey (Rec. 709)."""


def build_factors(tint: Sequence[float], brightness: float) -> NDArray[np.float64]:
    """Return what display values of red, green and blue are multiplied by.

    Args:
        tint: scene-linear red, green, blue (and more), as colours are in Blender.
        brightness: factor of display values.

    Returns:
        (3,)
    """
    linear = np.maximum(np.array(tint[:3], np.float64), 0)
    bright = 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, bright) * brightness  # noqa: PLR2004 - sRGB


def build_colour_matrix(
    tint: Sequence[float], saturation: float, brightness: float
) -> NDArray[np.float64]:
    """Return (3, 3), new from old display values, not limited."""
    grey = np.tile(LUMA, (3, 1))
    mix = saturation * np.eye(3) + (1 - saturation) * grey
    return build_factors(tint, brightness)[:, None] * mix


def recolour_cloud(cloud: GaussianCloud, matrix: NDArray[np.floating]) -> GaussianCloud:
    """Apply a matrix to the colours of all sides.

    Colours are 0.5 plus a sum over coefficients, so all coefficients are multiplied, and the 0.5
    is in that of degree 0. What becomes negative stays so: programs limit it to 0 when they draw.
    """
    if np.allclose(matrix, np.eye(3), atol=1e-6):
        return cloud
    harmonics = np.einsum("ij,gjd->gid", matrix, cloud.harmonics.astype(np.float64))
    colour = coefficient_to_colour(cloud.harmonics[:, :, 0].astype(np.float64)) @ matrix.T
    harmonics[:, :, 0] = colour_to_coefficient(colour)
    return replace(cloud, harmonics=harmonics.astype(np.float32))
