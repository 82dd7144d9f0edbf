# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames a chunk has, and which chunk a frame's result comes from.

Runs in the engine.
"""

from __future__ import annotations

from typing import NamedTuple

from ..contract.errors import EngineError, ErrorCode


class Chunk(NamedTuple):
    """Frames `begin` to `end`, which is not one of them."""

    begin: int
    end: int

    @property
    def size(self) -> int:
        """Return the number of frames."""
        return self.end - self.begin


def make_chunks(frames: int, size: int, overlap: int) -> list[Chunk]:
    """Cut a sequence into chunks that overlap; all but the last have `size` frames.

    Args:
        frames: of the sequence; none gives no chunk.
        size: frames of a chunk.
        overlap: frames that neighbours share.

    Raises:
        EngineError: SETTINGS_INVALID; the overlap is negative or not smaller than the size.
    """
    if not 0 <= overlap < size:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"Chunks of {size} frames cannot overlap by {overlap}.",
            "Choose an overlap of at most half the chunk.",
        )
    if frames <= size:
        return [Chunk(0, frames)] if frames else []
    step = size - overlap
    count = -(-(frames - overlap) // step)
    return [Chunk(k * step, min(k * step + size, frames)) for k in range(count)]


def assign_owners_late(chunks: list[Chunk]) -> list[int]:
    """Return the chunk of each frame as the release chooses it: the later of two."""
    owners: list[int] = []
    for number, chunk in enumerate(chunks):
        is_last = number + 1 == len(chunks)
        until = chunk.end if is_last else chunks[number + 1].begin
        owners += [number] * (until - chunk.begin)
    return owners


def assign_owners(chunks: list[Chunk]) -> list[int]:
    """Return the chunk of each frame: the one in whose inside it lies deeper.

    Neighbours change in the middle of what they share, where both have seen about as much around
    the frame.
    """
    owners: list[int] = []
    for number, chunk in enumerate(chunks):
        is_last = number + 1 == len(chunks)
        until = chunk.end if is_last else (chunks[number + 1].begin + chunk.end + 1) // 2
        owners += [number] * (until - len(owners))
    return owners


def place_window(chunk: Chunk, frame: int, size: int) -> Chunk:
    """Choose frames around one, inside of a chunk: those that a loop is looked at with.

    Args:
        chunk: has the frame.
        frame: in the middle where the chunk allows it.
        size: frames of the window; fewer if the chunk has fewer.
    """
    begin = max(chunk.begin, min(frame - size // 2, chunk.end - size))
    return Chunk(begin, min(begin + size, chunk.end))
