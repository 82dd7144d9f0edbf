# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a camera that stands still has turned, from its tracks alone.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.rotations import find_nearest_rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .adjustment import TrackedScene

_FEWEST: Final = 8  # tracks that say how a view is turned
_ROUNDS: Final = 10  # of re-weighting
_SURE: Final = 0.002  # radians; larger differences of direction count less and less


def turn_by_tracks(scene: TrackedScene) -> TrackedScene:
    """Turn views one after the other until they see the tracks where earlier views saw them.

    As if all had been taken from one place: good enough to begin with where cameras hardly move.

    Args:
        scene: with rough lenses; rotations of its cameras are replaced, places stay.

    Returns:
        The scene with new rotations; a view with too few tracks turns like the one before.

    Source: Wahba's problem, the rotation between two sets of directions, by Kabsch's method; here
    with weights that fall with the error.
    """
    tracks = scene.tracks
    still = replace(scene, w2c=_forget_turning(scene.w2c))
    _, local = still.cast_rays()  # directions in camera axes
    world_sum = np.zeros((tracks.count, 3))
    w2c = scene.w2c.copy()
    before = w2c[0, :3, :3]
    for view in range(len(w2c)):
        mine = np.flatnonzero((tracks.view == view) & np.isfinite(local).all(axis=1))
        point = tracks.point[mine]
        known = np.linalg.norm(world_sum[point], axis=1) > 0
        if known.sum() >= _FEWEST:
            before = _fit(world_sum[point[known]], local[mine[known]])
        w2c[view, :3, :3] = before
        world_sum[point] += local[mine] @ before
    centre = -np.einsum("nji,nj->ni", scene.w2c[:, :3, :3], scene.w2c[:, :3, 3])
    w2c[:, :3, 3] = -np.einsum("nij,nj->ni", w2c[:, :3, :3], centre)
    return replace(scene, w2c=w2c)


def _forget_turning(w2c: NDArray[np.float64]) -> NDArray[np.float64]:
    plain = w2c.copy()
    plain[:, :3, :3] = np.eye(3)
    return plain


def _fit(world: NDArray[np.float64], local: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation that takes world directions to those of the camera."""
    world = world / np.linalg.norm(world, axis=1, keepdims=True)
    weights = np.ones(len(world))
    rotation = np.eye(3)
    for _ in range(_ROUNDS):
        rotation = find_nearest_rotation((local * weights[:, None]).T @ world)
        off = np.linalg.norm(local - world @ rotation.T, axis=1)
        weights = 1 / np.maximum(off, _SURE)
    return rotation
