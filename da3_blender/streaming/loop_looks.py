# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that may have been seen before: the predictor looks at both visits together.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.similarity import Sim3, chain_sim3, invert_sim3
from .chunks import Chunk, place_window
from .joining import join_chunks
from .loops import Candidate, find_loops, find_loops_like_release
from .stream_settings import name_chunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .store import ChunkStore
    from .stream_settings import Predictor, StreamEvents, StreamSettings

_LEAST_INLIERS: Final = 0.4
"""Share of the pixels that must agree on both sides before a loop is believed."""
_LEAST_LOOP_CONFIDENCE: Final = 0.5
"""Mean confidence of a loop's frames, in parts of that of its chunks."""
_MOST_LOOPS: Final = 200


class Loop(NamedTuple):
    """A place that was seen twice, measured.

    Attributes:
        chunks: (earlier, later).
        first_from_second: the later chunk in the earlier one's world.
        trust: 0 to 1.
        frames: the frames that looked alike.
        scale_error: expected error of the logarithm of the scale.
    """

    chunks: tuple[int, int]
    first_from_second: Sim3
    trust: float
    frames: tuple[int, int]
    scale_error: float


def measure_loops(
    predictor: Predictor,
    chunks: list[Chunk],
    store: ChunkStore,
    descriptors: NDArray[np.float32],
    settings: StreamSettings,
    events: StreamEvents | None,
) -> list[Loop]:
    """Look for frames that are alike, and let the predictor look at both places together."""
    if settings.like_release:
        unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
        candidates = find_loops_like_release(unit)
    else:
        gap = settings.least_loop_gap or settings.size
        candidates = find_loops(descriptors, gap, settings.loop_radius, _MOST_LOOPS)
    kept: dict[tuple[int, int], Candidate] = {}
    for candidate in candidates:
        ends = tuple(_find_last(chunks, frame) for frame in candidate[:2])
        if ends[0] != ends[1]:
            kept.setdefault(ends, candidate)
    loops = []
    for index, (ends, candidate) in enumerate(sorted(kept.items())):
        loop = _measure_loop(predictor, chunks, store, (ends, candidate), settings)
        if loop is not None:
            loops.append(loop)
        if events is not None:
            events.on_loop(index, len(kept), loop)
    return loops


def _find_last(chunks: list[Chunk], frame: int) -> int:
    """Return the last chunk that begins at a frame or before it."""
    return max(k for k, chunk in enumerate(chunks) if chunk.begin <= frame)


def _measure_loop(
    predictor: Predictor,
    chunks: list[Chunk],
    store: ChunkStore,
    found: tuple[tuple[int, int], Candidate],
    settings: StreamSettings,
) -> Loop | None:
    """Run both ends of a candidate as one chunk and align it to the chunks of both ends."""
    ends, candidate = found
    size = 2 * settings.loop_half
    windows = [
        place_window(chunks[end], frame, size)
        for end, frame in zip(ends, candidate[:2], strict=True)
    ]
    name = f"loop_{windows[0].begin:07d}_{windows[1].begin:07d}"
    if not store.has(name):
        frames = [*range(*windows[0]), *range(*windows[1])]
        store.save(name, predictor.predict(frames))
    together = store.load(name)
    parts = (slice(0, windows[0].size), slice(windows[0].size, None))
    seams, confidences = [], []
    for end, window, part in zip(ends, windows, parts, strict=True):
        begin = window.begin - chunks[end].begin
        inside = store.load(name_chunk(end), slice(begin, begin + window.size))
        looked = together.pick(part)
        seam = join_chunks(inside, looked, like_release=settings.like_release)
        if seam is None:
            return None
        seams.append(seam)
        confidences.append(float(looked.confidence.mean() / max(inside.confidence.mean(), 1e-12)))
    trust = min(seam.inliers for seam in seams)
    if not settings.like_release and (
        trust < _LEAST_INLIERS or min(confidences) < _LEAST_LOOP_CONFIDENCE
    ):
        return None
    first, second = (seam.first_from_second for seam in seams)
    error = float(np.hypot(*(seam.scale_error for seam in seams)))
    return Loop(ends, chain_sim3(first, invert_sim3(second)), trust, candidate[:2], error)
