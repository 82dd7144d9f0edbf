# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo pairs of a camera that only turned: they tell nothing about depth.

Runs in the engine.

Without a known focal length COLMAP explains such photos by a wrong lens and invents a shell of
points at one distance, with tiny residuals. The matches show what happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Focal lengths to try, in longer sides of the photo: 14 to 140 mm on a full frame.
_FOCALS: Final = np.geomspace(0.4, 4.0, 60)
_FINE_STEPS: Final = 21
# How far a turned pinhole may miss a homography, in longer sides: 1 pixel of 660.
_TOLERANCE: Final = 0.0015
_GRID: Final = np.stack(
    np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.375, 0.375, 7), [1.0]), axis=-1
).reshape(-1, 3)
_MIN_SHARED: Final = 5  # points of the grid


def count_turning(homographies: NDArray[np.float64]) -> int:
    """Count the pairs that one turning pinhole camera explains, with the best focal length.

    Args:
        homographies: (P, 3, 3) from the first photo of a pair to its second, in coordinates
            with the origin at the photo's middle and the longer side as the unit.

    Returns:
        Number of pairs, 0 to P.
    """
    if not len(homographies):
        return 0
    # A homography has no scale and no sign of its own; a rotation has determinant 1.
    homographies = homographies * np.sign(np.linalg.det(homographies))[:, None, None]
    rough = [float(np.median(_measure_miss(homographies, focal))) for focal in _FOCALS]
    middle = _FOCALS[int(np.argmin(rough))]
    step = _FOCALS[1] / _FOCALS[0]
    fine = middle * np.geomspace(1 / step, step, _FINE_STEPS)
    return max(
        int((_measure_miss(homographies, focal) < _TOLERANCE).sum()) for focal in (*fine, *_FOCALS)
    )


def _measure_miss(homographies: NDArray[np.float64], focal: float) -> NDArray[np.float64]:
    """Return (P,) the largest miss of the best rotation where the photos overlap."""
    camera = np.diag([focal, focal, 1.0])
    u, _, vt = np.linalg.svd(np.linalg.inv(camera) @ homographies @ camera)
    turned = camera @ (u @ vt) @ np.linalg.inv(camera)
    with np.errstate(divide="ignore", invalid="ignore"):  # a grid point may be at the horizon
        target = _apply(homographies)  # (P, 63, 2)
        missed = np.linalg.norm(_apply(turned) - target, axis=-1)
    # Outside of the second photo a homography is a guess.
    is_shared = (np.abs(target) <= 0.5).all(axis=-1)  # noqa: PLR2004 - half the longer side
    worst = np.where(is_shared, np.nan_to_num(missed, nan=np.inf), 0).max(axis=1)
    return np.where(is_shared.sum(axis=1) >= _MIN_SHARED, worst, np.inf)


def normalize_homography(
    homography: NDArray[np.float64], first: tuple[int, int], second: tuple[int, int]
) -> NDArray[np.float64]:
    """Change a homography from pixels to the coordinates of `count_turning`.

    Args:
        homography: (3, 3) pixels of the first photo to pixels of the second.
        first: width and height of the first photo, pixels.
        second: of the second photo.

    Returns:
        (3, 3) float64.
    """
    return _build_frame(second) @ homography @ np.linalg.inv(_build_frame(first))


def _build_frame(size: tuple[int, int]) -> NDArray[np.float64]:
    width, height = size
    longer = max(width, height)
    return np.array(
        [[1 / longer, 0, -width / 2 / longer], [0, 1 / longer, -height / 2 / longer], [0, 0, 1]]
    )


def _apply(homographies: NDArray[np.float64]) -> NDArray[np.float64]:
    points = _GRID @ np.swapaxes(homographies, 1, 2)  # (P, 25, 3)
    return points[..., :2] / points[..., 2:]
