# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the three files of a COLMAP model, by COLMAP's own numbers.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
    q = np.asarray(quaternion, np.float64)
    length = np.linalg.norm(q)
    if not length > 0:
        message = "a quaternion has no length"
        raise ValueError(message)
    w, x, y, z = q / length
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = translation
    return pose
