# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all views say about places in the world: does a surface lie there, or is it seen through?

Runs in the engine. The depth maps of all views are kept, smaller where there are many views, so
memory does not grow with the length of a sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.depth_edges import find_depth_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VOTERS: Final = 24
"""Views that vote on a point besides its own."""
_MOST_BYTES: Final = 1 << 29
_MAPS: Final = 4  # numbers for each pixel
_CANDIDATES: Final = 128
_SAMPLES: Final = 24
_LEAST_SHARE: Final = 0.2
_HIDDEN: Final = 1.15
_FARTHER: Final = 2.0
_TOWARDS: Final = 0.5


class Choice(NamedTuple):
    """Which views are asked about the points of one view.

    voters: at most MOST_VOTERS views spread over all that see the same; companions: its neighbours
    in time, where they are no voters: nearly the same picture, so they do not count as votes.
    """

    voters: list[int]
    companions: list[int]


class Witnesses:
    """Depth maps of all views, and their cameras.

    Args:
        K: (N, 3, 3) float64, pixels of the H x W grid.
        w2c: (N, 4, 4) float64, OpenCV world-to-camera.
        shape: H and W.

    Attributes:
        depth: (N, h * w + 1) float32, 0 where a view says nothing or depth jumps; the last
            pixel is 0 and stands for what is outside.
        slope: (N, 2, h * w + 1) float32, change of inverse depth to the next column and row, as a
            share of it: what lies between the middles of pixels is known as well as on planes.
        nearest: (N, h * w + 1) float32, the least depth of 3 x 3 pixels around, 0 where a view
            says nothing: what lies clearly before it is seen through, also where cameras are
            wrong by a pixel.
        size: w and h.
    """

    def __init__(
        self, K: NDArray[np.floating], w2c: NDArray[np.floating], shape: tuple[int, int]
    ) -> None:
        count, (height, width) = len(w2c), shape
        fitting = _MOST_BYTES / (_MAPS * 4 * max(count, 1))  # pixels of a map
        self._step = max(1, int(np.ceil((height * width / fitting) ** 0.5)))
        self.size = (max(1, width // self._step), max(1, height // self._step))
        self.K = np.diag([1 / self._step, 1 / self._step, 1.0]) @ np.asarray(K, np.float64)
        self.w2c = np.asarray(w2c, np.float64)
        self.c2w = invert_rigid(self.w2c)
        pixels = self.size[0] * self.size[1] + 1
        self.depth = np.zeros((count, pixels), np.float32)
        self.nearest = np.zeros((count, pixels), np.float32)
        self.slope = np.zeros((count, 2, pixels), np.float32)

    @property
    def count(self) -> int:
        """Return the number of views."""
        return len(self.w2c)

    def put(
        self, view: int, depth: NDArray[np.floating], sure: NDArray[np.bool_], edge_step: float
    ) -> None:
        """Take the depth map of a view.

        Args:
            view: its number.
            depth: (H, W) scene units; values <= 0 or non-finite say nothing.
            sure: (H, W), pixels that may vote.
            edge_step: relative step above which a pixel lies between two surfaces.
        """
        width, height = self.size
        inside = np.s_[: height * self._step, : width * self._step]
        blocks = (height, self._step, width, self._step)
        valid = np.isfinite(depth) & (depth > 0)
        near = np.where(valid, depth, np.inf)[inside].reshape(blocks).min((1, 3))
        flat = valid & sure & ~find_depth_edges(np.where(valid, depth, 0), edge_step)
        inverse = np.where(flat, 1 / np.where(valid, depth, 1), 0)[inside].reshape(blocks)
        mean = inverse.mean((1, 3))
        if self._step > 1:
            spread = inverse.max((1, 3)) - inverse.min((1, 3))
            mean[spread > (edge_step or 1) * self._step * mean] = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            surface = np.where(mean > 0, 1 / mean, 0)
            for axis in (0, 1):
                slope = _measure_slope(mean, 1 - axis) * surface
                self.slope[view, axis, :-1] = slope.ravel()
        speaks = (valid & sure)[inside].reshape(blocks).any((1, 3))
        nearest = np.where(speaks, _take_least(near), 0)
        self.depth[view, :-1] = surface.ravel()
        self.nearest[view, :-1] = nearest.ravel()

    def choose(self, view: int, points: NDArray[np.float32]) -> Choice:
        """Choose the views that are asked about points of one view.

        Args:
            view: whose points they are.
            points: (M, 3) float32, world.
        """
        others = np.delete(np.arange(self.count), view)
        if len(others) <= MOST_VOTERS + 1:
            return Choice(others.tolist(), [])
        picks = np.linspace(0, len(points) - 1, min(_SAMPLES, len(points))).astype(np.intp)
        sample = points[picks].astype(np.float64)
        near = self._find_near(view, np.median(sample, axis=0))
        seen = near[self._measure_sight(near, sample) >= _LEAST_SHARE]
        spread = np.linspace(0, len(seen) - 1, min(MOST_VOTERS, len(seen))).round()
        voters = seen[np.unique(spread.astype(np.intp))].tolist()
        neighbours = [n for n in (view - 1, view + 1) if 0 <= n < self.count]
        return Choice(voters, [n for n in neighbours if n not in voters])

    def _find_near(self, view: int, middle: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return at most _CANDIDATES views that look at a place from not much farther away."""
        ways = middle - self.c2w[:, :3, 3]
        far = np.linalg.norm(ways, axis=1)
        ahead = np.einsum("ni,ni->n", ways, self.c2w[:, :3, 2])
        fits = (far < _FARTHER * far[view]) & (ahead > _TOWARDS * far)
        fits[view] = False
        found = np.flatnonzero(fits)
        some = np.linspace(0, len(found) - 1, min(_CANDIDATES, len(found))).round()
        return found[some.astype(np.intp)]

    def _measure_sight(
        self, views: NDArray[np.intp], points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (n,), the share of points that each view has in its picture and not behind it."""
        camera = np.einsum("nij,mj->nmi", self.w2c[views, :3, :3], points)
        camera += self.w2c[views, None, :3, 3]
        depth = camera[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = np.einsum("nij,nmj->nmi", self.K[views], camera)[..., :2] / depth[..., None]
        width, height = self.size
        inside = (depth > 0) & (pixels >= 0).all(-1) & (pixels < (width, height)).all(-1)
        cells = np.where(inside[..., None], pixels, 0).astype(np.intp)
        surface = self.depth[views[:, None], cells[..., 1] * width + cells[..., 0]]
        return (inside & ~((surface > 0) & (depth > _HIDDEN * surface))).mean(axis=1)


def _measure_slope(inverse: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """Return (H, W), the change from pixel to pixel: the smaller of the steps to both sides.

    Args:
        inverse: (H, W) inverse depth; 0 where nothing is known.
        axis: 0 from row to row, 1 from column to column.
    """
    lines = np.moveaxis(inverse, axis, 0)
    steps = np.diff(lines, axis=0)
    steps[(lines[1:] == 0) | (lines[:-1] == 0)] = np.inf
    nothing = np.full((1, *lines.shape[1:]), np.inf, inverse.dtype)
    before, after = np.concatenate((nothing, steps)), np.concatenate((steps, nothing))
    slope = np.where(np.abs(before) < np.abs(after), before, after)
    return np.moveaxis(np.where(np.isfinite(slope), slope, 0), 0, axis)


def _take_least(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (H, W), the least of each pixel and its eight neighbours."""
    for axis in (0, 1):
        moved = np.moveaxis(values, axis, 0)
        least = moved.copy()
        np.minimum(least[1:], moved[:-1], out=least[1:])
        np.minimum(least[:-1], moved[1:], out=least[:-1])
        values = np.moveaxis(least, 0, axis)
    return values
