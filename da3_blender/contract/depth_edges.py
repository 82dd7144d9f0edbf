# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a depth map jumps from one surface to another: cuts for points and meshes.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_depth_edges(depth: NDArray[np.floating], step: float) -> NDArray[np.bool_]:
    """Mark pixels whose depth jumps to a neighbour: points there hang between two surfaces.

    The measure is local, `|d - d'| / min(d, d')`, so one far silhouette does not decide for the
    whole picture. A steep but smooth surface also steps from pixel to pixel; there the steps on
    both sides are alike, so only the part of a step that the other side does not share counts.

    Args:
        depth: (H, W) scene units, positive where valid.
        step: relative difference above which a pixel is an edge; 0 marks nothing.

    Returns:
        (H, W) bool.
    """
    edges = np.zeros(depth.shape, bool)
    if step <= 0:
        return edges
    inverse = 1.0 / np.where(depth > 0, depth, np.nan)  # planes are linear in inverse depth
    for axis in (0, 1):
        padded = np.pad(inverse, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        before = np.moveaxis(np.moveaxis(padded, axis, 0)[:-2], 0, axis)
        after = np.moveaxis(np.moveaxis(padded, axis, 0)[2:], 0, axis)
        bend = np.abs(before + after - 2 * inverse) / inverse
        edges |= bend > step
    return edges


def find_whole_quads(depth: NDArray[np.floating], step: float) -> NDArray[np.bool_]:
    """Mark the cells of a depth grid whose four corners lie on one surface.

    A cell is cut where one of its sides jumps: a step of inverse depth is a jump by the part
    that exceeds the smaller one of the steps before and after it on the same line, so a surface
    that is seen at a grazing angle stays whole.

    Args:
        depth: (H, W) scene units; values <= 0 or non-finite are holes.
        step: relative difference above which a side is cut; 0 cuts only holes.

    Returns:
        (H - 1, W - 1) bool.
    """
    valid = np.isfinite(depth) & (depth > 0)
    whole = valid[:-1, :-1] & valid[1:, :-1] & valid[:-1, 1:] & valid[1:, 1:]
    if step <= 0:
        return whole
    inverse = 1.0 / np.where(valid, depth, np.inf)  # holes are infinitely far
    rows, columns = _find_jumps(inverse, step), _find_jumps(inverse.T, step).T
    whole &= ~(rows[:-1] | rows[1:])
    whole &= ~(columns[:, :-1] | columns[:, 1:])
    return whole


def _find_jumps(inverse: NDArray[np.floating], step: float) -> NDArray[np.bool_]:
    """Return (H, W - 1) bool, whether there is a jump between neighbours of a row."""
    difference = np.abs(np.diff(inverse, axis=1))
    nearer = np.maximum(inverse[:, :-1], inverse[:, 1:])
    padded = np.pad(difference, ((0, 0), (1, 1)), mode="edge")
    usual = np.minimum(padded[:, :-2], padded[:, 2:])
    return difference - usual > step * nearer
