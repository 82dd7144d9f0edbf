# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins points in a solved world where their true pixels fit best.

Runs anywhere; numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from da3_blender.contract.cameras import invert_rigid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from da3_blender.contract.lens import Lens

    from .solved import Solved

Array = np.ndarray
_STEPS = 60
_DAMPING = 1e-3
_SETTLED = 1e-10  # share of the cost that a last step gains
_STUCK = 1e6  # damping beyond which nothing is to be gained
_STEP = 1e-6  # of numerical derivatives, depths
_LEAST_SIZE = 1e-12
_BEHIND_PX = 1e6  # stands for the slide of a point behind its camera
_FEWEST_FRAMES = 2


def pin_points(pixels: Array, visible: Array, solved: Solved) -> Array:
    """Find where points fit best in a solved world.

    Args:
        pixels: (F, P, 2) true pixels of the plate.
        visible: (F, P) bool.
        solved: cameras with lenses.

    Returns:
        (P, 4) float64, homogeneous and of unit length, so that points of a camera that only
        turns have a place too; NaN where fewer than two frames with a camera see the point.
    """
    placed = solved.list_placed()
    rays = np.zeros((*pixels.shape[:2], 2))
    for frame in placed:
        rays[frame] = _find_rays(pixels[frame], solved.lenses[frame])
    used = visible & np.isfinite(rays).all(-1)  # a lens that folds back sees no such pixel
    rays = np.where(used[..., None], rays, 0.0)
    used[[frame for frame in range(len(used)) if frame not in placed]] = False
    pinned = np.full((pixels.shape[1], 4), np.nan)
    enough = used.sum(0) >= _FEWEST_FRAMES
    if not enough.any():
        return pinned
    used = used[placed][:, enough]
    # a world of convenient place and scale
    w2c = solved.w2c[placed].copy()
    centres = invert_rigid(w2c)[:, :3, 3]
    middle = centres.mean(0)
    size = max(float(np.abs(centres - middle).max()), _LEAST_SIZE)
    w2c[:, :3, 3] = (w2c[:, :3, 3] + w2c[:, :3, :3] @ middle) / size
    sight = _Sight(w2c, [solved.lenses[frame] for frame in placed], pixels[placed][:, enough], used)
    rays = rays[placed][:, enough]
    ends = [_descend(begin, sight) for begin in (_solve_linear(rays, sight), _aim(rays, sight))]
    points = np.where((ends[0][1] < ends[1][1])[:, None], ends[0][0], ends[1][0])
    points[:, :3] = points[:, :3] * size + middle * points[:, 3:]
    pinned[enough] = points / np.linalg.norm(points, axis=1, keepdims=True)
    return pinned


def _find_rays(pixels: Array, lens: Lens) -> Array:
    """Return x / z and y / z of the directions of (P, 2) pixels."""
    K = lens.K
    return (lens.photo_to_pinhole(pixels) - K[:2, 2]) / K[[0, 1], [0, 1]]


class _Sight(NamedTuple):
    """Who sees what: S frames, Q points.

    Args:
        w2c: (S, 4, 4).
        lenses: S of them.
        pixels: (S, Q, 2) true pixels.
        used: (S, Q) bool.
    """

    w2c: Array
    lenses: Sequence[Lens]
    pixels: Array
    used: Array

    def linearise(self, points: Array) -> tuple[Array, Array]:
        """Look at (Q, 4) homogeneous points.

        Returns:
            slide: (S, Q, 2) pixels, 0 where the point is not seen.
            slope: (S, Q, 2, 4), its derivative by the point.
        """
        slide = np.zeros(self.pixels.shape)
        slope = np.zeros((*self.pixels.shape, 4))
        for frame, lens in enumerate(self.lenses):
            camera = points @ self.w2c[frame, :3].T  # (Q, 3)
            step = _STEP * np.abs(camera[:, 2:]) + 1e-300
            moved = camera + step * np.concatenate([np.zeros((1, 3)), np.eye(3)])[:, None]
            at = see_points(moved, lens)  # (4, Q, 2)
            with np.errstate(over="ignore"):  # in the plane of the lens
                bend = (at[1:] - at[0]) / step  # (3, Q, 2)
            good = self.used[frame] & (camera[:, 2] > 0) & np.isfinite(bend).all((0, 2))
            slide[frame] = np.where(good[:, None], at[0] - self.pixels[frame], _BEHIND_PX)
            slide[frame, ~self.used[frame]] = 0
            bend = np.where(good[:, None], bend, 0)
            slope[frame] = np.einsum("cqi,cj->qij", bend, self.w2c[frame, :3])
        return slide, slope


