# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All measures of an estimate's depth maps: errors, edges, agreement from frame to frame.

Runs in the engine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import binary_dilation

from ..contract.depth_edges import find_depth_edges
from ..contract.projection import project, unproject
from .depth_error import ALIGNMENTS, measure_each, measure_together
from .estimate import sample_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .estimate import Estimate
    from .scene import Scene

_PIXELS_PER_FRAME: Final = 300_000  # that are compared; more are thinned evenly
_EDGE_STEP: Final = 0.1  # relative step of depth from pixel to pixel that makes an edge
_EDGE_REACH_PX: Final = 2  # so far an edge may lie from where it should be
_VISIBLE: Final = 0.02  # true depth may differ by this share for a pixel to be seen in both frames
_OCCLUDED: Final = 0.2  # without true depth, a larger difference is taken for an occlusion


def measure_depth_maps(scene: Scene, estimate: Estimate) -> dict[str, Any]:
    """Compare depth maps with the truth, at the pixels of the true maps.

    Args:
        scene: with true depth.
        estimate: with depth.

    Returns:
        For each alignment `image` and `sequence` errors, the share of the pixels with true depth
        that the estimate covers, and the edges.
    """
    found, true, wanted = [], [], 0
    edges = []
    index_of = {int(frame): index for index, frame in enumerate(estimate.frames)}
    for frame in range(len(scene)):
        truth = scene.read_true_depth(frame)
        if truth is None:
            continue
        stride = max(1, math.isqrt(truth.size // _PIXELS_PER_FRAME))
        part = truth[::stride, ::stride]
        known = np.isfinite(part)
        wanted += np.count_nonzero(known)
        index = index_of.get(frame)
        if index is None:
            continue
        sampled = sample_depth(estimate, index, scene.sizes[frame], truth.shape, stride)
        good = known & ~np.isnan(sampled)
        found.append(sampled[good])
        true.append(part[good])
        edges.append(_count_edges(estimate, index, scene.sizes[frame], truth))
    scores: dict[str, Any] = {
        alignment: {
            "image": measure_each(found, true, alignment)._asdict(),
            "sequence": measure_together(found, true, alignment)._asdict(),
        }
        for alignment in ALIGNMENTS
    }
    scores["covered"] = sum(map(len, true)) / wanted if wanted else float("nan")
    hit, there, right, drawn = np.sum(edges, axis=0) if edges else (0, 0, 0, 0)
    scores["edge_recall"] = float(hit / there) if there else float("nan")
    scores["edge_precision"] = float(right / drawn) if drawn else float("nan")
    return scores


def _count_edges(
    estimate: Estimate, index: int, size: tuple[int, int], truth: NDArray[np.float32]
) -> tuple[int, int, int, int]:
    """Count edges on the estimate's grid.

    Returns:
        True edges near one of ours, true edges, ours near a true one, ours.
    """
    depth = estimate.depth[index]
    expected = sample_truth(estimate, index, size, truth)
    known = np.isfinite(expected)
    true_edges = find_depth_edges(np.where(known, expected, 0), _EDGE_STEP)
    # Where the truth ends there is no telling whether an edge is right.
    judged = ~binary_dilation(~known, iterations=_EDGE_REACH_PX)
    edges = find_depth_edges(depth, _EDGE_STEP)
    near = binary_dilation(edges, iterations=_EDGE_REACH_PX)
    true_near = binary_dilation(true_edges, iterations=_EDGE_REACH_PX)
    true_edges &= judged
    edges &= judged
    return (
        np.count_nonzero(true_edges & near),
        np.count_nonzero(true_edges),
        np.count_nonzero(edges & true_near),
        np.count_nonzero(edges),
    )


def sample_truth(
    estimate: Estimate, index: int, size: tuple[int, int], truth: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Read a true map at the pixels of an estimated one, nearest.

    Args:
        estimate: with depth.
        index: which of its frames.
        size: width and height of the scene's picture.
        truth: (h', w') true depth, NaN where unknown.

    Returns:
        (H, W) float32, NaN outside of the picture or where the truth is unknown.
    """
    rows, columns = estimate.depth[index].shape
    (width, height), grid = size, estimate.grid_from_photo[index]
    x = (np.arange(columns) + 0.5 - grid[0, 2]) / grid[0, 0] * truth.shape[1] / width
    y = (np.arange(rows) + 0.5 - grid[1, 2]) / grid[1, 1] * truth.shape[0] / height
    u, v = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    inside = ((v >= 0) & (v < truth.shape[0]))[:, None] & (u >= 0) & (u < truth.shape[1])
    u, v = np.clip(u, 0, truth.shape[1] - 1), np.clip(v, 0, truth.shape[0] - 1)
    return np.where(inside, truth[v[:, None], u], np.float32(np.nan))


def measure_temporal(scene: Scene, estimate: Estimate) -> dict[str, float]:
    """Measure how well the depth of each frame agrees with the next, in the estimate's cameras.

    Pixels of frame t are moved into frame t + 1. Only what is visible in both and does not move
    counts: by the true depth and cameras where there is true depth, else by the estimate's own
    agreement within 20 percent.

    Args:
        scene: frames in the order of time.
        estimate: with cameras and depth.

    Returns:
        `difference`: mean of |z - d| / d over all counted pixels; `counted`: their share of those
        that fall into the next frame.
    """
    grid_K = estimate.grid_from_photo @ estimate.K
    total, counted, seen = 0.0, 0, 0
    for now in range(len(estimate.frames) - 1):
        after = now + 1
        if estimate.frames[after] != estimate.frames[now] + 1:
            continue
        difference = _move_depth(
            (estimate.depth[now], estimate.depth[after]),
            (grid_K[now], grid_K[after]),
            (estimate.w2c[now], estimate.w2c[after]),
        )
        inside = np.isfinite(difference)
        visible = _find_visible(scene, estimate, now)
        good = inside & (difference < _OCCLUDED if visible is None else visible)
        total += float(difference[good].sum())
        counted += np.count_nonzero(good)
        seen += np.count_nonzero(inside)
    return {
        "difference": total / counted if counted else float("nan"),
        "counted": counted / seen if seen else float("nan"),
    }


def _move_depth(
    depth: tuple[NDArray[np.floating], NDArray[np.floating]],
    K: tuple[NDArray[np.floating], NDArray[np.floating]],
    w2c: tuple[NDArray[np.floating], NDArray[np.floating]],
) -> NDArray[np.float64]:
    """Return (H, W) |z - d| / d of each pixel of the first map in the second; NaN outside."""
    points = unproject(depth[0][None], K[0][None], w2c[0][None])[0]
    pixels, z = project(points.reshape(-1, 3), K[1], w2c[1])
    height, width = depth[1].shape
    with np.errstate(invalid="ignore"):
        inside = (z > 0) & (pixels >= 0).all(axis=1) & (pixels < [width, height]).all(axis=1)
    u, v = pixels[inside].astype(np.intp).T
    there = np.asarray(depth[1][v, u], np.float64)
    there = np.where(there > 0, there, np.nan)
    difference = np.full(len(z), np.nan)
    difference[inside] = np.abs(z[inside] - there) / there
    return difference.reshape(depth[0].shape)


def _find_visible(scene: Scene, estimate: Estimate, index: int) -> NDArray[np.bool_] | None:
    """Mark the pixels of an estimated map that the next frame truly sees; None without truth."""
    frame = int(estimate.frames[index])
    truths = [scene.read_true_depth(frame), scene.read_true_depth(frame + 1)]
    if truths[0] is None or truths[1] is None:
        return None
    K = []
    for step, truth in enumerate(truths):
        width, height = scene.sizes[frame + step]
        scale = np.diag([truth.shape[1] / width, truth.shape[0] / height, 1.0])
        K.append(scale @ scene.K[frame + step])
    w2c = (scene.w2c[frame], scene.w2c[frame + 1])
    difference = _move_depth((truths[0], truths[1]), (K[0], K[1]), w2c)
    seen = np.where(difference < _VISIBLE, np.float32(1), np.float32(np.nan))
    return np.isfinite(sample_truth(estimate, index, scene.sizes[frame], seen))
