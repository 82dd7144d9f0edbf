# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slip: by how many pixels of the plate a thing that is pinned in a solved world slides.

Runs anywhere; numpy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.rotations import find_nearest_rotation, measure_angle
from da3_blender.contract.similarity import fit_sim3

from .pinning import pin_points, see_points
from .solved import Solved

if TYPE_CHECKING:
    from .shot import Truth

__all__ = ["Slip", "Solved", "measure_cameras", "measure_slide", "measure_slip"]

Array = np.ndarray
MOST_LOST = 0.1  # share of the frames without a camera above which a shot has failed
_LEAST_EXTENT = 0.01  # of the true path in depths, below which positions are held by rotations


@dataclass(frozen=True)
class Slip:
    """How well solved cameras hold; lengths in pixels of the plate.

    Args:
        frames: with a camera.
        lost: without one.
        has_failed: more than MOST_LOST of the frames are lost, or nothing could be pinned.
        median: of all hidden points in all frames.
        high: 95th percentile of the same.
        worst_frame: largest median of a frame.
        position: root mean square error of camera centres after a similarity, share of the
            median depth.
        degrees: mean error of rotations after that.
    """

    frames: int
    lost: int
    has_failed: bool
    median: float = math.nan
    high: float = math.nan
    worst_frame: float = math.nan
    position: float = math.nan
    degrees: float = math.nan


def measure_slip(truth: Truth, solved: Solved) -> Slip:
    """Pin the hidden points in a solved world and see how far they slide.

    Args:
        truth: of the shot.
        solved: cameras in whatever world.
    """
    frames = len(truth.w2c)
    lost = frames - len(solved.list_placed())
    if lost == frames:
        return Slip(0, lost, has_failed=True)
    pinned = pin_points(truth.pixels, truth.visible, solved)
    slide = measure_slide(pinned, truth.pixels, truth.visible, solved)
    rows = [row[np.isfinite(row)] for row in slide]
    each = np.concatenate(rows)
    position, degrees = measure_cameras(truth, solved)
    if not len(each):
        return Slip(frames - lost, lost, has_failed=True, position=position, degrees=degrees)
    return Slip(
        frames - lost,
        lost,
        lost > MOST_LOST * frames,
        float(np.median(each)),
        float(np.quantile(each, 0.95)),
        max(float(np.median(row)) for row in rows if len(row)),
        position,
        degrees,
    )


def measure_slide(pinned: Array, pixels: Array, visible: Array, solved: Solved) -> Array:
    """Return the distance of pinned points from their true pixels.

    Args:
        pinned: (P, 4) homogeneous points of the solved world.
        pixels: (F, P, 2) true pixels.
        visible: (F, P) bool.
        solved: cameras with lenses.

    Returns:
        (F, P) float64, pixels; NaN where the point is not seen, not pinned, or the frame lost;
        infinite where it lies behind the camera.
    """
    slide = np.full(visible.shape, np.nan)
    for frame in solved.list_placed():
        camera = pinned @ solved.w2c[frame, :3].T
        usable = visible[frame] & np.isfinite(pinned).all(1)
        at = see_points(camera, solved.lenses[frame])
        distance = np.linalg.norm(at - pixels[frame], axis=1)
        slide[frame, usable] = np.where(camera[:, 2] > 0, distance, np.inf)[usable]
    return slide


def measure_cameras(truth: Truth, solved: Solved) -> tuple[float, float]:
    """Return the error of positions, share of the median depth, and of rotations, degrees.

    Where the true camera hardly moves, its positions fix no similarity; rotations then turn the
    world, and positions have no error that means anything: NaN.
    """
    placed = solved.list_placed()
    true, found = truth.w2c[placed], solved.w2c[placed]
    centres, ours = (invert_rigid(each)[:, :3, 3] for each in (true, found))
    # the rotation between the worlds that suits the cameras' rotations best
    between = find_nearest_rotation((true[:, :3, :3].transpose(0, 2, 1) @ found[:, :3, :3]).sum(0))
    extent = float(np.linalg.norm(centres - centres.mean(0), axis=1).max())
    position = float("nan")
    if len(placed) >= 3 and extent > _LEAST_EXTENT * truth.median_depth:  # noqa: PLR2004
        moved = _align(ours, centres, between)
        spread = np.sqrt(((moved - centres) ** 2).sum(1).mean())
        position = float(spread / truth.median_depth)
    angle = measure_angle(found[:, :3, :3], true[:, :3, :3] @ between)
    return position, float(np.degrees(angle).mean())


def _align(ours: Array, centres: Array, true_from_found: Array) -> Array:
    """Move (F, 3) centres onto the true ones by a similarity."""
    try:
        return fit_sim3(ours, centres).apply_to_points(ours)
    except ValueError:  # a straight path leaves the roll about itself open; the cameras tell it
        turned = (ours - ours.mean(0)) @ true_from_found.T
        straight = centres - centres.mean(0)
        scale = (turned * straight).sum() / max((turned**2).sum(), 1e-300)
        return turned * scale + centres.mean(0)
