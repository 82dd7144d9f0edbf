# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a chunk lies in its predecessor's world: from the cameras and depth of shared frames.

Runs in the engine. Cameras and the ratio of depths need no clouds and do not mind what moves; the
points of both depth maps check them, and stand in where the cameras disagree among themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.rotations import find_nearest_rotation, measure_angle
from ..contract.similarity import Sim3, fit_sim3
from .point_alignment import Alignment, align_points, combine_confidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PAIRS: Final = 30_000
_LEAST_CONFIDENCE: Final = 0.1
"""Share of the median below which a pixel tells nothing."""
_WORST_ANGLE: Final = 3.0
"""Degrees by which the cameras of shared frames may differ from their common rotation."""
_WORST_SHIFT: Final = 0.03
"""The same for their centres, as a share of the median depth."""
_FEWEST_PIXELS: Final = 50
_MOST_FRAME_PIXELS: Final = 4096
"""Of a frame, for the ratio of its depths."""
_SCALE_ROUNDS: Final = 3
_LEAST_SCALE_ERROR: Final = 0.006
"""The depths of all frames may share an error of this size."""
_LEAST_WAY_ERROR: Final = 1e-3
_FEWEST_CENTRES: Final = 4
_AGREEMENT: Final = 0.1
"""Points that differ by less than this share of their depth agree."""


