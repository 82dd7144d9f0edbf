# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many tracks a person would keep: long ones, spread over the picture and the frames.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS: Final = (8, 6, 4)  # across, down, in time
_LEAST_LENGTH: Final = 3  # frames
_LEAST_PER_FRAME: Final = 16
_MOST_FRAMES: Final = 40  # that are compared for a pair
_LEAST_COMMON: Final = 8  # tracks that a solver begins with
_ENOUGH_DEG: Final = 15.0  # more parallax between two frames is no better


def choose_tracks(
    track: NDArray[np.integer],
    place: NDArray[np.integer],
    px: NDArray[np.floating],
    size: tuple[int, int],
    count: int,
) -> NDArray[np.intp]:
    """Choose the longest tracks of each part of picture and time, in turn.

    Args:
        track: (L,) index of the track of each observation.
        place: (L,) place of its frame in the shot, from 0.
        px: (L, 2) pixels.
        size: of the picture, pixels.
        count: so many, and more where a frame would see fewer than a solver needs.

    Returns:
        (C,) indices of tracks, rising.
    """
    if not len(track):
        return np.zeros(0, np.intp)
    total = int(track.max()) + 1
    length = np.bincount(track, minlength=total)
    share = np.maximum(length, 1)
    across, down, times = _CELLS
    x = np.bincount(track, px[:, 0], total) / share / size[0] * across
    y = np.bincount(track, px[:, 1], total) / share / size[1] * down
    t = np.bincount(track, place, total) / share / (int(place.max()) + 1) * times
    parts = zip((x, y, t), _CELLS, strict=True)
    column, row, time = (np.clip(part.astype(np.intp), 0, cells - 1) for part, cells in parts)
    cell = (time * down + row) * across + column
    long = np.flatnonzero(length >= _LEAST_LENGTH)
    order = long[np.lexsort((-length[long], cell[long]))]  # by cell, the longest first
    begin = np.searchsorted(cell[order], cell[order])
    rank = np.arange(len(order)) - begin
    in_turn = order[np.lexsort((-length[order], rank))]
    chosen = np.zeros(total, np.bool_)
    chosen[in_turn[:count]] = True
    _cover_frames(chosen, in_turn, track, place)
    return np.flatnonzero(chosen)


def choose_pair(
    centres: NDArray[np.floating],
    points: NDArray[np.floating],
    track: NDArray[np.integer],
    place: NDArray[np.integer],
) -> tuple[int, int] | None:
    """Choose two frames from which a solver can begin: much seen in both, from apart.

    Args:
        centres: (F, 3) of the cameras, in the order of the shot.
        points: (M, 3) of the tracks.
        track: (L,) index of the point of each observation.
        place: (L,) its frame, from 0.

    Returns:
        Two frames, rising; None where no two see enough in common.
    """
    frames = np.unique(np.linspace(0, len(centres) - 1, _MOST_FRAMES).astype(np.intp))
    sees = np.zeros((len(points), len(centres)), np.bool_)
    sees[track, place] = True
    best: tuple[float, int, int] | None = None
    for index, first in enumerate(frames):
        for second in frames[index + 1 :]:
            common = points[sees[:, first] & sees[:, second]]
            if len(common) < _LEAST_COMMON:
                continue
            rays = [common - centres[frame] for frame in (first, second)]
            lengths = [np.linalg.norm(ray, axis=1) for ray in rays]
            cosine = (rays[0] * rays[1]).sum(axis=1) / (lengths[0] * lengths[1])
            angle = float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))
            score = len(common) * min(angle, _ENOUGH_DEG)
            if best is None or score > best[0]:
                best = score, int(first), int(second)
    return None if best is None else (best[1], best[2])


def _cover_frames(
    chosen: NDArray[np.bool_],
    in_turn: NDArray[np.intp],
    track: NDArray[np.integer],
    place: NDArray[np.integer],
) -> None:
    """Add tracks, in place, until each frame has enough or has no more."""
    frames = int(place.max()) + 1
    seen = np.bincount(place[chosen[track]], minlength=frames)
    turn = np.full(len(chosen), len(chosen))
    turn[in_turn] = np.arange(len(in_turn))
    by_place = np.argsort(place, kind="stable")
    begin = np.searchsorted(place[by_place], np.arange(frames + 1))
    for frame in range(frames):
        here = track[by_place[begin[frame] : begin[frame + 1]]]
        spare = here[~chosen[here] & (turn[here] < len(chosen))]
        for index in spare[np.argsort(turn[spare])][: max(0, _LEAST_PER_FRAME - seen[frame])]:
            chosen[index] = True
            np.add.at(seen, place[track == index], 1)
