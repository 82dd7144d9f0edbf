# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over a long sequence is asked to do, who looks at its frames, and who listens.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.similarity import Sim3
    from .loop_looks import Loop
    from .overlap import Seam
    from .sim3_batch import Sim3Batch
    from .store import ChunkResult


class Predictor(Protocol):
    """Whoever looks at frames: the network, or a stand-in whose truth is known."""

    def predict(self, frames: Sequence[int]) -> ChunkResult:
        """Look at some frames together; the world and the unit are those of this call."""
        ...


@dataclass(frozen=True)
class StreamSettings:
    """How a sequence is cut and joined.

    Attributes:
        size: frames of a chunk.
        overlap: frames that neighbours share.
        loop_half: frames around each end of a loop.
        least_loop_gap: frames between the ends of a loop, at least; 0 is the size of a chunk.
        loop_radius: two loops do not begin and end nearer to each other than this, in frames.
        closes_loops: look for loops at all.
        takes_overviews: look at every n-th frame of long stretches too.
        most_chunks: only the first chunks, and the frames in them; 0 for all.
        like_release: join, look for loops and optimise as DA3-Streaming does, for comparison.
    """

    size: int = 60
    overlap: int = 30
    loop_half: int = 10
    least_loop_gap: int = 0
    loop_radius: int = 25
    closes_loops: bool = True
    takes_overviews: bool = True
    most_chunks: int = 0
    like_release: bool = False


class PlacedChunk(NamedTuple):
    """A chunk that has just come.

    Attributes:
        result: what the network says.
        world_from_chunk: where the seams so far put it; loops may move it.
        seam: how it is joined to its predecessor; None for the first, and where nothing joins.
        fresh: number of its frames, at its end, that no chunk before had.
    """

    result: ChunkResult
    world_from_chunk: Sim3
    seam: Seam | None
    fresh: int


class StreamEvents(Protocol):
    """What is told while a run goes on; raising CancelledError ends it, and all is kept."""

    def on_chunk(self, number: int, count: int, placed: PlacedChunk) -> None:
        """Tell that a chunk is joined to those before it."""
        ...

    def on_loop(self, number: int, count: int, loop: Loop | None) -> None:
        """Tell that a candidate was looked at; None if it is no loop."""
        ...

    def on_nodes(self, nodes: Sim3Batch) -> None:
        """Tell the final places of all chunks."""
        ...


def name_chunk(number: int) -> str:
    """Return the name under which a chunk is stored."""
    return f"chunk_{number:05d}"
