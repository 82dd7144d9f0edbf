# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network would say of a shot: the truth with errors of a realistic size.

Runs anywhere; numpy only. No checkpoint is needed, and the errors are known. Their sizes are those
of `Errors`; the poses and depth of one shot share a world that is a similarity away from the true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.lens import Lens
from da3_blender.contract.similarity import Sim3

from .motions import make_smooth_noise, turn

if TYPE_CHECKING:
    from .shot import Truth

Array = np.ndarray


@dataclass(frozen=True)
class Errors:
    """How wrong the stand-in is; deviations are root mean squares unless said otherwise.

    Args:
        degrees: of rotations, angle in all; most of it changes smoothly over the frames.
        position: of camera centres, length in all, share of the median depth; likewise.
        single: share of both that is independent in each frame.
        correlation: frames over which the smooth part changes.
        focal: constant factor of the focal length, less 1, its sign by chance.
        focal_jitter: of the focal length from frame to frame.
        depth: of the smooth relative error of depth maps.
        depth_noise: of the independent relative error of their pixels.
        patches: bumps of the smooth error along each side of a depth map.
    """

    degrees: float = 0.3
    position: float = 0.015
    single: float = 0.2
    correlation: float = 8.0
    focal: float = 0.03
    focal_jitter: float = 0.005
    depth: float = 0.04
    depth_noise: float = 0.01
    patches: int = 4


class Start(NamedTuple):
    """What the stand-in says; F frames.

    Args:
        w2c: (F, 4, 4) float64, OpenCV axes, of a world of its own.
        K: (F, 3, 3) float64, pixels of the plate; a pinhole, the middle is the middle.
        depth: (F, h, w) float32 along the axis, units of w2c, of the plate as it is, distortion
            included; 0 for the sky and what the truth does not show.
        confidence: (F, h, w) float32, larger is better, 1 is the least.
        grid_from_photo: (3, 3) float64, pixels of the plate to those of the depth maps.
    """

    w2c: Array
    K: Array
    depth: Array
    confidence: Array
    grid_from_photo: Array

    def make_lens(self, frame: int, size: tuple[int, int]) -> Lens:
        """Return the pinhole of a frame of a plate of this size."""
        k = self.K[frame]
        params = tuple(float(value) for value in (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
        return Lens("PINHOLE", params, *size)


def make_stand_in(truth: Truth, seed: int, errors: Errors | None = None) -> Start:
    """Make cameras and depth with errors, in a world of their own.

    Args:
        truth: of the shot.
        seed: of the errors and the world.
        errors: their sizes.
    """
    errors = errors or Errors()
    rng = np.random.default_rng(seed)
    frames = len(truth.w2c)
    w2c = _disturb_poses(truth, errors, rng)
    K = truth.K.copy()
    factor = 1 + errors.focal * rng.choice([-1, 1])
    factor = factor * (1 + errors.focal_jitter * rng.normal(size=frames))
    K[:, 0, 0] *= factor
    K[:, 1, 1] *= factor
    depth, confidence = _disturb_depth(_bend_depth(truth), errors, rng)
    scale = float(np.exp(rng.normal(0, 0.7)))
    other = Sim3(scale, turn(rng.normal(size=3)), rng.normal(size=3) * 5)
    depth = (depth * scale).astype(np.float32)
    return Start(other.apply_to_w2c(w2c), K, depth, confidence, truth.grid_from_photo)


def _disturb_poses(truth: Truth, errors: Errors, rng: np.random.Generator) -> Array:
    frames = len(truth.w2c)
    noise = np.sqrt(1 - errors.single**2) * make_smooth_noise(rng, frames, 6, errors.correlation)
    noise = (noise + errors.single * rng.normal(size=(frames, 6))) / np.sqrt(3)
    c2w = invert_rigid(truth.w2c)
    c2w[:, :3, :3] = c2w[:, :3, :3] @ turn(np.radians(errors.degrees) * noise[:, :3])
    c2w[:, :3, 3] += errors.position * truth.median_depth * noise[:, 3:]
    return invert_rigid(c2w)


def _bend_depth(truth: Truth) -> Array:
    """Return the true depth as the plate shows it, (F, h, w), of the nearest pixel."""
    if not truth.distortion.any():
        return truth.depth
    frames, height, width = truth.depth.shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    photo = np.stack([x, y], axis=-1) * np.divide(truth.size, [width, height])
    bent = np.zeros_like(truth.depth)
    for frame in range(frames):
        pinhole = truth.make_lens(frame).photo_to_pinhole(photo)
        at = np.floor(pinhole * np.divide([width, height], truth.size)).astype(int)
        inside = (at >= 0).all(-1) & (at < [width, height]).all(-1)
        column, row = np.where(inside[..., None], at, 0).transpose(2, 0, 1)
        bent[frame] = np.where(inside, truth.depth[frame, row, column], 0)
    return bent


def _disturb_depth(depth: Array, errors: Errors, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return depth with errors, and a confidence that is lower where they are larger."""
    frames, height, width = depth.shape
    bumps = errors.patches + 2
    knots = make_smooth_noise(rng, frames, bumps * bumps, errors.correlation)
    knots = knots.reshape(frames, bumps, bumps)
    rows, columns = (_weigh(side, bumps) for side in (height, width))
    smooth = rows @ knots @ columns.T
    smooth *= errors.depth / smooth.std()
    error = smooth + errors.depth_noise * rng.normal(size=depth.shape)
    confidence = 1 + 4 * np.exp(-np.abs(smooth) / errors.depth)
    confidence = np.where(depth > 0, confidence, 1.0)
    return depth * np.exp(error), confidence.astype(np.float32)


def _weigh(side: int, knots: int) -> Array:
    """Return (side, knots) weights of smooth bumps that overlap."""
    at = (np.arange(side) + 0.5) / side * (knots - 1)
    return np.exp(-0.5 * ((at[:, None] - np.arange(knots)) / 0.7) ** 2)
