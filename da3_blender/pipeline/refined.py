# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outcome with refined cameras: depth, splats and points follow them.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.rotations import find_nearest_rotation
from ..contract.similarity import Sim3
from ..splats.axes import move_cloud
from ..splats.cloud import join_clouds
from .depth_scale import agree_with_points
from .outcome import Observations, Outcome, TrackCloud
from .points import Cloud

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..solve import Lens, Refinement, RefineStart
    from .outcome import Dense

_MOVED_PX: Final = 0.25  # of a depth map's pixels: less than that is not worth resampling


def take_refinement(outcome: Outcome, start: RefineStart, refinement: Refinement) -> Outcome:
    """Give an outcome its refined cameras; its cloud is still the old one.

    Views that too few points hold keep their place between those that were refined.

    Args:
        outcome: as it was before.
        start: what was made of it.
        refinement: of that start.
    """
    solution = refinement.solution
    indices = np.asarray(outcome.indices)
    placed = solution.registered[indices]
    found, points = solution.w2c[indices], solution.points
    if start.depth is None or refinement.depth_sigma is not None:
        # Cameras that moved enough to tell depth tell the size of the world better than it does.
        world = _align(start.w2c[placed], found[placed])
        found[placed] = world.apply_to_w2c(found[placed])
        points = world.apply_to_points(points)
    w2c = carry_along(start.w2c, found, placed)
    lens_of_camera = _spread_lenses(solution.lens_of_view[indices], start, placed)
    lenses = solution.lenses
    K = np.stack([lenses[lens].K for lens in lens_of_camera])
    camera_of_view = np.full(len(solution.registered), -1)
    camera_of_view[indices] = np.arange(len(indices))
    tracks = TrackCloud(
        points,
        solution.colours,
        solution.point_error_px,
        camera_of_view[solution.observation_view],
        solution.observation_point.astype(np.intp),
        solution.observation_px,
    )
    error = measure_errors(tracks, w2c, [lenses[lens] for lens in lens_of_camera])
    residual = solution.view_residual_px[indices]
    refined = outcome.replace(
        w2c=w2c,
        K=K,
        lenses=lenses,
        lens_of_camera=lens_of_camera,
        residual_px=[
            float(value) if ok else None for value, ok in zip(residual, placed, strict=True)
        ],
        tracks=tracks,
        observations=Observations(tracks.camera, tracks.point),
        refinement=_report(refinement, error, tracks, placed, start),
    )
    if outcome.dense is None:
        return refined.replace(cloud=_make_sparse_cloud(tracks))
    dense = move_depth(outcome.dense, start, refined)
    dense, factors = agree_with_points(dense, refined, _make_sparse_cloud(tracks))
    return _move_splats(refined.replace(dense=dense), outcome, factors)


