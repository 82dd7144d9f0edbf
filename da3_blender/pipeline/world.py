# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a solver's world upright, stands it on the ground and gives it a size.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.ground_plane import guess_up
from ..contract.similarity import Sim3

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A world without metric scale gets this median distance from cameras to what they see, so that
# Blender's default clipping, grid and tools fit it.
MEDIAN_DEPTH: Final = 4.0
# Share of the points that may lie below the ground: stray points must not lift the scene.
BELOW_GROUND: Final = 0.02
# The cameras' right-vectors must spread at least this much before they decide what is up.
_SAMPLE: Final = 20_000


def find_up(w2c: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate which way is up from how people hold cameras; see `guess_up`.

    Args:
        w2c: (N, 4, 4) world-to-camera, OpenCV axes.

    Returns:
        (3,) float64 unit vector in the world of w2c.
    """
    axes = np.asarray(w2c, np.float64)
    return guess_up(-axes[:, 1, :3], axes[:, 0, :3])


def _turn_upright(w2c: NDArray[np.floating], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation that takes `up` to -y and the mean viewing direction near +z."""
    forward = np.asarray(w2c[:, 2, :3], np.float64).mean(0)
    forward -= (forward @ up) * up
    if np.linalg.norm(forward) < 1e-3:  # noqa: PLR2004 - all look straight down or all around
        right = np.asarray(w2c[0, 0, :3], np.float64)
        forward = np.cross(right, -up)
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(-up, forward), -up, forward])


def _measure_depth(w2c: NDArray[np.floating], points: NDArray[np.floating]) -> float:
    """Return the median over cameras of the median distance to the points before them."""
    medians = []
    for pose in w2c:
        z = points @ pose[2, :3] + pose[2, 3]
        if (z > 0).any():
            medians.append(np.median(z[z > 0]))
    return float(np.median(medians)) if medians else 1.0


def orient_world(
    w2c: NDArray[np.floating], points: NDArray[np.floating], world_up: str, *, is_metric: bool
) -> Sim3:
    """Find the similarity from a solver's world to the one that users get.

    Up becomes -y (Blender: +z), the cameras look towards +z (Blender: +y), the ground is y = 0,
    the middle of the points is over the origin.

    Args:
        w2c: (N, 4, 4) OpenCV world-to-camera.
        points: (M, 3) solver's world; may be empty.
        world_up: "AVERAGE" (`find_up`), "FIRST_CAMERA" (the first camera is level) or "NONE"
            (the solver's rotation and origin stay).
        is_metric: the solver's unit is the metre, so the size stays.

    Returns:
        `world_from_solver`.
    """
    points = np.asarray(points, np.float64)
    points = points[:: max(1, len(points) // _SAMPLE)]
    if not len(points):
        points = invert_rigid(w2c)[:, :3, 3]
    depth = _measure_depth(np.asarray(w2c, np.float64), points)
    scale = 1.0 if is_metric or not depth > 0 else MEDIAN_DEPTH / depth
    if world_up == "NONE":
        return Sim3(scale, np.eye(3), np.zeros(3))
    first = np.asarray(w2c[:1], np.float64)
    up = find_up(w2c) if world_up == "AVERAGE" else -first[0, 1, :3]
    rotation = _turn_upright(w2c if world_up == "AVERAGE" else first, up)
    turned = points @ (scale * rotation).T
    origin = np.median(turned, axis=0)
    origin[1] = np.quantile(turned[:, 1], 1 - BELOW_GROUND)
    return Sim3(scale, rotation, -origin)
