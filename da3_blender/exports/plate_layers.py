# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth and what follows from it, at the pixels of the plate: layers for a compositing program.

Runs in the engine.

The network's grid is coarser than the plate. Within one surface inverse depth is interpolated,
which is exact for planes; where the grid jumps from one surface to another each pixel takes the
nearest value, so that edges are not smeared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.depth_edges import find_whole_quads
from ..contract.projection import unproject

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_EDGE_STEP: Final = 0.03  # of depth, beyond what a smooth surface changes anyway
_BAND_PIXELS: Final = 1 << 19  # that are in work at a time
# OpenCV's axes in those of Nuke, Maya and Houdini: y up, cameras look along -z.
_Y_UP: Final = (1.0, -1.0, -1.0)


class GridMaps(NamedTuple):
    """What the network gave for one picture, (h, w) each.

    depth: scene units along the axis; confidence: larger is better; sky: bool or None;
    grid_from_photo: (3, 3), pixels of the undistorted photo to those of the grid.
    """

    depth: NDArray[np.floating]
    confidence: NDArray[np.floating] | None
    sky: NDArray[np.bool_] | None
    grid_from_photo: NDArray[np.float64]


class PlateCamera(NamedTuple):
    """Where a plate was taken: K (3, 3) pixels of the undistorted photo, w2c (4, 4), its size."""

    K: NDArray[np.float64]
    w2c: NDArray[np.float64]
    size: tuple[int, int]


def make_layers(
    maps: GridMaps,
    camera: PlateCamera,
    find_pinhole: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None,
) -> dict[str, NDArray[np.floating]]:
    """Compute the layers of one picture.

    Args:
        maps: of the picture.
        camera: of the picture.
        find_pinhole: takes (..., 2) pixels of the plate and returns those of the undistorted
            photo, NaN for nowhere; None where the plate has no distortion.

    Returns:
        (H, W) by channel, 0 where nothing is known: depth.Z float32, scene units along the
        optical axis; P.X, P.Y, P.Z float32, position in the world with y up; N.X, N.Y, N.Z
        float16, unit normal in the same world, towards the camera; confidence.Y float16; mask.A
        float16, 1 where there is depth; sky.A float16, 1 where there is sky.
    """
    width, height = camera.size
    sampler = _GridSampler(maps, camera)
    names = ["depth.Z", "P.X", "P.Y", "P.Z", "N.X", "N.Y", "N.Z", "mask.A"]
    names += ["confidence.Y"] if maps.confidence is not None else []
    names += ["sky.A"] if maps.sky is not None else []
    layers: dict[str, NDArray[np.floating]] = {
        name: np.empty(
            (height, width), np.float32 if name.startswith(("depth", "P.")) else np.float16
        )
        for name in names
    }
    rows = max(1, _BAND_PIXELS // width)
    x = np.arange(width) + 0.5
    for top in range(0, height, rows):
        y = np.arange(top, min(top + rows, height)) + 0.5
        pixels = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float64)
        pinhole = pixels if find_pinhole is None else find_pinhole(pixels)
        for name, values in sampler.sample(pinhole).items():
            layers[name][top : top + len(y)] = values
    return layers