def see_points(camera: Array, lens: Lens) -> Array:
    """Return the pixels of (..., 3) directions."""
    K = lens.K
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        flat = camera[..., :2] / camera[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]
    return lens.pinhole_to_photo(np.where(np.isfinite(flat), flat, _BEHIND_PX))


def _solve_linear(rays: Array, sight: _Sight) -> Array:
    """Return the (Q, 4) null vectors of x P3 - P1 and y P3 - P2, in front of the cameras."""
    rows = rays[..., None] * sight.w2c[:, None, None, 2] - sight.w2c[:, None, :2]  # (S, Q, 2, 4)
    rows = rows * sight.used[..., None, None]
    square = np.einsum("sqia,sqib->qab", rows, rows)
    points = np.linalg.eigh(square)[1][..., 0]
    ahead = np.einsum("sj,qj->sq", sight.w2c[:, 2], points)
    side = np.sign((np.sign(ahead) * sight.used).sum(0))
    return points * np.where(side == 0, 1, side)[:, None]


def _aim(rays: Array, sight: _Sight) -> Array:
    """Return (Q, 4) points infinitely far away in the mean direction.

    Where the camera hardly moves, the linear solution may be the camera itself.
    """
    away = np.append(rays, np.ones((*rays.shape[:2], 1)), axis=-1)
    away *= (sight.used / np.linalg.norm(away, axis=-1))[..., None]
    mean = np.einsum("sji,sqj->qi", sight.w2c[:, :3, :3], away)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return np.append(mean, np.zeros((len(mean), 1)), axis=1)


def _descend(points: Array, sight: _Sight) -> tuple[Array, Array]:
    """Improve (Q, 4) points by Levenberg and Marquardt; return them and their (Q,) costs."""
    damping = np.full(len(points), _DAMPING)
    slide, slope = sight.linearise(points)
    cost = (slide**2).sum((0, 2))
    for _ in range(_STEPS):
        basis = np.linalg.svd(points[:, None])[2][:, 1:].transpose(0, 2, 1)  # (Q, 4, 3)
        part = np.einsum("sqij,qjk->sqik", slope, basis)
        square = np.einsum("sqik,sqil->qkl", part, part)
        right = np.einsum("sqik,sqi->qk", part, slide)
        diagonal = np.einsum("qkk->qk", square)
        damped = square + (damping[:, None] * diagonal + 1e-12)[..., None] * np.eye(3)
        step = np.einsum("qjk,qk->qj", basis, np.linalg.solve(damped, -right[..., None])[..., 0])
        moved = points + step
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        new_slide, new_slope = sight.linearise(moved)
        new_cost = (new_slide**2).sum((0, 2))
        better = new_cost < cost
        gain = np.where(better, cost - new_cost, 0.0)
        points = np.where(better[:, None], moved, points)
        slide = np.where(better[:, None], new_slide, slide)
        slope = np.where(better[:, None, None], new_slope, slope)
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-12, 1e12)
        settled = np.where(better, gain < _SETTLED * cost, damping >= _STUCK)
        cost = np.where(better, new_cost, cost)
        if settled.all():
            break
    return points, cost
