# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From depth maps to one cloud on which views have voted; what moves is marked and kept apart.

Runs in the engine. Depth maps come in parts; memory is bounded by the wanted number of points and
by `witnesses`, not by the number of views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.depth_edges import find_depth_edges
from ..contract.projection import unproject
from .points import (
    CELL_BITS,
    Cloud,
    find_firsts,
    join_clouds,
    make_cloud,
    make_empty_cloud,
    number_cells,
    thin_cloud,
)
from .votes import Votes, count_votes
from .witnesses import Witnesses

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..contract.settings import RunSettings

CONTRADICTED: Final = (
    "The depth of most points contradicts that of other photos, so no point was judged: cameras or "
    "depth are wrong."
)
_KEPT: Final = 2
"""The cloud in the making is thinned to so many times the points that are wanted ..."""
_OVERFLOW: Final = 3
"""... whenever it has so many times the points."""
_VIEWS_AT_ONCE: Final = 64
_VOTING: Final = 0.25
"""Share of the pixels that make no points that may not vote either."""
_FEWEST_THROUGH: Final = 2
_FEWEST_THROUGH_MOVING: Final = 3
_OUTVOTED: Final = 2
_MOVING_SHARE: Final = 0.2


class FusionLimits(NamedTuple):
    """What decides the points of a cloud.

    drop_percent: share of the least confident pixels that make no points; edge_step: relative
    step of depth that is an edge; max_points: upper bound; least_views: that must agree.
    """

    drop_percent: float
    edge_step: float
    max_points: int
    least_views: int = 1

    @classmethod
    def of(cls, settings: RunSettings) -> FusionLimits:
        """Take the limits of a run."""
        return cls(
            settings.drop_percent, settings.edge_step, settings.max_points, settings.least_views
        )