class _GridSampler:
    """Reads the maps of one picture between their pixels."""

    def __init__(self, maps: GridMaps, camera: PlateCamera) -> None:
        depth = np.asarray(maps.depth, np.float64)
        self._maps, self._camera = maps, camera
        self._valid = np.isfinite(depth) & (depth > 0)
        self._inverse = 1 / np.where(self._valid, depth, np.inf)
        self._whole = find_whole_quads(depth, _EDGE_STEP)
        self._normals = _find_normals(depth, maps.grid_from_photo, camera)
        self._c2w = invert_rigid(camera.w2c)

    def sample(self, pinhole: NDArray[np.float64]) -> dict[str, NDArray[np.floating]]:
        """Return the layers at (..., 2) pixels of the undistorted photo."""
        maps = self._maps
        height, width = self._inverse.shape
        seen = np.all(np.isfinite(pinhole), axis=-1)
        safe = np.where(np.expand_dims(seen, -1), pinhole, 0.0)
        grid = safe @ maps.grid_from_photo[:2, :2].T + maps.grid_from_photo[:2, 2]
        seen &= np.all((grid >= 0) & (grid <= [width, height]), axis=-1)
        column = np.clip(grid[..., 0].astype(int), 0, width - 1)
        row = np.clip(grid[..., 1].astype(int), 0, height - 1)
        inverse = self._read_inverse(grid, row, column)
        has_depth = seen & (inverse > 0)
        depth = np.where(has_depth, 1 / np.where(has_depth, inverse, 1.0), 0.0)
        layers: dict[str, NDArray[np.floating]] = {"depth.Z": depth}
        camera = self._camera
        rays = np.concatenate([safe, np.ones((*safe.shape[:-1], 1))], -1)
        rays = rays @ np.linalg.inv(camera.K).T
        world = (rays * depth[..., None]) @ self._c2w[:3, :3].T + self._c2w[:3, 3]
        normals = self._normals[row, column]
        for axis, letter in enumerate("XYZ"):
            layers[f"P.{letter}"] = np.where(has_depth, world[..., axis] * _Y_UP[axis], 0)
            layers[f"N.{letter}"] = np.where(has_depth, normals[..., axis] * _Y_UP[axis], 0)
        layers["mask.A"] = has_depth.astype(np.float32)
        if maps.confidence is not None:
            found = np.asarray(maps.confidence)[row, column]
            most = np.finfo(np.float16).max
            layers["confidence.Y"] = np.where(seen, np.clip(found, -most, most), 0)
        if maps.sky is not None:
            layers["sky.A"] = (seen & np.asarray(maps.sky)[row, column]).astype(np.float32)
        return layers

    def _read_inverse(
        self, grid: NDArray[np.float64], row: NDArray[np.intp], column: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return inverse depth: bilinear inside whole cells of the grid, else the nearest."""
        inverse = self._inverse
        height, width = inverse.shape
        if min(height, width) < 2:  # noqa: PLR2004 - no cell without two pixels
            return inverse[row, column]
        x, y = grid[..., 0] - 0.5, grid[..., 1] - 0.5
        left = np.clip(np.floor(x).astype(int), 0, width - 2)
        top = np.clip(np.floor(y).astype(int), 0, height - 2)
        u, v = x - left, y - top  # below 0 and above 1 in the outer half pixel of the grid
        upper = inverse[top, left] * (1 - u) + inverse[top, left + 1] * u
        lower = inverse[top + 1, left] * (1 - u) + inverse[top + 1, left + 1] * u
        smooth = upper * (1 - v) + lower * v
        return np.where(self._whole[top, left] & (smooth > 0), smooth, inverse[row, column])


def _find_normals(
    depth: NDArray[np.float64], grid_from_photo: NDArray[np.float64], camera: PlateCamera
) -> NDArray[np.float64]:
    """Return (h, w, 3) unit normals of the grid in OpenCV's world, towards the camera.

    Neighbours on both sides make the slope; at an edge only the one whose depth is nearer to that
    of the pixel, so that normals do not bend at silhouettes.
    """
    K = grid_from_photo @ camera.K
    world = unproject(depth[None], K[None], camera.w2c[None])[0].astype(np.float64)
    across = _find_slope(world, depth, axis=1)
    down = _find_slope(world, depth, axis=0)
    normals = np.cross(down, across)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        normals = normals / length
    centre = invert_rigid(camera.w2c)[:3, 3]
    away = np.einsum("hwc,hwc->hw", normals, world - centre) > 0
    normals[away] *= -1
    return np.nan_to_num(normals)


def _find_slope(
    world: NDArray[np.float64], depth: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    """Return the step of positions along an axis of the grid, by the neighbours that fit."""
    step = np.diff(world, axis=axis)
    change = np.abs(np.diff(depth, axis=axis))
    first, last = [(0, 0)] * 2, [(0, 0)] * 2
    first[axis], last[axis] = (1, 0), (0, 1)
    before, after = (np.pad(step, [*pad, (0, 0)]) for pad in (first, last))
    change_before, change_after = (
        np.pad(change, pad, constant_values=np.inf) for pad in (first, last)
    )
    limit = _EDGE_STEP * np.abs(depth)
    fits_before, fits_after = change_before <= limit, change_after <= limit
    nearer = np.where((change_before < change_after)[..., None], before, after)
    both = (fits_before & fits_after)[..., None]
    return np.where(both, (before + after) / 2, nearer)
