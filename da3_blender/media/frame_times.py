# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of a video to use: by number, or nearest to a regular grid of time.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def choose_video_frames(
    times_s: NDArray[np.float64],
    frame_start: int | None,
    frame_end: int | None,
    frame_step: int,
    target_fps: float,
) -> list[int]:
    """Choose frames of a video.

    Args:
        times_s: (N,) presentation times, rising; frame 1 comes first.
        frame_start: first frame to use, 1-based, or None.
        frame_end: last frame to use, inclusive, or None.
        frame_step: use every n-th frame, counted from the first one used.
        target_fps: if positive, `frame_step` is ignored, and the frames nearest to a grid of
            1 / target_fps seconds are used, each once; works at variable frame rates.

    Returns:
        Frame numbers, 1-based, rising; empty if the range misses the video.
    """
    first = max(frame_start or 1, 1)
    last = len(times_s) if frame_end is None else min(frame_end, len(times_s))
    numbers = np.arange(first, last + 1)
    if not len(numbers) or target_fps <= 0:
        return numbers[::frame_step].tolist()
    times = times_s[first - 1 : last]
    # Half a microsecond keeps rounding from losing the last point of the grid.
    count = int((times[-1] - times[0] + 5e-7) * target_fps) + 1
    if count >= 10 * len(times):  # far more points than frames: every frame is nearest to one
        return numbers.tolist()
    grid = times[0] + np.arange(count) / target_fps
    after = np.clip(np.searchsorted(times, grid), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    is_later_nearer = times[after] - grid < grid - times[before] - 5e-7
    return numbers[np.unique(np.where(is_later_nearer, after, before))].tolist()
