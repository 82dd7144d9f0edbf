# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuses depth maps to one surface: a truncated signed distance in a sparse grid.

Runs in the engine. Source: Curless and Levoy 1996, A volumetric method for building complex models
from range images; blocks hashed by their integer coordinates as in Niessner et al. 2013.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE: Final = 8  # cells along the side of a block
_CELLS: Final = _SIDE**3
_BLOCKS_AT_ONCE: Final = 1024  # bounds the memory of one step to some 50 MB
_REACH: Final = 1 << 20  # cells from the origin that a key can hold, on each side
# The side of a block holds at least this many samples of a ray, so that none is passed over.
_SAMPLES_PER_BLOCK: Final = 2


class TsdfVolume:
    """A sparse grid of signed distances, positive in front of the surface.

    Args:
        cell: edge length of a cell.
        truncation: distance from the surface beyond which nothing is stored.
    """

    def __init__(self, cell: float, truncation: float) -> None:
        if not (cell > 0 and truncation > 0):
            message = f"cell {cell} and truncation {truncation} must be positive"
            raise ValueError(message)
        self.cell = float(cell)
        self.truncation = float(truncation)
        self._keys = np.zeros(0, np.int64)  # ascending; row r of the arrays is block _keys[r]
        self._distance = np.zeros((0, _CELLS), np.float32)  # in shares of the truncation
        self._weight = np.zeros((0, _CELLS), np.float32)
        steps = np.stack(np.meshgrid(*[np.arange(_SIDE)] * 3, indexing="ij"), axis=-1)
        self._offsets = (steps.reshape(-1, 3) + 0.5) * self.cell  # cell centres in a block

    def integrate(
        self,
        depth: NDArray[np.floating],
        K: NDArray[np.floating],
        w2c: NDArray[np.floating],
        max_depth: float = np.inf,
    ) -> None:
        """Add one depth map.

        Args:
            depth: (H, W) along the optical axis; values <= 0, not finite or beyond `max_depth`
                are no surface.
            K: (3, 3) pixels of this grid.
            w2c: (4, 4) OpenCV world-to-camera.
            max_depth: farthest surface that counts.

        Raises:
            ValueError: the surface is too far from the origin for this size of the cells.
        """
        good = np.isfinite(depth) & (depth > 0) & (depth <= max_depth)
        depth = np.where(good, depth, 0).astype(np.float32)
        keys = self._find_blocks(depth, np.asarray(K, np.float64), np.asarray(w2c, np.float64))
        self._allocate(keys)
        rows = np.searchsorted(self._keys, keys)
        for begin in range(0, len(rows), _BLOCKS_AT_ONCE):
            self._update(rows[begin : begin + _BLOCKS_AT_ONCE], depth, K, w2c)

    def extract_points(self) -> NDArray[np.float64]:
        """Return points of the surface.

        Each cube between eight cell centres through which the surface passes gives one point,
        the mean of where the distance changes its sign along the cube's edges.

        Returns:
            (M, 3) float64, world.

        Source: Gibson 1998, Constrained elastic surface nets (without the relaxation).
        """
        keys, points = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
        for begin in range(0, len(self._keys), _BLOCKS_AT_ONCE):
            rows = np.arange(begin, min(begin + _BLOCKS_AT_ONCE, len(self._keys)))
            for axis in range(3):
                cells, crossings = self._find_crossings(rows, axis)
                for step in itertools.product((0, 1), (0, 1)):  # an edge belongs to four cubes
                    keys.append(_make_keys(cells - np.insert(step, axis, 0)))
                    points.append(crossings)
        _, cube = np.unique(np.concatenate(keys), return_inverse=True)
        together = np.concatenate(points)
        counts = np.bincount(cube)
        return np.stack([np.bincount(cube, together[:, a]) / counts for a in range(3)], axis=1)

    def _find_blocks(
        self, depth: NDArray[np.float32], K: NDArray[np.float64], w2c: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return the ascending keys of the blocks within the truncation of the surface."""
        block = _SIDE * self.cell
        stride = 1
        if (depth > 0).any():  # neighbouring rays need not be closer than a quarter of a block
            gap = float(depth.max()) / min(K[0, 0], K[1, 1])
            stride = max(1, int(block / 4 / gap))
        v, u = np.nonzero(depth[::stride, ::stride])
        z = depth[::stride, ::stride][v, u].astype(np.float64)
        pixels = np.stack([u * stride + 0.5, v * stride + 0.5, np.ones(len(u))], axis=1)
        rays = pixels @ np.linalg.inv(K).T
        lengths = np.linalg.norm(rays, axis=1)
        c2w = invert_rigid(w2c)
        far = float(np.abs(c2w[:3, 3]).max() + (z * lengths).max(initial=0)) + self.truncation
        if not far < (_REACH - _SIDE) * self.cell:
            message = f"a surface {far:g} from the origin, too far for cells of {self.cell:g}"
            raise ValueError(message)
        count = 2 * int(np.ceil(self.truncation / block * _SAMPLES_PER_BLOCK)) + 1
        keys = np.zeros(0, np.int64)
        for offset in np.linspace(-self.truncation, self.truncation, count):
            at = np.maximum(z + offset / lengths, 0)
            points = (rays * at[:, None]) @ c2w[:3, :3].T + c2w[:3, 3]
            keys = np.union1d(keys, _make_keys(np.floor(points / block).astype(np.int64)))
        return keys

    def _allocate(self, keys: NDArray[np.int64]) -> None:
        new = np.setdiff1d(keys, self._keys, assume_unique=True)
        if not len(new):
            return
        keys = np.concatenate([self._keys, new])
        order = np.argsort(keys, kind="stable")
        empty = np.zeros((len(new), _CELLS), np.float32)
        self._keys = keys[order]
        self._distance = np.concatenate([self._distance, empty])[order]
        self._weight = np.concatenate([self._weight, empty])[order]

    def _update(
        self,
        rows: NDArray[np.intp],
        depth: NDArray[np.float32],
        K: NDArray[np.floating],
        w2c: NDArray[np.floating],
    ) -> None:
        """Bring one depth map into some blocks."""
        height, width = depth.shape
        corners = _read_keys(self._keys[rows]) * (_SIDE * self.cell)
        rotation = np.asarray(w2c[:3, :3], np.float64)
        camera = (corners @ rotation.T + w2c[:3, 3])[:, None] + self._offsets @ rotation.T
        camera = camera.astype(np.float32)  # (B, cells, 3)
        x, y, z = camera[..., 0], camera[..., 1], camera[..., 2]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x, y = x / z, y / z
            u = np.floor(np.float32(K[0, 0]) * x + np.float32(K[0, 1]) * y + np.float32(K[0, 2]))
            v = np.floor(np.float32(K[1, 1]) * y + np.float32(K[1, 2]))
            inside = (z > 0) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
        u, v = np.where(inside, u, 0).astype(np.intp), np.where(inside, v, 0).astype(np.intp)
        there = depth[v, u]
        with np.errstate(invalid="ignore", over="ignore"):
            distance = (there - z) * np.sqrt(1 + x * x + y * y) / np.float32(self.truncation)
            inside &= (there > 0) & (distance > -1)
        distance = np.minimum(distance, 1)
        weight = self._weight[rows]
        mean = (self._distance[rows] * weight + distance) / (weight + 1)
        self._distance[rows] = np.where(inside, mean, self._distance[rows])
        self._weight[rows] = weight + inside

    def _find_crossings(
        self, rows: NDArray[np.intp], axis: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find where the distance changes its sign between cells and the next ones on an axis.

        Returns:
            (M, 3) integer coordinates of the cells, and (M, 3) points on the way to the next.
        """
        shape = (len(rows), _SIDE, _SIDE, _SIDE)
        here = self._read(rows).reshape(shape)
        ahead = np.full(shape, np.nan, np.float32)
        inner, first, last = ([slice(None)] * 4 for _ in range(3))
        inner[axis + 1], first[axis + 1], last[axis + 1] = slice(1, None), 0, _SIDE - 1
        body = [slice(None)] * 4
        body[axis + 1] = slice(0, -1)
        ahead[tuple(body)] = here[tuple(inner)]
        neighbours = self._find_neighbours(rows, axis)
        there = neighbours >= 0
        beyond = self._read(neighbours[there]).reshape(-1, _SIDE, _SIDE, _SIDE)
        border = ahead[tuple(last)]
        border[there] = beyond[tuple(first)]
        ahead[tuple(last)] = border
        with np.errstate(invalid="ignore"):
            changes = (here > 0) != (ahead > 0)
            changes &= np.isfinite(here) & np.isfinite(ahead)
        block, *cell = np.nonzero(changes)
        near, far = here[changes].astype(np.float64), ahead[changes].astype(np.float64)
        cells = _read_keys(self._keys[rows[block]]) * _SIDE + np.stack(cell, axis=1)
        points = (cells + 0.5) * self.cell
        points[:, axis] += near / (near - far) * self.cell
        return cells, points

    def _read(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the distances of some blocks, NaN where no view has looked."""
        return np.where(self._weight[rows] > 0, self._distance[rows], np.float32(np.nan))

    def _find_neighbours(self, rows: NDArray[np.intp], axis: int) -> NDArray[np.intp]:
        """Return the rows of the next blocks on an axis, -1 where there is none."""
        blocks = _read_keys(self._keys[rows])
        blocks[:, axis] += 1
        wanted = _make_keys(blocks)
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, at, -1)


def _make_keys(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pack integer coordinates (B, 3) of blocks or cells into one number each."""
    x, y, z = (places + _REACH).T
    return (x << 42) | (y << 21) | z


def _read_keys(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unpack keys to integer coordinates (B, 3)."""
    mask = (1 << 21) - 1
    return np.stack([keys >> 42, (keys >> 21) & mask, keys & mask], axis=1) - _REACH