class SharedFrames(NamedTuple):
    """What one chunk says about frames that another one has too.

    Attributes:
        depth: (F, H, W) float32, units of the chunk; 0 where nobody knows: sky, masks, edges.
        confidence: (F, H, W) float32, larger is better, 0 or more.
        w2c: (F, 4, 4) float64, OpenCV, world of the chunk.
        K: (F, 3, 3) float64, pixels of the depth map.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]


class Seam(NamedTuple):
    """How two chunks lie to each other.

    Attributes:
        first_from_second: the similarity.
        inliers: share 0..1 of the pixels whose depths agree after it.
        angle_deg: median angle between the cameras of shared frames after it.
        shift: median distance of their centres, share of the median depth.
        source: "cameras" or "points".
        typical: median depth of the shared frames, units of the first chunk.
        depth_error: expected error of the logarithm of the scale that the depths give.
        scale_error: the same with what the cameras say.
        frame_scales: (F,) float64, ratio of the depths of each frame, first to second; NaN where
            too little is known in both.
    """

    first_from_second: Sim3
    inliers: float
    angle_deg: float
    shift: float
    source: str
    typical: float
    depth_error: float
    scale_error: float
    frame_scales: NDArray[np.float64]


def measure_depth_scale(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    first_confidence: NDArray[np.floating],
    second_confidence: NDArray[np.floating],
) -> float | None:
    """Return s with first ~ s * second: the weighted median of the ratios.

    Args:
        first: any shape, positive where it is known.
        second: the same pixels in the other unit.
        first_confidence: larger is better; the error of a depth goes with depth / confidence.
        second_confidence: the same.

    Returns:
        The scale; None if fewer than 50 pixels are known in both.
    """
    first, second = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    one, two = np.ravel(first_confidence), np.ravel(second_confidence)
    good = (first > 0) & (second > 0) & np.isfinite(first) & np.isfinite(second)
    good &= (one > 0) & (two > 0)
    if np.count_nonzero(good) < _FEWEST_PIXELS:
        return None
    near, far = first[good], second[good]
    ratio, trust = np.log(near / far), combine_confidence(one[good], two[good])
    order = np.argsort(ratio)
    weight, scale = trust**2, 1.0
    for _ in range(_SCALE_ROUNDS):
        share = np.cumsum(weight[order])
        scale = float(np.exp(ratio[order][np.searchsorted(share, share[-1] / 2)]))
        # the nearer of both: what is far too deep in one of them must not weigh the most
        weight = (trust * np.minimum(near, scale * far)) ** 2
    return scale


class SharedScale(NamedTuple):
    """The ratio of the units of two chunks, first to second.

    Attributes:
        scale: None where too little depth is known.
        depth_error: expected error of its logarithm, of the depths alone.
        error: the same, of all that is known.
        frame_scales: (F,) float64, of the depths of each frame; NaN where too little is known.
    """

    scale: float | None
    depth_error: float
    error: float
    frame_scales: NDArray[np.float64]


def measure_scale(first: SharedFrames, second: SharedFrames) -> SharedScale:
    """Weigh the ratio of the depths against the ratio of the ways that the cameras have gone.

    A camera that has hardly moved says nothing of the scale, one that has gone far says more than
    depths do, which share an error from frame to frame.
    """
    each = _measure_frame_scales(first, second)
    depth = measure_depth_scale(first.depth, second.depth, first.confidence, second.confidence)
    if depth is None:
        return SharedScale(None, 1.0, 1.0, each)
    known = np.isfinite(each)
    by_depth = _LEAST_SCALE_ERROR
    if known.any():
        by_depth = max(by_depth, float(np.sqrt(np.mean(np.log(each[known] / depth) ** 2))))
    one, two = (invert_rigid(frames.w2c)[:, :3, 3] for frames in (first, second))
    if len(one) < _FEWEST_CENTRES or not np.ptp(two, axis=0).any():
        return SharedScale(depth, by_depth, by_depth, each)
    fitted = fit_sim3(two, one)
    spread = float(np.sqrt(((one - one.mean(0)) ** 2).sum(1).mean()))
    rest = float(np.sqrt(((fitted.apply_to_points(two) - one) ** 2).sum(1).mean()))
    # what is left is drift, which does not average out
    by_way = max(rest / max(spread, 1e-12), _LEAST_WAY_ERROR)
    weights = np.array([by_depth, by_way]) ** -2.0
    both = np.log([depth, max(fitted.scale, 1e-12)])
    scale = float(np.exp(weights @ both / weights.sum()))
    return SharedScale(scale, by_depth, float(weights.sum() ** -0.5), each)


def _align_cameras(first: SharedFrames, second: SharedFrames, scale: float) -> Sim3:
    """Find first_from_second from the poses of shared frames."""
    rotation = find_nearest_rotation(
        np.einsum("fji,fjk->ik", first.w2c[:, :3, :3], second.w2c[:, :3, :3])
    )
    one, two = (invert_rigid(frames.w2c)[:, :3, 3] for frames in (first, second))
    return Sim3(scale, rotation, np.median(one - scale * two @ rotation.T, axis=0))


def align_frames_by_points(first: SharedFrames, second: SharedFrames) -> Alignment | None:
    """Find first_from_second from the points of both depth maps; None if too few are known."""
    floor = _LEAST_CONFIDENCE * min(
        float(np.median(first.confidence)), float(np.median(second.confidence))
    )
    good = (first.depth > 0) & (second.depth > 0)
    good &= (first.confidence > floor) & (second.confidence > floor)
    good &= (first.confidence > 0) & (second.confidence > 0)
    place = np.flatnonzero(good)
    if len(place) < _FEWEST_PIXELS:
        return None
    place = place[:: max(1, -(-len(place) // _MOST_PAIRS))]
    confidence = combine_confidence(
        first.confidence.reshape(-1)[place], second.confidence.reshape(-1)[place]
    )
    return align_points(lift_pixels(second, place), lift_pixels(first, place), confidence)


def align_overlap(first: SharedFrames, second: SharedFrames) -> Seam | None:
    """Find how the second chunk lies in the first one's world.

    Args:
        first: what the earlier chunk says about the shared frames.
        second: what the later one says about the same frames, on the same grid.

    Returns:
        The better of two ways; None if the frames know too little in common.
    """
    scale = measure_scale(first, second)
    seams = []
    if scale.scale is not None:
        by_cameras = _align_cameras(first, second, scale.scale)
        seam = judge_overlap(first, second, by_cameras, "cameras", scale)
        if seam.angle_deg <= _WORST_ANGLE and seam.shift <= _WORST_SHIFT:
            return seam
        seams.append(seam)
    by_points = align_frames_by_points(first, second)
    if by_points is not None:
        sim = by_points.target_from_source
        seams.append(judge_overlap(first, second, sim, "points", scale))
    return max(seams, key=lambda each: each.inliers, default=None)


def judge_overlap(
    first: SharedFrames, second: SharedFrames, sim: Sim3, source: str, scale: SharedScale
) -> Seam:
    """Tell how well a similarity fits what both chunks say about the same frames.

    Args:
        first: what the earlier chunk says.
        second: what the later one says.
        sim: first_from_second.
        source: "cameras" or "points".
        scale: of the same frames.
    """
    moved = sim.apply_to_w2c(second.w2c)
    angles = np.degrees(measure_angle(first.w2c[:, :3, :3], moved[:, :3, :3]))
    known = (first.depth > 0) & (second.depth > 0)
    typical = float(np.median(first.depth[known])) if known.any() else 1.0
    centres = invert_rigid(first.w2c)[:, :3, 3] - invert_rigid(moved)[:, :3, 3]
    shift = float(np.median(np.linalg.norm(centres, axis=1))) / max(typical, 1e-12)
    return Seam(
        sim,
        _count_inliers(first, second, sim, known),
        float(np.median(angles)),
        shift,
        source,
        typical,
        scale.depth_error,
        scale.error,
        scale.frame_scales,
    )


def _measure_frame_scales(first: SharedFrames, second: SharedFrames) -> NDArray[np.float64]:
    """Return (F,), the ratio of the depths of each single frame."""
    _, height, width = first.depth.shape
    step = max(1, round((height * width / _MOST_FRAME_PIXELS) ** 0.5))
    scales = []
    for frame in range(len(first.depth)):
        part = np.s_[frame, step // 2 :: step, step // 2 :: step]
        scale = measure_depth_scale(
            first.depth[part], second.depth[part], first.confidence[part], second.confidence[part]
        )
        scales.append(np.nan if scale is None else scale)
    return np.array(scales, np.float64)


def _count_inliers(
    first: SharedFrames, second: SharedFrames, sim: Sim3, known: NDArray[np.bool_]
) -> float:
    """Return the share of the known pixels whose points agree to a tenth of their depth."""
    place = np.flatnonzero(known)
    if not len(place):
        return 0.0
    place = place[:: max(1, -(-len(place) // _MOST_PAIRS))]
    moved = lift_pixels(second, place) @ (sim.scale * sim.rotation).T + sim.translation
    distance = np.linalg.norm(lift_pixels(first, place) - moved, axis=1)
    return float(np.mean(distance < _AGREEMENT * first.depth.reshape(-1)[place]))


def lift_pixels(frames: SharedFrames, place: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (M, 3), the points of some pixels in the world of the chunk."""
    _, height, width = frames.depth.shape
    frame, rest = np.divmod(place, height * width)
    row, column = np.divmod(rest, width)
    pixels = np.stack([column + 0.5, row + 0.5, np.ones(len(place))], axis=1)
    inverse = np.linalg.inv(frames.K)[frame]
    local = np.einsum("mij,mj->mi", inverse, pixels)
    local *= frames.depth.reshape(-1)[place, None]
    c2w = invert_rigid(frames.w2c)[frame]
    return np.einsum("mij,mj->mi", c2w[:, :3, :3], local) + c2w[:, :3, 3]