def carry_along(
    old: NDArray[np.float64], new: NDArray[np.float64], placed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Let cameras that were not refined move as their neighbours did.

    Args:
        old: (N, 4, 4) before.
        new: (N, 4, 4) after; only those of `placed` are read.
        placed: (N,) at least one.

    Returns:
        (N, 4, 4) float64. Between two refined views the answer changes evenly from one to the
        other.
    """
    result = np.array(new, np.float64)
    sure = np.flatnonzero(placed)
    correction = invert_rigid(result[sure]) @ old[sure]  # new world from old world
    for view in np.flatnonzero(~placed):
        after = int(np.clip(np.searchsorted(sure, view), 0, len(sure) - 1))
        before = max(after - 1, 0) if sure[after] > view else after
        guesses = invert_rigid(old[view] @ invert_rigid(correction[[before, after]]))
        span = max(int(sure[after] - sure[before]), 1)
        share = float(np.clip((view - sure[before]) / span, 0, 1))
        pose = (1 - share) * guesses[0] + share * guesses[1]
        pose[:3, :3] = find_nearest_rotation(pose[:3, :3])
        result[view] = invert_rigid(pose)
    return result


def measure_errors(
    tracks: TrackCloud, w2c: NDArray[np.float64], lenses: list[Lens]
) -> NDArray[np.float64]:
    """Return the (L,) distances of observations from the projections of their points, pixels."""
    error = np.zeros(len(tracks.px))
    for camera, lens in enumerate(lenses):
        mine = np.flatnonzero(tracks.camera == camera)
        local = tracks.points[tracks.point[mine]] @ w2c[camera, :3, :3].T + w2c[camera, :3, 3]
        K = lens.K
        pinhole = local[:, :2] / local[:, 2:] @ K[:2, :2].T + K[:2, 2]
        error[mine] = np.linalg.norm(lens.pinhole_to_photo(pinhole) - tracks.px[mine], axis=1)
    return error


def move_depth(dense: Dense, start: RefineStart, refined: Outcome) -> Dense:
    """Resample depth maps to the picture that a camera without distortion would have taken.

    Args:
        dense: of the photos as they are, or of those that `start.depth_lenses` undistorted.
        start: of the refinement.
        refined: has the new lenses.
    """
    depth, confidence = dense.depth.copy(), dense.confidence.copy()
    sky = None if dense.sky is None else dense.sky.copy()
    _, height, width = depth.shape
    grid_px = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    lenses = refined.lens_per_camera()
    for row, camera in enumerate(dense.list_cameras().tolist()):
        old = start.depth_lenses[row] if start.depth_lenses else None
        new = lenses[camera]
        if new is not None and not new.needs_undistortion:
            new = None  # its photo is shown as it is
        if old is None and new is None:
            continue
        grid = np.asarray(dense.grid_from_photo[row], np.float64)
        back = np.linalg.inv(grid)
        photo = grid_px @ back[:2, :2].T + back[:2, 2]
        if new is not None:
            photo = new.pinhole_to_photo(photo)
        if old is not None:
            photo = old.photo_to_pinhole(photo)
        at = photo @ grid[:2, :2].T + grid[:2, 2]
        if np.nanmax(np.abs(at - grid_px), initial=0.0) < _MOVED_PX and np.isfinite(at).all():
            continue
        inside = np.isfinite(at).all(-1) & (at >= 0).all(-1) & (at < [width, height]).all(-1)
        column, line = np.where(inside[..., None], at, 0).astype(int).transpose(2, 0, 1)
        depth[row] = np.where(inside, dense.depth[row][line, column], 0)
        confidence[row] = np.where(inside, dense.confidence[row][line, column], 0)
        if sky is not None and dense.sky is not None:
            sky[row] = inside & dense.sky[row][line, column]
    return dense._replace(depth=depth, confidence=confidence, sky=sky)


def _align(reference_w2c: NDArray[np.float64], w2c: NDArray[np.float64]) -> Sim3:
    from ..inference.given_cameras import align_cameras

    return align_cameras(reference_w2c, w2c)


def _spread_lenses(
    lens_of_camera: NDArray[np.integer], start: RefineStart, placed: NDArray[np.bool_]
) -> list[int]:
    """Give views without points the refined lens of their group, else that of their neighbour."""
    group = np.asarray(start.lens_of_view)
    sure = np.flatnonzero(placed)
    result = lens_of_camera.tolist()
    for view in np.flatnonzero(~placed).tolist():
        mates = sure[group[sure] == group[view]]
        nearest = mates if len(mates) else sure
        result[view] = result[int(nearest[np.argmin(np.abs(nearest - view))])]
    return result


def _make_sparse_cloud(tracks: TrackCloud) -> Cloud:
    count = len(tracks.points)
    seen = np.bincount(tracks.point, minlength=count)
    return Cloud(
        np.asarray(tracks.points, np.float32),
        tracks.colours,
        seen.astype(np.float32),
        np.full(count, -1, np.int32),
        np.minimum(seen, np.iinfo(np.uint16).max).astype(np.uint16),
        np.zeros(count, bool),
    )


def _report(
    refinement: Refinement,
    error: NDArray[np.float64],
    tracks: TrackCloud,
    placed: NDArray[np.bool_],
    start: RefineStart,
) -> dict[str, Any]:
    """Say in plain values how well the cameras hold."""
    views = []
    for camera in range(len(placed)):
        mine = error[tracks.camera == camera]
        has_any = bool(len(mine))
        views.append(
            {
                "mean_px": float(mine.mean()) if has_any else None,
                "worst_px": float(mine.max()) if has_any else None,
                "points": len(mine),
            }
        )
    used = sorted({start.lens_of_view[view] for view in np.flatnonzero(placed)})
    sigma = [refinement.focal_sigma_px[group] for group in used]
    lenses = refinement.solution.lenses
    known = refinement.start_error_px
    return {
        "mean_px": float(error.mean()),
        "median_px": float(np.median(error)),
        "start_px": known if np.isfinite(known) else None,
        "views": views,
        "focal": [
            {"px": float(lens.K[0, 0]), "sigma_px": value}
            for lens, value in zip(lenses, sigma, strict=True)
        ],
        "depth_error": refinement.depth_sigma,
        "unplaced": np.flatnonzero(~placed).tolist(),
    }


def _move_splats(refined: Outcome, before: Outcome, factors: NDArray[np.float64]) -> Outcome:
    """Let the Gaussians of each view go with its camera and the size of its depth."""
    splats = before.splats
    if splats is None or splats.views is None or refined.dense is None:
        return refined
    c2w = invert_rigid(refined.w2c)
    factor = np.ones(len(c2w))
    factor[refined.dense.list_cameras()] = factors
    parts = []
    for camera in np.unique(splats.views).tolist():
        old = before.w2c[camera]
        local = move_cloud(
            splats.take(splats.views == camera),
            Sim3(factor[camera], old[:3, :3], factor[camera] * old[:3, 3]),
        )
        parts.append(move_cloud(local, Sim3(1.0, c2w[camera, :3, :3], c2w[camera, :3, 3])))
    return refined.replace(splats=join_clouds(parts))
