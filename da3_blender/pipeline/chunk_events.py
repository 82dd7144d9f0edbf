# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the user of the chunks of a long sequence as they come, and shows them.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import CancelledError
from .live_chunks import MOST_FRAMES, LiveChunks

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from ..streaming.loop_looks import Loop
    from ..streaming.sim3_batch import Sim3Batch
    from ..streaming.stream_settings import PlacedChunk
    from .photos import PinholePhotos

from .frame_reader import FrameReader, read_pictures

NETWORK_SHARE: Final = 0.85
"""Of the stage; the rest is the cloud."""


class ChunkEvents:
    """Tells the user of chunks as they come, and shows them."""

    def __init__(
        self,
        frames: FrameReader,
        photos: PinholePhotos,
        run: tuple[PhotoSource, RunSettings, Progress],
        work: Path,
    ) -> None:
        self._frames, self._photos = frames, photos
        self._source, _, self._progress = run
        self._live = LiveChunks(work, run[1].world_up, len(photos.indices))
        self._done = 0
        self.chunks = 0

    def on_chunk(self, number: int, count: int, placed: PlacedChunk) -> None:
        """Tell that a chunk is there, how well it joins, and show it."""
        share = NETWORK_SHARE / count
        self._frames.set_part((number + 1) * share, share)
        seam = placed.seam
        drift = "" if seam is None else f", the last seam is off by {seam.shift:.1%} of the depth"
        self._progress.report(
            (number + 1) * share, f"chunk {number + 1} of {count}{drift}", force=True
        )
        self._show(placed)
        self.chunks = number + 1
        if self._progress.is_cancelled():
            raise CancelledError

    def _show(self, placed: PlacedChunk) -> None:
        """Show cameras and some points so far; the loops may still move them."""
        fresh = placed.result.pick(slice(-placed.fresh, None))
        facts = self._frames.load_facts()
        numbers = np.arange(self._done, self._done + placed.fresh)
        self._done += placed.fresh
        some = np.unique(np.linspace(0, placed.fresh - 1, MOST_FRAMES).round().astype(np.intp))
        pictures = self._frames.get_pictures(numbers[some])
        if pictures is None:  # of a run that goes on
            shape = fresh.depth.shape[1:]
            pictures = read_pictures(self._photos, numbers[some], facts[0], shape)
        views = [self._source.views[self._photos.indices[number]] for number in numbers]
        frames = [
            number if view.frame is None else view.frame
            for number, view in zip(numbers.tolist(), views, strict=True)
        ]
        place = placed.world_from_chunk, placed.seam
        self._live.add(fresh, (some, pictures), facts, place, frames)
        self._progress.show(self._live.describe())

    def on_loop(self, number: int, count: int, loop: Loop | None) -> None:
        """Tell that a place was looked at again."""
        self._frames.set_part(NETWORK_SHARE, 0.0)
        state = "no loop" if loop is None else "closed"
        self._progress.report(NETWORK_SHARE, f"place {number + 1} of {count} seen again: {state}")
        if loop is not None:
            self._live.count_loop()
            self._progress.show(self._live.describe())
        if self._progress.is_cancelled():
            raise CancelledError

    def on_nodes(self, nodes: Sim3Batch) -> None:
        """Move the chunks to where they belong."""
        self._live.move([nodes.get(number) for number in range(nodes.count)])
        self._progress.show(self._live.describe())
        self._progress.report(NETWORK_SHARE, "points", force=True)
