# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks over long stretches of a sequence, tied to the chunks that see the same frames.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid
from .joining import join_chunks
from .overview import LEAST_COVER, are_nodes, list_steps, make_overviews, measure_cover
from .pieces import Piece, Tie
from .stream_settings import name_chunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .chunks import Chunk
    from .frame_graph import Sequence3D
    from .store import ChunkStore
    from .stream_settings import Predictor, StreamSettings

_SAMPLED_CHUNKS: Final = 8


def make_pieces(chunks: list[Chunk], w2c: list[NDArray[np.float64]], step: int) -> list[Piece]:
    """Choose the frames of each chunk that are nodes: some, and the borders."""
    pieces = []
    for number, chunk in enumerate(chunks):
        frames = np.arange(chunk.begin, chunk.end)
        near = chunks[max(0, number - 2) : number + 3]
        borders = [edge for each in near for edge in (each.begin, each.end - 1)]
        nodes = np.flatnonzero(are_nodes(frames, step, chunks[-1].end) | np.isin(frames, borders))
        pieces.append(Piece(frames, invert_rigid(w2c[number]), nodes))
    return pieces


def look_over(
    predictor: Predictor,
    known: Sequence3D,
    store: ChunkStore,
    settings: StreamSettings,
    step: int,
) -> Sequence3D:
    """Look at every n-th frame of long stretches, where neighbours among them see the same."""
    far: list[Piece] = []
    ties: list[Tie] = []
    for number, frames in enumerate(make_overviews(len(known.owners), step, settings.size)):
        name = f"overview_{step:02d}_{number:05d}"
        if not store.has(name):
            store.save(name, predictor.predict(frames.tolist()))
        result = store.load(name)
        found = []
        for owner in np.unique(known.owners[frames]).tolist():
            shared = np.flatnonzero(known.owners[frames] == owner)
            begin = known.chunks[owner].frames[0]
            inside = store.load(name_chunk(owner), frames[shared] - begin)
            seam = join_chunks(inside, result.pick(shared), like_release=False)
            if seam is not None and seam.source == "cameras":
                place = len(known.chunks) + len(far)
                found.append(Tie(owner, place, seam, frames[shared]))
        if found:
            nodes = np.flatnonzero(are_nodes(frames, step, len(known.owners)))
            far.append(Piece(frames, invert_rigid(result.w2c), nodes))
            ties += found
    return known._replace(far=far, far_ties=ties)


def choose_step(chunks: list[Chunk], store: ChunkStore, settings: StreamSettings) -> int:
    """Return the largest step of an overview whose frames still see the same; 0 if none does."""
    steps = list_steps(settings.size)
    if not (steps and settings.takes_overviews and len(chunks) > 1):
        return 0
    some = np.unique(np.linspace(0, len(chunks) - 1, _SAMPLED_CHUNKS).round().astype(int))
    covers = []
    for number in some.tolist():
        result = store.load(name_chunk(number))
        covers.append([measure_cover(result, step) for step in steps])
    typical = np.median(covers, axis=0)
    return next((s for s, cover in zip(steps, typical, strict=True) if cover >= LEAST_COVER), 0)
