# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the three files of a COLMAP model, by COLMAP's own numbers.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..contract.rotations import quaternion_to_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.lens import Lens


class ModelImage(NamedTuple):
    """One image: px are (F, 2) float64 features, pixels."""

    number: int
    name: str
    camera: int
    w2c: NDArray[np.float64]
    px: NDArray[np.float64]


class ModelPoints(NamedTuple):
    """M points and the L elements of their tracks.

    xyz: (M, 3) float64; rgb: (M, 3) uint8; error: (M,) float64 pixels; image: (L,) numbers of
    images; feature: (L,) features of that image; track: (L,) index of the point.
    """

    xyz: NDArray[np.float64]
    rgb: NDArray[np.uint8]
    error: NDArray[np.float64]
    image: NDArray[np.int64]
    feature: NDArray[np.int64]
    track: NDArray[np.intp]


class ModelParts(NamedTuple):
    """A whole model."""

    lenses: dict[int, Lens]
    images: list[ModelImage]
    points: ModelPoints | None


def make_w2c(quaternion: Sequence[float], translation: Sequence[float]) -> NDArray[np.float64]:
    """Build a (4, 4) pose from a quaternion wxyz of any length but zero, and a translation.

    Raises:
        ValueError: the quaternion is zero.
    """
    pose = np.eye(4)
    pose[:3, :3] = quaternion_to_matrix(quaternion)
    pose[:3, 3] = translation
    return pose
