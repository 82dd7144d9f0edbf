# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points from the rays of their tracks.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .adjustment import TrackedScene
    from .refine_start import RefineStart

# How strongly a point is drawn to its guess: the sine of the angle between rays, below which the
# guess counts more than where the rays come closest.
_WEAK_ANGLE: Final = 0.01


def triangulate(scene: TrackedScene, start: RefineStart, usual_depth: float | None) -> TrackedScene:
    """Place all points where their rays come closest; where these are parallel, at a guess.

    The guess is what the depth maps say, in the middle of the track's views; without one the usual
    depth, or, if that is None, where the point is.

    Args:
        scene: cameras and tracks.
        start: has the depth maps.
        usual_depth: distance from the cameras where nothing else is known; None keeps points
            that no depth map knows where they are, unless they can be placed.

    Source: the least sum of squared distances from a point to rays has a closed form (Szeliski,
    Computer Vision, 2nd edition, section 11.2.4).
    """
    tracks = scene.tracks
    centre, ray = scene.cast_rays()
    distance = _guess_distances(scene, start, usual_depth)
    seen = np.isfinite(ray).all(1) & np.isfinite(distance)
    lifted = centre + ray * distance[:, None]
    across = np.eye(3) - ray[:, :, None] * ray[:, None, :]
    across[~seen] = 0
    wanted = np.where(seen[:, None], lifted, 0)
    count = np.maximum(_sum(seen.astype(float), tracks.point, tracks.count), 1)
    guess = _sum(wanted, tracks.point, tracks.count) / count[:, None]
    normal = _sum(across.reshape(-1, 9), tracks.point, tracks.count).reshape(-1, 3, 3)
    right = _sum(np.einsum("lij,lj->li", across, np.nan_to_num(centre)), tracks.point, tracks.count)
    ridge = (_WEAK_ANGLE**2 * count)[:, None]
    points = np.linalg.solve(
        normal + ridge[:, :, None] * np.eye(3), (right + ridge * guess)[..., None]
    )[..., 0]
    moved = replace(scene, points=points)
    behind = _sum((moved.project()[1] <= 0).astype(float), tracks.point, tracks.count) > 0
    points[behind] = guess[behind]
    return replace(scene, points=points)


def _guess_distances(
    scene: TrackedScene, start: RefineStart, usual_depth: float | None
) -> NDArray[np.float64]:
    """Return how far along its ray each observation's point may be, (L,)."""
    tracks = scene.tracks
    _, ray = scene.cast_rays()
    forward = scene.w2c[tracks.view, 2, :3]
    slant = np.einsum("li,li->l", ray, forward)  # depth of a step along the ray
    known = np.full(len(tracks.px), np.nan)
    for view in range(len(scene.w2c)):
        mine = tracks.view == view
        known[mine] = start.look_up_depth(view, tracks.px[mine])
    if usual_depth is None:
        return np.where(np.isfinite(known), known, scene.project()[1]) / slant
    return np.where(np.isfinite(known), known, usual_depth) / slant


def _sum(values: NDArray[np.float64], group: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Add the rows of each group up, (count, ...)."""
    if values.ndim == 1:
        return np.bincount(group, values, count)
    return np.stack([np.bincount(group, column, count) for column in values.T], axis=1)
