# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of a shot are worth a look: far enough from each other, and sharp.

Runs in the engine. The frames are read once, small and one at a time; what is kept of each are
three numbers. The same frames give the same choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .doubtful_photos import measure_detail
from .grey_pictures import iterate_grey, reduce_grey
from .picture_motion import MotionMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource

_SHARP_SIDE: Final = 640
"""Pixels at which sharpness is judged: at less, only the worst blur would show."""
_MOTION_SIDE: Final = 160
_USUAL_FPS: Final = 24.0
"""Of numbered files, which do not tell theirs."""
_LONGEST_S: Final = 1.0
"""Between keyframes, also where nothing moves."""
_BLURRED: Final = 0.5
"""Detail of a blurred frame, in parts of what is usual around it."""
_AROUND: Final = 8
"""Frames on each side that say what is usual, and among which a sharp one is looked for."""
_TIME_SHARE: Final = 0.15
"""Of the distance between keyframes of a wished number: where nothing moves, time goes on."""


class Track(NamedTuple):
    """What is remembered of each frame.

    Attributes:
        way: (F,) float64, path of the picture since the first frame in diagonals, rising.
        detail: (F,) float64, variance of the Laplacian: much where edges are sharp.
        time_s: (F,) float64, rising.
    """

    way: NDArray[np.float64]
    detail: NDArray[np.float64]
    time_s: NDArray[np.float64]


def choose_keyframes(
    source: PhotoSource, settings: RunSettings, tell: Callable[[int, int], object]
) -> list[int]:
    """Choose the keyframes of a video or sequence.

    Args:
        source: the frames.
        settings: `keyframes`, `keyframe_count` and `keyframe_motion` are used.
        tell: called with the frames done and all frames, after each one; may raise to stop.

    Returns:
        Indices of its views, ascending; the first and the last one are among them.

    Raises:
        EngineError: INPUT_UNREADABLE; a frame cannot be decoded.
    """
    track = measure_track(source, settings.keyframe_motion, tell)
    if settings.keyframes == "COUNT":
        return choose_number(track, settings.keyframe_count)
    return choose_by_motion(track, settings.keyframe_motion)


def measure_track(source: PhotoSource, motion: float, tell: Callable[[int, int], object]) -> Track:
    """Look at every frame once, at reduced size.

    Args:
        source: the frames.
        motion: share of the diagonal that is worth a keyframe.
        tell: as in `choose_keyframes`.

    Returns:
        The track of all frames.
    """
    count = len(source.views)
    # two steps to a keyframe: their sum is hardly more than the straight way
    meter = MotionMeter(motion / 2, motion)
    way, detail = np.zeros(count), np.zeros(count)
    for index, grey in enumerate(iterate_grey(source, _SHARP_SIDE)):
        detail[index] = measure_detail(grey.astype(np.float32))
        way[index] = meter.add(reduce_grey(grey, _MOTION_SIDE))
        tell(index + 1, count)
    numbers = [view.frame for view in source.views]
    time = [index if n is None else n for index, n in enumerate(numbers)]
    time_s = np.array(time, np.float64) / (source.fps or _USUAL_FPS)
    return Track(np.maximum.accumulate(way), detail, time_s - time_s[0])


def choose_by_motion(track: Track, motion: float) -> list[int]:
    """Choose a frame whenever the picture has moved enough, and one each second at least.

    Args:
        track: of F frames.
        motion: share of the diagonal.

    Returns:
        Indices, ascending.
    """
    count = len(track.way)
    sharp = ~find_blurred(track.detail)
    chosen = [0]
    while chosen[-1] < count - 1:
        last = chosen[-1]
        by_way = int(np.searchsorted(track.way, track.way[last] + motion))
        # the last frame that is no later than a second
        by_time = int(np.searchsorted(track.time_s, track.time_s[last] + _LONGEST_S + 1e-6)) - 1
        due = max(min(by_way, by_time), last + 1)
        chosen.append(_take_sharp(track, sharp, due, last + 1) if due < count - 1 else count - 1)
    return chosen


def choose_number(track: Track, number: int) -> list[int]:
    """Choose so many frames, equally far from each other by motion and a little by time.

    Args:
        track: of F frames.
        number: wished; all frames if there are no more.

    Returns:
        Indices, ascending; `number` of them, or F.
    """
    count = len(track.way)
    number = max(number, 2)
    if count <= number:
        return list(range(count))
    along = track.time_s / max(track.time_s[-1], 1e-9)
    if track.way[-1] > 0:
        along = (1 - _TIME_SHARE) * track.way / track.way[-1] + _TIME_SHARE * along
    sharp = ~find_blurred(track.detail)
    chosen = [0]
    for rank in range(1, number - 1):
        wanted = int(np.argmin(np.abs(along - rank / (number - 1))))
        # enough frames must be left for the keyframes to come
        latest = count - number + rank
        wanted = min(max(wanted, chosen[-1] + 1), latest)
        chosen.append(min(_take_sharp(track, sharp, wanted, chosen[-1] + 1), latest))
    return [*chosen, count - 1]


def find_blurred(detail: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which frames have much less detail than is usual around them.

    Args:
        detail: (F,) variances of the Laplacian.

    Returns:
        (F,) bool.
    """
    padded = np.pad(detail, _AROUND, mode="reflect" if len(detail) > _AROUND else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
    return detail < _BLURRED * np.median(windows, axis=1)


def _take_sharp(track: Track, sharp: NDArray[np.bool_], due: int, first: int) -> int:
    """Return the frame that is due, or a sharp one near to it.

    Half way to the keyframe before is early enough; the frame before is preferred to the one
    after, because it shares more with what is known.
    """
    if sharp[due]:
        return due
    early = max(due - _AROUND, (first - 1 + due + 1) // 2, first)
    near = np.arange(early, min(due + _AROUND, len(sharp) - 1))
    good = near[sharp[near]]
    if len(good):
        return int(good[np.argmin(np.abs(good - due))])
    return int(near[np.argmax(track.detail[near])])
