# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each frame of a video is shown, found without decoding.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

_IS_DISCARDED: Final = 2  # AVINDEX_DISCARD_FRAME
_USUAL_FPS: Final = 25.0  # of raw streams that do not tell
_RATE_TOLERANCE: Final = 0.005


class Timeline(NamedTuple):
    """The frames of a video in the order they are shown.

    Args:
        ticks: (N,) int64 rising presentation times, in the stream's time base; None if the
            file holds no times.
        times_s: (N,) float64 rising, seconds from the first frame.
        fps: average rate.
    """

    ticks: NDArray[np.int64] | None
    times_s: NDArray[np.float64]
    fps: float

    def locate(self, tick: int | None, count: int) -> int:
        """Return the position of a decoded frame: nearest in time, else its count."""
        if self.ticks is None or tick is None:
            return count
        after = int(np.searchsorted(self.ticks, tick))
        if after == len(self.ticks):
            return after - 1
        is_before_nearer = after > 0 and tick - self.ticks[after - 1] < self.ticks[after] - tick
        return after - 1 if is_before_nearer else after


def read_timeline(
    container: InputContainer, stream: VideoStream, first_tick: int | None, file_bytes: int
) -> Timeline:
    """List the presentation times of all frames.

    Takes them from the index in the header where that is complete and regular, else reads
    through the packets of the file.

    Args:
        container: opened just now.
        stream: the video in it.
        first_tick: presentation time of the first frame that decodes, or None if unknown.
        file_bytes: size of the file.

    Returns:
        The timeline; frames before `first_tick` are left out, and it may be empty.
    """
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    ticks = None
    if first_tick is not None:
        ticks = _read_index(stream, first_tick, file_bytes)
    if ticks is None:
        count, known = _read_packets(container, stream)
        if first_tick is None or not len(known):
            fps = rate or _USUAL_FPS
            return Timeline(None, np.arange(count) / fps, fps)
        ticks = known[known >= first_tick]
    times_s = (ticks - ticks[:1]) * float(stream.time_base)
    if len(ticks) > 1:
        # The header's rate is exact, but wrong for clips that were cut without encoding.
        measured = (len(ticks) - 1) / float(times_s[-1])
        if abs(rate - measured) > _RATE_TOLERANCE * measured:
            rate = measured
    return Timeline(ticks, times_s, rate or _USUAL_FPS)


def is_index_cut_off(stream: VideoStream, file_bytes: int) -> bool:
    """Tell whether the header promises frames behind the end of the file."""
    return any(entry.pos + entry.size > file_bytes for entry in stream.index_entries)


def _read_index(stream: VideoStream, first_tick: int, file_bytes: int) -> NDArray[np.int64] | None:
    entries = list(stream.index_entries)
    if not entries or len(entries) != stream.frames or is_index_cut_off(stream, file_bytes):
        return None
    if any(entry.flags & _IS_DISCARDED or entry.size == 0 for entry in entries):
        return None
    steps = np.diff([entry.timestamp for entry in entries])
    if len(steps) and steps.max() - steps.min() > 1:
        return None  # variable rate: decoding times do not tell presentation times
    step = float(steps.mean()) if len(steps) else 1.0
    return first_tick + np.round(np.arange(len(entries)) * step).astype(np.int64)


def _read_packets(container: InputContainer, stream: VideoStream) -> tuple[int, NDArray[np.int64]]:
    """Return the number of frames, and the known ones of their presentation times."""
    ticks: list[int] = []
    count = 0
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard or packet.is_corrupt:
            continue
        count += 1
        if packet.pts is not None:
            ticks.append(packet.pts)
    return count, np.unique(np.asarray(ticks, np.int64))
