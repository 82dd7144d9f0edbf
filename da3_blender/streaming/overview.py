# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every n-th frame of a long stretch: they hold together what chunks see one by one.

Runs in the engine. A network that looks at a hundred views is about as sure of the first and the
last of them when they lie far apart as when they are neighbours, so an overview keeps a long chain
of chunks from bending. Its frames still have to see the same things: the step comes from what the
chunks have found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid
from .chunks import Chunk, make_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .store import ChunkResult

LEAST_COVER: Final = 0.5
"""Share of a frame's pixels that the next frame of an overview sees."""
_PIXELS: Final = 400
_FEWEST_STRETCHES: Final = 15
"""Of a chunk: a larger step has little to say about it."""
_SPACING: Final = 8
_MOST_FRAMES: Final = 4000
"""Above it nodes lie farther apart."""
_TWO_ROWS: Final = 4


def list_steps(size: int) -> list[int]:
    """Return the steps that overviews beside chunks of a size can have, the largest first."""
    steps = [1 << power for power in range(1, 5)]
    return [step for step in reversed(steps) if step * _FEWEST_STRETCHES <= size]


def are_nodes(frames: NDArray[np.intp], step: int, total: int) -> NDArray[np.bool_]:
    """Tell which frames are nodes of the graph beside overviews of a step, or of none (0).

    Every eighth frame of the sequence, and as many that the second row of overviews has; fewer
    of a sequence of many thousands, so that the graph does not grow with it.

    Args:
        frames: numbers of frames.
        step: of the overviews.
        total: frames of the sequence.
    """
    spacing = _SPACING * max(1, -(-total // _MOST_FRAMES))
    is_node = frames % spacing == 0
    if step >= _TWO_ROWS:
        is_node |= frames % spacing == step // 2 % spacing
    return is_node


def measure_cover(result: ChunkResult, step: int) -> float:
    """Return the share of what a frame shows that is inside the frame `step` after it.

    Args:
        result: of neighbouring frames.
        step: between the frames that are compared.

    Returns:
        The median over the frames, 0 where there are none.
    """
    count, height, width = result.depth.shape
    if count <= step:
        return 0.0
    stride = max(1, round((height * width / _PIXELS) ** 0.5))
    y, x = np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride]
    pixels = np.stack([x.ravel() + 0.5, y.ravel() + 0.5, np.ones(x.size)])
    shares = []
    for frame in range(0, count - step, max(1, step)):
        depth = result.depth[frame, y.ravel(), x.ravel()]
        known = depth > 0
        if not known.any():
            continue
        local = np.linalg.inv(result.K[frame]) @ pixels[:, known] * depth[known]
        way = result.w2c[frame + step] @ invert_rigid(result.w2c[frame])
        seen = result.K[frame + step] @ (way[:3, :3] @ local + way[:3, 3:])
        there = seen[:2] / np.maximum(seen[2], 1e-12)
        inside = (seen[2] > 0) & (there >= 0).all(0) & (there[0] < width) & (there[1] < height)
        shares.append(float(inside.mean()))
    return float(np.median(shares)) if shares else 0.0


def make_overviews(frames: int, step: int, size: int) -> list[NDArray[np.intp]]:
    """Return the frames of each overview of a sequence: two rows of them, half a step apart.

    The rows see other frames, so their errors are others too; a row of every second frame is alone,
    as there is nothing between.

    Args:
        frames: of the sequence.
        step: between frames of an overview.
        size: most frames of an overview; neighbours share a quarter of them.
    """
    found = []
    for first in (0, step // 2) if step >= _TWO_ROWS else (0,):
        chosen = np.arange(first, frames, step)
        parts: Sequence[Chunk] = make_chunks(len(chosen), size, size // 4)
        found += [chosen[part.begin : part.end] for part in parts]
    return found
