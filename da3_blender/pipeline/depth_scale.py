# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings predicted depth to the size of cameras that were found before.

Runs in the engine.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.projection import project
from ..contract.similarity import Sim3
from .depth_bending import KnownDepth, bend_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..inference.predictor import Prediction
    from .outcome import Dense, Outcome
    from .points import Cloud

# Fewer common points than this do not decide the scale of a view.
_FEWEST_POINTS: Final = 12
_FEWEST_OF_VIEW: Final = 60  # points of a view that may differ in size from the others

_log = logging.getLogger(__name__)


def compare_with_points(
    depth: NDArray[np.float32],
    grid_K: NDArray[np.float64],
    known: Outcome,
    cameras: NDArray[np.integer] | None = None,
) -> list[KnownDepth]:
    """Return for each depth map the ratios of known to predicted depth, at the points it saw.

    Args:
        depth: (N, H, W) predicted.
        grid_K: (N, 3, 3) intrinsics in pixels of the depth maps.
        known: cameras, points and who saw them.
        cameras: (N,) whose maps these are; None where every camera has one.

    Returns:
        N times places and ratios, which are positive; some may be empty.
    """
    ratios = []
    for row in range(len(depth)):
        camera = row if cameras is None else int(cameras[row])
        mine = np.zeros(0, int)
        if known.observations is not None:
            mine = known.observations.point[known.observations.camera == camera]
        pixels, z = project(known.cloud.positions[mine], grid_K[row], known.w2c[camera])
        height, width = depth[row].shape
        inside = (z > 0) & (pixels >= 0).all(1) & (pixels < [width, height]).all(1)
        column, line = pixels[inside].astype(int).T
        there = depth[row][line, column].astype(np.float64)
        good = np.isfinite(there) & (there > 0)
        ratio = z[inside][good] / there[good]
        ratios.append(KnownDepth(column[good], line[good], ratio))
    return ratios


def agree_with_points(
    dense: Dense, refined: Outcome, points: Cloud
) -> tuple[Dense, NDArray[np.float64]]:
    """Scale and bend depth maps to points that refined cameras rest on.

    Args:
        dense: D depth maps, nearly of the right size.
        refined: cameras, with observations of the points.
        points: the points.

    Returns:
        The maps, and the (D,) factors by which they were scaled; a view with few points takes
        the factor that all have in common.
    """
    cameras = dense.list_cameras()
    grid = dense.grid_from_photo
    known = refined.replace(cloud=points)
    seen = compare_with_points(dense.depth, grid @ refined.K[cameras], known, cameras)
    together = np.concatenate([view.ratio for view in seen])
    if len(together) < _FEWEST_POINTS:
        return dense, np.ones(len(cameras))
    common = float(np.median(together))
    factors = np.array(
        [np.median(v.ratio) if len(v.ratio) >= _FEWEST_OF_VIEW else common for v in seen]
    )
    depth = dense.depth * factors[:, None, None].astype(np.float32)
    rest = [view._replace(ratio=view.ratio / f) for view, f in zip(seen, factors, strict=True)]
    depth, bent = bend_depth(depth, rest)
    _log.info("depth scaled by %.4g; %d of %d views bent", common, bent, len(depth))
    return dense._replace(depth=depth), factors


def fit_depth_to_points(
    prediction: Prediction, grid: NDArray[np.float64], known: Outcome
) -> tuple[Outcome, NDArray[np.float32]]:
    """Scale depth so that it agrees with the points that the known cameras saw.

    A network that looked at all views together gets one factor for all; the factor of a network
    of single views differs from view to view. Where a smooth correction agrees much better with
    the points, it is made, too. Where the depth is in metres, the cameras take
    its size in place of theirs. Medians, so that up to half of the points may be wrong.

    Args:
        prediction: depth for the known cameras.
        grid: (N, 3, 3) pixels of the photos to pixels of the depth maps.
        known: cameras, and points with observations if there are any.

    Returns:
        The cameras, in metres if the prediction knows them, and (N, H, W) float32 depth in
        their world.
    """
    depth = prediction.depth
    seen = compare_with_points(depth, grid @ known.K, known)
    ratios = [view.ratio for view in seen]
    together = np.concatenate(ratios)
    is_single_view = prediction.w2c is None
    metres = prediction.metres_per_unit
    if len(together) >= _FEWEST_POINTS:
        common = float(np.median(together))
        factors = np.array(
            [
                np.median(mine) if is_single_view and len(mine) >= _FEWEST_POINTS else common
                for mine in ratios
            ]
        )
        depth = depth * factors[:, None, None].astype(np.float32)
        rest = [view._replace(ratio=view.ratio / f) for view, f in zip(seen, factors, strict=True)]
        depth, bent = bend_depth(depth, rest)
        _log.info("the depth of %d of %d views was bent towards their points", bent, len(depth))
        metres = None if metres is None else metres / common
    if metres is None:
        return known, depth
    larger = known.moved(Sim3(metres, np.eye(3), np.zeros(3)))
    if len(together) or not is_single_view:
        depth = depth * np.float32(metres)
    return larger.replace(is_metric=True), depth
