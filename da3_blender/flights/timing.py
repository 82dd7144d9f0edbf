# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a flight goes, and where it ends: more or fewer frames, backwards, there and back.

Runs in both processes.
"""

from __future__ import annotations

import numpy as np

from .camera_paths import CameraPath

Array = np.ndarray

FRAMES_PER_SECOND = 24
"""Of all flights, as in the release."""
_PAIR = 2


def turn_back(path: CameraPath) -> CameraPath:
    """Fly there and back; the last frame is the one before the first, so that it can repeat."""
    return CameraPath(*(np.concatenate([part, part[-2:0:-1]]) for part in path))


def reverse(path: CameraPath) -> CameraPath:
    """Fly from the end to the beginning."""
    return CameraPath(path.c2w[::-1], path.K[::-1])


def resample(values: Array, frames: int, *, is_loop: bool = False) -> Array:
    """Pass the same values in another number of frames, on a smooth curve through all of them.

    Args:
        values: (F, C), one row for each frame.
        frames: how many to make.
        is_loop: the first row follows the last one.

    Returns:
        (frames, C) float64; the values themselves where there are as many as before.

    Source: Catmull and Rom 1974, a cubic with the slopes of its neighbours.
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    if count == 1:
        return np.repeat(values, frames, axis=0)
    if is_loop:
        time = np.arange(frames) * count / frames
        before, ahead = values[-1:], values[:2]
    else:
        time = np.linspace(0, count - 1, frames)
        before, ahead = _extend(values), _extend(values[::-1])
    # rows i to i + 3 stand for the frames i - 1 to i + 2
    padded = np.concatenate([before, values, ahead])
    start = np.minimum(np.floor(time).astype(np.int64), len(padded) - 4)
    a, b, c, d = (padded[start + place] for place in range(4))
    t = (time - start)[:, None]
    return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _extend(values: Array) -> Array:
    """Guess the (1, C) row before the first one: on the parabola of three, the line of two."""
    if len(values) == _PAIR:
        return 2 * values[:1] - values[1:2]
    return 3 * values[:1] - 3 * values[1:2] + values[2:3]
