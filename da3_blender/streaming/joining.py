# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a chunk lies to another one that shares frames with it: our way, or that of the release.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .overlap import Seam, SharedFrames, align_overlap, judge_overlap, lift_pixels, measure_scale
from .point_alignment import align_points_like_release

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.similarity import Sim3
    from .store import ChunkResult

_RELEASE_FLOOR: Final = 0.1


def join_chunks(first: ChunkResult, second: ChunkResult, *, like_release: bool) -> Seam | None:
    """Find how the second chunk lies in the world of the first, from frames of both."""
    if not len(first.depth):
        return None
    if not like_release:
        return align_overlap(_share(first), _share(second))
    frames = _share(first), _share(second)
    sim = _align_like_release(first, second)
    return judge_overlap(*frames, sim, "points", measure_scale(*frames))


def _share(result: ChunkResult) -> SharedFrames:
    return SharedFrames(result.depth, result.confidence, result.w2c, result.K)


def _align_like_release(first: ChunkResult, second: ChunkResult) -> Sim3:
    """Align all pixels that both trust, as DA3-Streaming does."""
    floor = _RELEASE_FLOOR * min(
        float(np.median(first.confidence)), float(np.median(second.confidence))
    )
    place = np.flatnonzero((first.confidence > floor) & (second.confidence > floor))
    weights = np.sqrt(first.confidence.reshape(-1)[place] * second.confidence.reshape(-1)[place])
    source, target = (_lift_whole_pixels(each, place) for each in (second, first))
    return align_points_like_release(source, target, weights)


def _lift_whole_pixels(result: ChunkResult, place: NDArray[np.intp]) -> NDArray[np.float64]:
    """Lift pixels as the release does: their corners in place of their middles."""
    K = result.K.copy()
    K[:, :2, 2] += 0.5
    return lift_pixels(SharedFrames(result.depth, result.confidence, result.w2c, K), place)
