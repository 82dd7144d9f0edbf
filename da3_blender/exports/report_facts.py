# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a report: errors, points and focal lengths of every view.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..camera_files.result_cameras import load_cameras
from ..camera_files.tracks import load_tracks
from ..contract.projection import project

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..camera_files.tracks import Tracks
    from ..contract.camera_file import CameraFile
    from ..contract.result_folder import Result

_CELLS: Final = 24  # of the map of coverage, along the longer side


class ViewErrors(NamedTuple):
    """What N views show; NaN where nobody measured.

    mean_px, worst_px: (N,) reprojection error in pixels of the photo; points: (N,) tracks that a
    view sees.
    """

    mean_px: NDArray[np.float64]
    worst_px: NDArray[np.float64]
    points: NDArray[np.int64]


class Reprojection(NamedTuple):
    """L observations: where the points of tracks fall in the photo, and how far off that is.

    px: (L, 2) float64, pixels of the photo, distorted as it is; error_px: (L,); view: (L,).
    """

    px: NDArray[np.float64]
    error_px: NDArray[np.float64]
    view: NDArray[np.intp]


class ReportFacts(NamedTuple):
    """Everything that a report tells of a result, in the order of time.

    order: (N,) view of each row; x: (N,) frame numbers, or 1, 2, 3; is_sequence: they are frames.
    """

    cameras: CameraFile
    order: NDArray[np.intp]
    x: NDArray[np.float64]
    is_sequence: bool
    errors: ViewErrors
    reprojection: Reprojection | None
    tracks: Tracks | None
    focal_px: NDArray[np.float64]
    focal_sigma_px: NDArray[np.float64]
    doubt: list[str]


def gather_facts(result: Result) -> ReportFacts:
    """Measure a result by its own tracks, where it has some, else by what its manifest says.

    Raises:
        EngineError: RESULT_BROKEN.
    """
    cameras, tracks = load_cameras(result), load_tracks(result)
    reprojection = None if tracks is None else reproject(cameras, tracks)
    if reprojection is None:
        residuals = [view.get("residual_px") for view in result.views]
        mean = np.array([np.nan if value is None else value for value in residuals], float)
        nothing = np.full(len(mean), np.nan)
        errors = ViewErrors(mean, nothing, np.zeros(len(mean), np.int64))
    else:
        errors = measure_views(reprojection, len(cameras.views))
    frames = [view.frame for view in cameras.views]
    known = [frame for frame in frames if frame is not None]
    is_sequence = len(set(known)) == len(frames)
    x = np.array(known if is_sequence else range(1, len(frames) + 1), np.float64)
    return ReportFacts(
        cameras,
        np.argsort(x, kind="stable"),
        x,
        is_sequence,
        errors,
        reprojection,
        tracks,
        cameras.K[:, 0, 0],
        _read_focal_sigma(result, cameras),
        [str(view.get("doubt") or "") for view in result.views],
    )


def reproject(cameras: CameraFile, tracks: Tracks) -> Reprojection:
    """Project the point of every observation into its photo."""
    px = np.empty_like(tracks.px)
    for index in range(len(cameras.views)):
        mine = np.flatnonzero(tracks.view == index)
        points = tracks.points[tracks.track[mine]]
        pinhole, _ = project(points, cameras.K[index], cameras.w2c[index])
        px[mine] = cameras.lens_of(index).pinhole_to_photo(pinhole)
    return Reprojection(px, np.linalg.norm(px - tracks.px, axis=1), tracks.view)


def measure_views(found: Reprojection, count: int) -> ViewErrors:
    """Sum the errors of each of `count` views up."""
    points = np.bincount(found.view, minlength=count)
    sums = np.bincount(found.view, found.error_px, minlength=count)
    worst = np.zeros(count)
    np.maximum.at(worst, found.view, found.error_px)
    with np.errstate(invalid="ignore"):
        mean = sums / points
    return ViewErrors(mean, np.where(points > 0, worst, np.nan), points)


def count_coverage(tracks: Tracks, cameras: CameraFile) -> NDArray[np.int64]:
    """Count the observations of all views in cells of the picture, (rows, columns)."""
    view = cameras.views[0]
    longer = max(view.width, view.height)
    columns = max(1, round(_CELLS * view.width / longer))
    rows = max(1, round(_CELLS * view.height / longer))
    sizes = np.array([(v.width, v.height) for v in cameras.views], np.float64)[tracks.view]
    cells = np.floor(tracks.px / sizes * [columns, rows]).astype(int)
    cells = np.clip(cells, 0, [columns - 1, rows - 1])
    flat = np.bincount(cells[:, 1] * columns + cells[:, 0], minlength=rows * columns)
    return flat.reshape(rows, columns)


def _read_focal_sigma(result: Result, cameras: CameraFile) -> NDArray[np.float64]:
    """Return (N,) standard deviations of focal lengths, NaN where the run did not tell them."""
    refinement: dict[str, Any] = result.manifest.get("refinement") or {}
    focal: list[dict[str, Any]] = refinement.get("focal") or []
    sigma = [entry.get("sigma_px") for entry in focal]
    of_view = [sigma[view.lens] if 0 <= view.lens < len(sigma) else None for view in cameras.views]
    return np.array([np.nan if value is None else value for value in of_view], np.float64)