class CloudMaker:
    """Takes depth maps part by part and makes one cloud of them.

    Args:
        cameras: K (N, 3, 3) in pixels of the grid and w2c (N, 4, 4), OpenCV, of all views.
        shape: H and W of the grid.
        limits: of the cloud.
    """

    def __init__(
        self,
        cameras: tuple[NDArray[np.floating], NDArray[np.floating]],
        shape: tuple[int, int],
        limits: FusionLimits,
    ) -> None:
        self._K, self._w2c = cameras
        self._limits = limits
        self._witnesses = Witnesses(self._K, self._w2c, shape)
        self._cloud = make_empty_cloud()
        self.is_contradictory = False

    @property
    def cloud(self) -> Cloud:
        """Return the points so far, on which nobody has voted."""
        return self._cloud

    def add(
        self,
        views: NDArray[np.integer],
        depth: NDArray[np.floating],
        confidence: NDArray[np.floating],
        images: NDArray[np.uint8],
    ) -> None:
        """Take some views, each once.

        Args:
            views: (n,) their numbers, rising.
            depth: (n, H, W) along the optical axis, scene units; 0 where nothing is to be made.
            confidence: (n, H, W) larger is better.
            images: (n, H, W, 3) uint8 sRGB of the same grid.
        """
        limits = self._limits
        valid = np.isfinite(depth) & (depth > 0)
        floor, voting_floor = -np.inf, -np.inf
        if valid.any() and limits.drop_percent > 0:
            shares = (limits.drop_percent, _VOTING * limits.drop_percent)
            floor, voting_floor = np.percentile(confidence[valid], shares)
        for begin in range(0, len(views), _VIEWS_AT_ONCE):
            parts = [self._cloud]
            for place in range(begin, min(begin + _VIEWS_AT_ONCE, len(views))):
                view = int(views[place])
                sure = confidence[place] >= voting_floor
                self._witnesses.put(view, depth[place], sure, limits.edge_step)
                keep = valid[place] & (confidence[place] >= floor)
                keep &= ~find_depth_edges(depth[place], limits.edge_step)
                camera = np.s_[view : view + 1]
                world = unproject(depth[place : place + 1], self._K[camera], self._w2c[camera])[0]
                count = int(keep.sum())
                parts.append(
                    make_cloud(
                        world[keep],
                        images[place][keep],
                        confidence[place][keep].astype(np.float32),
                        np.full(count, view, np.int32),
                    )
                )
            self._cloud = join_clouds(parts)
            if len(self._cloud.positions) > _OVERFLOW * limits.max_points:
                self._cloud = thin_cloud(self._cloud, _KEPT * limits.max_points)

    def finish(self, report: Callable[[float], None] | None = None) -> Cloud:
        """Let the views vote and return the cloud, in view order.

        Points that several views look through are gone; where they were there for a while they
        are marked as moving. If views contradict each other more often than they agree, cameras
        and depth do not fit together: then all stay, and `is_contradictory` says so.

        Args:
            report: is told the finished share, 0 to 1, and may raise to end it.
        """
        cloud, limits = self._cloud, self._limits
        if len(cloud.positions) > _KEPT * limits.max_points:
            cloud = thin_cloud(cloud, _KEPT * limits.max_points)
        votes = count_votes(cloud, self._witnesses, report)
        refuted, moving = judge(votes)
        if votes.through.sum(dtype=np.int64) > votes.agreed.sum(dtype=np.int64):
            self.is_contradictory = True
            refuted[:] = moving[:] = False
        cloud = cloud._replace(view_count=1 + votes.agreed.astype(np.uint16), moving=moving)
        still = ~refuted & (cloud.view_count >= limits.least_views)
        fused = self._shift(cloud.take(still), votes.shift[still])
        if len(fused.positions) > limits.max_points:
            fused = self._merge(fused)
        if not moving.any():
            return thin_cloud(fused, limits.max_points)
        gone = np.flatnonzero(moving)
        room = min(len(gone), max(1, int(_MOVING_SHARE * limits.max_points)))
        gone = gone[np.linspace(0, len(gone) - 1, room).astype(np.intp)]  # as many of each frame
        fused = thin_cloud(fused, limits.max_points - room)
        together = join_clouds([fused, cloud.take(gone)])
        return together.take(np.argsort(together.view, kind="stable"))

    def _shift(self, cloud: Cloud, shift: NDArray[np.float32]) -> Cloud:
        """Move points on their own rays to where all views that agree have them in the mean."""
        centres = self._witnesses.c2w[:, :3, 3][cloud.view]
        moved = cloud.positions + shift[:, None] * (cloud.positions - centres)
        return cloud._replace(positions=moved.astype(np.float32))

    def _merge(self, cloud: Cloud) -> Cloud:
        """Keep one point where several views, or coarser and finer ones, say the same.

        A voxel is half to one time as large as what a pixel covers at its distance: the most
        confident point of it stays, and coarse ones give way to finer ones inside.
        """
        if not len(cloud.view) or cloud.view.min() == cloud.view.max():
            return cloud  # one view says nothing twice
        powers = self._find_powers(cloud)
        low_corner = cloud.positions.min(0)
        best_first = np.argsort(-cloud.confidence, kind="stable")
        filled = np.zeros((0, 3), np.int32)  # voxels of the level that have a point or finer ones
        kept: list[NDArray[np.intp]] = []
        for power in range(int(powers.min()), int(powers.max()) + 1):
            filled >>= 1
            mine = best_first[powers[best_first] == power]
            local = cloud.positions[mine] - low_corner
            cells = (local * np.float32(2.0**-power)).astype(np.int32)
            # those that are filled come first, so they hide the points of this level
            both = np.concatenate((filled, cells))
            first = find_firsts(number_cells(both))
            kept.append(mine[first[first >= len(filled)] - len(filled)])
            filled = both[first]
        return cloud.take(np.sort(np.concatenate(kept)))

    def _find_powers(self, cloud: Cloud) -> NDArray[np.int32]:
        """Return (M,), powers of two of the sizes of the points' voxels."""
        per_pixel = self._w2c[:, 2] / self._K[:, :1, 0]  # depth over focal length, (N, 4)
        mine = per_pixel.astype(np.float32)[cloud.view]
        covers = np.einsum("mi,mi->m", mine[:, :3], cloud.positions) + mine[:, 3]  # scene units
        covers = np.maximum(covers, np.finfo(np.float32).tiny)
        extent = float(np.ptp(cloud.positions, axis=0).max()) or 1.0
        least = int(np.ceil(np.log2(extent))) - CELL_BITS + 1
        return np.maximum(np.floor(np.log2(covers)).astype(np.int32), least)


def fuse_depth(
    depth: NDArray[np.floating],
    confidence: NDArray[np.floating],
    images: NDArray[np.uint8],
    cameras: tuple[NDArray[np.floating], NDArray[np.floating]],
    limits: tuple[float, float, int],
    least_views: int = 1,
) -> Cloud:
    """Turn all depth maps into one cloud.

    Args:
        depth: (N, H, W) along the optical axis, scene units.
        confidence: (N, H, W) larger is better.
        images: (N, H, W, 3) uint8 sRGB of the same grid.
        cameras: K (N, 3, 3) in pixels of the grid and w2c (N, 4, 4), OpenCV.
        limits: the first three of `FusionLimits`; the percentage is of the whole set.
        least_views: that must agree on a point.

    Returns:
        The cloud, in view order, positions in the world of w2c.
    """
    maker = CloudMaker(cameras, depth.shape[1:], FusionLimits(*limits, least_views))
    maker.add(np.arange(len(depth)), depth, confidence, images)
    return maker.finish()


def judge(votes: Votes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Decide which points are not there, and which of these were there for a while.

    Returns:
        refuted: (M,) bool, clearly more views look through them than agree, and never only one.
        moving: (M,) bool, refuted, but other views close in time or place have seen them too.
    """
    refuted = votes.through >= _FEWEST_THROUGH
    refuted &= votes.through > _OUTVOTED * votes.agreed.astype(np.int16)
    moving = refuted & (votes.through >= _FEWEST_THROUGH_MOVING)
    moving &= (votes.agreed > 0) | votes.followed
    return refuted, moving
