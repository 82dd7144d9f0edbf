# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera flights through a reconstruction: between its views, around one of them, smoothed.

Runs in both processes. Poses are camera-to-world, OpenCV axes; intrinsics are shares of the picture
(row 0 divided by its width, row 1 by its height).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .pose_interpolation import interpolate_pose

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray

MODES = (
    "extend",
    "original",
    "smooth",
    "interpolate",
    "interpolate_smooth",
    "wander",
    "dolly_zoom",
    "wobble_inter",
)

# these go from view to view, so that they can go on from the last one to the first
RING_MODES = ("extend", "smooth", "interpolate", "interpolate_smooth")
# these stay at one view
SHOWPIECE_MODES = ("wander", "dolly_zoom")

_SMOOTHING = 50
_STEPS_PER_GAP = 8
_MOST_STEPS, _STEPS_IF_TOO_MANY = 432, 240
_FEWEST_STEPS = 48
_STEPS_WORTH_INSERTING = 2
_WANDER_FRAMES, _WANDER_PX = 120, 24.0
_DOLLY_FRAMES = 30
_INSERTED_FRAMES = (36, 60)
_VIEWS_PER_WOBBLE = 3
_STEPS_PER_SKIPPED_VIEW = 10
_SHORT_KERNELS = {
    3: (1, 2, 1),
    5: (1, 4, 6, 4, 1),
    7: (2, 7, 14, 18, 14, 7, 2),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


class CameraPath(NamedTuple):
    """F cameras in time order.

    Attributes:
        c2w: (F, 4, 4) float64, OpenCV camera-to-world.
        K: (F, 3, 3) float64, shares of the picture.
    """

    c2w: Array
    K: Array


class DollyZoom(NamedTuple):
    """How a dolly zoom goes.

    Attributes:
        focus: scene units; what is so far away keeps its size.
        distance: scene units that the camera moves back.
        matches_release: change the lens the other way, as the release does; nothing keeps its
            size then.
    """

    focus: float
    distance: float
    matches_release: bool = False


_DOLLY_ALONE = DollyZoom(30.0, 2.0)
_DOLLY_INSERTED = DollyZoom(10.0, 0.1)


class Showpieces(NamedTuple):
    """How far wander and dolly zoom go in a scene whose depth is known.

    Attributes:
        measure_depth: tells how far away, in scene units, that is what a view looks at; it gets
            a path of one camera.
        travel: share of this distance that a dolly zoom moves back.
    """

    measure_depth: Callable[[CameraPath], float]
    travel: float


class FlightPlan(NamedTuple):
    """What a flight is like besides its mode; the defaults are those of the release.

    Attributes:
        around: index of the view at which wander and dolly zoom stay.
        is_ring: fly on from the last view to the first; for `RING_MODES`. The last frame is then
            the one before the first.
        showpieces: how far wander and dolly zoom go; None takes the fixed lengths of the release,
            whose scenes are about one unit deep.
    """

    around: int = 0
    is_ring: bool = False
    showpieces: Showpieces | None = None


_RELEASE = FlightPlan()


def build_path(mode: str, views: CameraPath, width: int, plan: FlightPlan = _RELEASE) -> CameraPath:
    """Make a flight from the cameras of a reconstruction; a single view is wandered around.

    Args:
        mode: one of `MODES`.
        views: the cameras in the order of the photos.
        width: pixels of the picture that will be rendered.
        plan: details.

    Returns:
        The flight, for 24 frames per second.

    Raises:
        ValueError: the mode is unknown, there is no view, or the mode has no ring.
    """
    count = len(views.c2w)
    if mode not in MODES or not count:
        message = f"no path of mode {mode!r} through {count} views"
        raise ValueError(message)
    if count == 1 or mode in SHOWPIECE_MODES:
        chosen = slice(plan.around, plan.around + 1)
        view = CameraPath(views.c2w[chosen], views.K[chosen])
        if count == 1 or mode == "wander":
            return _wander_at(view, width, _WANDER_FRAMES, plan)
        return dolly_zoom(view, _DOLLY_FRAMES, _plan_dolly(view, _DOLLY_ALONE, plan))
    if plan.is_ring and mode not in RING_MODES:
        message = f"a path of mode {mode!r} has no ring"
        raise ValueError(message)
    if mode == "original":
        return views
    if mode == "wobble_inter":
        return wobble(views) if count > _VIEWS_PER_WOBBLE else interpolate_views(views)
    path = _join([views, CameraPath(views.c2w[:1], views.K[:1])]) if plan.is_ring else views
    if mode != "smooth":
        path = interpolate_views(path)
    if plan.is_ring:
        path = CameraPath(path.c2w[:-1], path.K[:-1])
    if mode == "interpolate":
        return path
    path = smooth_path(path, is_ring=plan.is_ring)
    return _insert_showpieces(path, width, plan) if mode == "extend" else path


def count_frames_per_gap(mode: str, count: int, *, is_ring: bool = False) -> float:
    """Count the frames from one view to the next in the flights of `build_path`.

    Args:
        mode: one of `MODES`, but none of `SHOWPIECE_MODES`.
        count: number of views.
        is_ring: see `FlightPlan`.
    """
    if mode in ("original", "smooth"):
        return 1.0
    if mode == "wobble_inter" and count > _VIEWS_PER_WOBBLE:
        return (_VIEWS_PER_WOBBLE * _STEPS_PER_SKIPPED_VIEW - 1) / _VIEWS_PER_WOBBLE
    steps = _choose_steps(max(1, count - 1 + is_ring))
    return float(steps - 1) if steps > _STEPS_WORTH_INSERTING else 1.0


def wander(
    view: CameraPath,
    width: int,
    frames: int = _WANDER_FRAMES,
    travel_px: float = _WANDER_PX,
    depth: float = 1.0,
) -> CameraPath:
    """Circle around one view and come back to it.

    Args:
        view: one camera.
        width: pixels of the picture.
        frames: of the circle; two more begin and end at the view itself.
        travel_px: how far the picture moves at this depth.
        depth: scene units.

    Returns:
        The path, frames + 2 cameras.
    """
    radius = travel_px * depth / (view.K[0, 0, 0] * width)
    angle = np.linspace(0, 2 * np.pi, frames)
    shift = -radius * np.stack([np.sin(angle), np.cos(angle) / 3, np.cos(angle) / 3], axis=1)
    shift = np.pad(shift, ((1, 1), (0, 0)))
    return CameraPath(_shift(view.c2w[0], shift), np.repeat(view.K[:1], frames + 2, axis=0))


def dolly_zoom(view: CameraPath, frames: int, way: DollyZoom) -> CameraPath:
    """Move back and forth while the lens keeps one distance at its size.

    Args:
        view: one camera.
        frames: of the path.
        way: pivot and amplitude.

    Returns:
        The path, `frames` cameras.
    """
    z = (1 - np.cos(np.pi * np.linspace(0, 2, frames))) / 2 * way.distance
    K = np.repeat(view.K[:1].astype(np.float64), frames, axis=0)
    zoom = (way.focus + z) / way.focus
    K[:, [0, 1], [0, 1]] *= (1 / zoom if way.matches_release else zoom)[:, None]
    return CameraPath(_shift(view.c2w[0], np.stack([0 * z, 0 * z, -z], axis=1)), K)


def smooth_path(
    path: CameraPath, kernel_size: int = _SMOOTHING, *, is_ring: bool = False
) -> CameraPath:
    """Smooth positions and directions over time; intrinsics stay.

    Args:
        path: any path; fewer than three cameras stay as they are.
        kernel_size: frames that are averaged, at most as many as there are.
        is_ring: the first camera follows the last one.

    Returns:
        The smoothed path, as long as before.
    """
    count = len(path.c2w)
    if count < min(_SHORT_KERNELS):
        return path
    size = kernel_size + 1 - kernel_size % 2
    kernel = _build_kernel(max(3, min(size, count - 1 + count % 2)))
    half = len(kernel) // 2
    columns = path.c2w[:, :3, [0, 1, 3]].astype(np.float64)
    padded = np.pad(columns, ((half, half), (0, 0), (0, 0)), mode="wrap" if is_ring else "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)
    x, y, position = np.moveaxis(windows @ kernel, -1, 0)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    c2w = np.tile(np.eye(4), (count, 1, 1))
    c2w[:, :3] = np.stack([x, y, np.cross(x, y), position], axis=-1)
    return CameraPath(c2w, path.K)


def interpolate_views(views: CameraPath) -> CameraPath:
    """Fly from view to view, slowing down at each.

    Args:
        views: two cameras or more.

    Returns:
        The path; the views themselves if there are too many to put anything between them.
    """
    gaps = len(views.c2w) - 1
    steps = _choose_steps(gaps)
    if steps <= _STEPS_WORTH_INSERTING:
        return views
    t = (np.cos(np.pi * (np.linspace(0, 1, steps) + 1)) + 1) / 2
    parts = []
    for gap in range(gaps):
        part = interpolate_pair(views, gap, gap + 1, t)
        parts.append(part if gap == 0 else CameraPath(part.c2w[1:], part.K[1:]))
    return _join(parts)


def interpolate_pair(views: CameraPath, first: int, last: int, t: Array) -> CameraPath:
    """Take cameras on the way between two views.

    Args:
        views: the cameras.
        first: index of the view at t = 0.
        last: index of the view at t = 1.
        t: (F,) 0 to 1.

    Returns:
        F cameras.
    """
    c2w = interpolate_pose(views.c2w[first], views.c2w[last], t)
    K = views.K[first] + t[:, None, None] * (views.K[last] - views.K[first])
    return CameraPath(c2w, K)


def wobble(
    views: CameraPath,
    skip: int = _VIEWS_PER_WOBBLE,
    steps: int = _STEPS_PER_SKIPPED_VIEW,
) -> CameraPath:
    """Fly to every third view on a screw.

    Args:
        views: more than `skip` cameras.
        skip: views per turn.
        steps: frames per skipped view.

    Returns:
        The path.
    """
    t = np.linspace(0, 1, skip * steps)
    angle = 2 * np.pi * t
    screw = np.stack([np.sin(angle), -np.cos(angle), np.zeros_like(t)], axis=1)
    parts, base_line = [], 0.0
    for start in range(0, len(views.c2w) - skip, skip):
        path = interpolate_pair(views, start, start + skip, t)
        length = np.linalg.norm(views.c2w[start + skip, :3, 3] - views.c2w[start, :3, 3])
        base_line = length if start == 0 else (base_line + length) / 2
        c2w = _shift(path.c2w, base_line / 2 * screw)
        parts.append(CameraPath(c2w, path.K) if start == 0 else CameraPath(c2w[1:], path.K[1:]))
    return _join(parts)


def measure_field_of_view(K: Array) -> Array:
    """Measure the angles between the rays through the middles of opposite borders.

    Args:
        K: (N, 3, 3), shares of the picture.

    Returns:
        (N, 2) float64, radians: horizontal, vertical.
    """
    middles = np.array([[0, 0.5, 1], [1, 0.5, 1], [0.5, 0, 1], [0.5, 1, 1]])
    rays = np.einsum("nij,pj->npi", np.linalg.inv(np.asarray(K, np.float64)), middles)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return np.arccos(np.clip((rays[:, [0, 2]] * rays[:, [1, 3]]).sum(-1), -1, 1))


def _choose_steps(gaps: int) -> int:
    """Choose how many cameras go from one view to the next, both included."""
    if gaps * _STEPS_PER_GAP > _MOST_STEPS:
        return max(1, _STEPS_IF_TOO_MANY // gaps)
    if gaps * _STEPS_PER_GAP < _FEWEST_STEPS:
        return max(1, _FEWEST_STEPS // gaps)
    return _STEPS_PER_GAP


def _wander_at(view: CameraPath, width: int, frames: int, plan: FlightPlan) -> CameraPath:
    depth = 1.0 if plan.showpieces is None else plan.showpieces.measure_depth(view)
    return wander(view, width, frames, depth=depth)


def _plan_dolly(view: CameraPath, release: DollyZoom, plan: FlightPlan) -> DollyZoom:
    if plan.showpieces is None:
        return release
    depth = plan.showpieces.measure_depth(view)
    return DollyZoom(depth, plan.showpieces.travel * depth)


def _insert_showpieces(path: CameraPath, width: int, plan: FlightPlan) -> CameraPath:
    """Stop half-way for a wander and a dolly zoom."""
    middle = len(path.c2w) // 2
    frames = max(_INSERTED_FRAMES[0], min(_INSERTED_FRAMES[1], middle // 2))
    view = CameraPath(path.c2w[middle : middle + 1], path.K[middle : middle + 1])
    return _join(
        [
            CameraPath(path.c2w[:middle], path.K[:middle]),
            _wander_at(view, width, frames, plan),
            dolly_zoom(view, frames, _plan_dolly(view, _DOLLY_INSERTED, plan)),
            CameraPath(path.c2w[middle:], path.K[middle:]),
        ]
    )


def _build_kernel(size: int) -> Array:
    """Return (size,) Gaussian weights that add up to 1, in exact binary fractions if short."""
    if size in _SHORT_KERNELS:
        weights = np.array(_SHORT_KERNELS[size], np.float64)
    else:
        sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
        weights = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def _shift(c2w: Array, shift: Array) -> Array:
    """Move poses (4, 4) or (F, 4, 4) by (F, 3) along their own axes."""
    moved = np.array(np.broadcast_to(c2w, (len(shift), 4, 4)), np.float64)
    moved[:, :3, 3] += np.einsum("fij,fj->fi", moved[:, :3, :3], shift)
    return moved


def _join(parts: list[CameraPath]) -> CameraPath:
    return CameraPath(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
