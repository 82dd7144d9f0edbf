# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One world onto another by cameras that stand in both.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .rotations import find_nearest_rotation, measure_angle
from .similarity import Sim3, fit_sim3

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Centres whose spread across the path is smaller than this share of its length cannot tell how
# the world is rolled about the path; there the cameras' own turns decide.
_FLAT: Final = 0.05
_ENOUGH: Final = 3


def align_poses(
    source: NDArray[np.floating], target: NDArray[np.floating], *, with_scale: bool = True
) -> Sim3:
    """Fit the similarity that takes cameras to the same cameras of another world.

    Where the centres tell the rotation they do, else the cameras' own rotations; one pair is
    enough then, and the scale needs two at different places.

    Args:
        source: (N, 4, 4) camera-to-world, rigid; N >= 1.
        target: (N, 4, 4) the same cameras in the other world, same camera axes.
        with_scale: else the scale is 1.

    Returns:
        `target_from_source`.

    Raises:
        ValueError: there is no pair, or the numbers differ.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape != target.shape or not len(source):
        message = f"need pairs of cameras, got {len(source)} and {len(target)}"
        raise ValueError(message)
    old, new = source[:, :3, 3], target[:, :3, 3]
    if _is_wide(old) and _is_wide(new):
        rotation = fit_sim3(old, new).rotation
    else:
        turns = target[:, :3, :3] @ np.swapaxes(source[:, :3, :3], 1, 2)
        rotation = find_nearest_rotation(turns.sum(axis=0))
    turned = (old - old.mean(axis=0)) @ rotation.T
    spread = float((turned**2).sum())
    scale = 1.0
    if with_scale and spread > 0:
        fitted = float((turned * (new - new.mean(axis=0))).sum()) / spread
        scale = fitted if fitted > 0 else 1.0
    return Sim3(scale, rotation, new.mean(axis=0) - scale * rotation @ old.mean(axis=0))


def measure_residual(
    source: NDArray[np.floating], target: NDArray[np.floating], target_from_source: Sim3
) -> tuple[float, float]:
    """Return how far cameras are from each other after a fit.

    Args:
        source: (N, 4, 4) camera-to-world.
        target: (N, 4, 4) camera-to-world.
        target_from_source: from `align_poses`.

    Returns:
        Root mean square of the distances, units of the target, and of the angles, degrees.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    moved = target_from_source.apply_to_points(source[:, :3, 3])
    distances = np.linalg.norm(moved - target[:, :3, 3], axis=1)
    turned = target_from_source.rotation @ source[:, :3, :3]
    angles = measure_angle(turned, target[:, :3, :3])
    root = len(distances) ** 0.5
    angle = float(np.linalg.norm(angles)) / root
    return float(np.linalg.norm(distances)) / root, float(np.degrees(angle))


def _is_wide(centres: NDArray[np.float64]) -> bool:
    if len(centres) < _ENOUGH:
        return False
    _, widths, _ = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    return float(widths[1]) > _FLAT * float(widths[0])
