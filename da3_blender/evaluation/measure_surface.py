# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuses an estimate's depth to a surface and compares it with the true one.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.projection import unproject
from .clouds import compare_clouds, thin_points
from .dtu import DtuLimits, compare_dtu_style, confirm_points
from .estimate import sample_depth
from .trajectory import align_robustly
from .tsdf import TsdfVolume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .estimate import Estimate
    from .scene import Scene
    from .scene_facts import SurfaceLimits

_MOST_POINTS: Final = 1_000_000  # of a fused surface, as many as a mesh is sampled with
_MOST_DTU_POINTS: Final = 4_000_000
_LEAST_DTU_DEPTH: Final = 0.001
_DTU_TOLERANCE, _DTU_VIEWS = 0.2, 4  # millimetres; views that must agree on a point
_SEED: Final = 42

View = tuple["NDArray[np.floating]", "NDArray[np.float64]", "NDArray[np.float64]"]


def measure_surface(
    scene: Scene, estimate: Estimate, true_points: NDArray[np.floating], *, is_posed: bool
) -> dict[str, Any]:
    """Fuse and compare.

    The estimate is brought to the true world by a similarity of the cameras that bears wrong
    ones. Its depth counts only where the true depth is known, if it is known anywhere.

    Args:
        scene: the truth.
        estimate: with cameras and depth.
        true_points: (M, 3) of the true surface.
        is_posed: fuse with the true cameras in place of the estimated ones.

    Returns:
        accuracy, completeness, overall, precision, recall, f1, number of points and the limits;
        for a scene with an observation the measure of the DTU set.
    """
    views = _list_views(scene, estimate, is_posed=is_posed)
    if scene.observation is not None:
        points = _gather_points(views, is_posed=is_posed)
        true = np.asarray(true_points, np.float64)
        errors = compare_dtu_style(points, true, scene.observation, DtuLimits())
        return {**errors._asdict(), "points": len(points)}
    limits = scene.facts.derive_limits(true_points)
    points = fuse_views(views, limits)
    if limits.box is not None:
        inside = (points >= limits.box[0]) & (points <= limits.box[1])
        points = points[inside.all(axis=1)]
    thinned = thin_points(points, limits.thinning_cell)
    errors = compare_clouds(
        thinned, thin_points(true_points, limits.thinning_cell), limits.threshold
    )
    used = {name: value for name, value in limits._asdict().items() if name != "box"}
    return {**errors._asdict(), "points": len(thinned), "limits": used}


def fuse_views(views: Iterator[View], limits: SurfaceLimits) -> NDArray[np.float64]:
    """Fuse depth maps to at most a million points of their surface.

    Args:
        views: depth (h, w) with NaN where it does not count, K (3, 3), w2c (4, 4).
        limits: cell, truncation and farthest depth.
    """
    volume = TsdfVolume(limits.tsdf_cell, limits.truncation)
    for depth, K, w2c in views:
        volume.integrate(depth, K, w2c, limits.max_depth)
    return _choose(volume.extract_points(), _MOST_POINTS)


def fuse_truth(scene: Scene) -> NDArray[np.float64] | None:
    """Make the true surface from true depth, for a scene that has no surface of its own.

    Returns:
        (M, 3) float64, None without true depth.
    """
    sample = [points for points in _unproject_truth(scene) if len(points)]
    if not sample:
        return None
    limits = scene.facts.derive_limits(np.concatenate(sample))
    views = (
        (depth, _scale_to(scene, frame, depth.shape), scene.w2c[frame])
        for frame in range(len(scene))
        if (depth := scene.read_true_depth(frame)) is not None
    )
    points = fuse_views(views, limits)
    return points if len(points) else None


def _unproject_truth(scene: Scene) -> Iterator[NDArray[np.float32]]:
    for frame in range(len(scene)):
        depth = scene.read_true_depth(frame)
        if depth is not None:
            K = _scale_to(scene, frame, depth.shape)
            points = unproject(depth[None], K[None], scene.w2c[frame][None])[0]
            yield points[np.isfinite(points).all(axis=-1)][::7]


def _list_views(scene: Scene, estimate: Estimate, *, is_posed: bool) -> Iterator[View]:
    if not len(estimate.frames):
        return
    true_w2c = scene.w2c[estimate.frames]
    true_from_found = align_robustly(estimate.w2c, true_w2c)
    w2c = true_w2c if is_posed else true_from_found.apply_to_w2c(estimate.w2c)
    for index, frame in enumerate(estimate.frames):
        truth = scene.read_true_depth(int(frame))
        if truth is None:
            depth = estimate.depth[index]
            grid = estimate.grid_from_photo[index]
            K = grid @ (scene.K[frame] if is_posed else estimate.K[index])
        else:
            depth = sample_depth(estimate, index, scene.sizes[frame], truth.shape)
            depth = np.where(np.isfinite(truth), depth, np.float32(np.nan))
            K = _scale_to(scene, frame, depth.shape, None if is_posed else estimate.K[index])
        yield depth * np.float32(true_from_found.scale), K, w2c[index]


def _scale_to(
    scene: Scene, frame: int, shape: tuple[int, ...], K: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return intrinsics, the true ones unless others are given, in pixels of a map."""
    width, height = scene.sizes[frame]
    scale = np.diag([shape[1] / width, shape[0] / height, 1.0])
    return scale @ (scene.K[frame] if K is None else K)


def _gather_points(views: Iterator[View], *, is_posed: bool) -> NDArray[np.float64]:
    """Make points in a random order, as the measure of the DTU set wants them.

    With true cameras, those that several views agree on; else all.
    """
    far_enough = [(np.where(d > _LEAST_DTU_DEPTH, d, 0), K, w2c) for d, K, w2c in views]
    if is_posed:
        points = confirm_points(far_enough, _DTU_TOLERANCE, _DTU_VIEWS)
    else:
        found = [np.zeros((0, 3))]
        for depth, K, w2c in far_enough:
            lifted = unproject(depth[None], K[None], w2c[None])[0]
            found.append(lifted[np.isfinite(lifted).all(axis=-1)].astype(np.float64))
        points = np.concatenate(found)
    order = np.random.default_rng(_SEED).permutation(len(points))
    return points[order[:_MOST_DTU_POINTS]]


def _choose(points: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    if len(points) <= most:
        return points
    chosen = np.random.default_rng(_SEED).choice(len(points), most, replace=False)
    return points[np.sort(chosen)]
