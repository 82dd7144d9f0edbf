# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the picture has moved, from frame to frame of a shot.

Runs in the engine. Small blocks of an earlier frame are looked for in each later one, near to
where they were last and to where the whole picture went; the middle one of their ways is the
motion, so a walker in front of a camera that stands is none. When the picture has moved far enough
the blocks are taken from the present frame: what counts is the way in steps of this size, and a
hand that shakes goes nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK: Final = 12
_REACH: Final = 2
"""Pixels around a guess within which a block is looked for."""
_MOST_BLOCKS: Final = 60
_FEWEST_BLOCKS: Final = 6
_FEWEST_LEVELS: Final = 3.0
"""Standard deviation of the grey levels of a block that can be found again."""
_LIKENESS: Final = 0.6
"""Correlation of a block with the place where it was found, at least."""
_LEAST_CURVE: Final = 1e-6
_MOST_LOST: Final = 0.5
_LOST_FRAMES: Final = 3
"""A frame in which nothing is found may be blurred; so many in a row show something else."""


class _Blocks(NamedTuple):
    """Blocks of one frame: corners (B, 2) of row and column, contents (B, P) of unit length."""

    corners: NDArray[np.intp]
    contents: NDArray[np.float32]


class MotionMeter:
    """Follows a shot frame by frame.

    Args:
        step: share of the diagonal after which new blocks are taken.
        jump: share of the diagonal that counts where a frame shows something else than the
            ones before it.
    """

    def __init__(self, step: float, jump: float) -> None:
        self._step, self._jump = step, jump
        self._behind = 0.0
        self._lost = 0
        self._blocks: _Blocks | None = None
        self._shifts = np.zeros((0, 2), np.intp)
        self._spectrum: NDArray[np.complex128] | None = None
        self._window: NDArray[np.float64] | None = None

    def add(self, grey: NDArray[np.uint8]) -> float:
        """Take the next frame.

        Args:
            grey: (h, w), about 160 pixels wide; one of another size begins anew.

        Returns:
            The way of the picture since the first frame, in diagonals of the picture.
        """
        picture = _smooth(grey)
        if self._window is not None and self._window.shape != picture.shape:
            self._window = self._spectrum = self._blocks = None  # a file of another size
        shift = self._follow_all(picture)
        diagonal = float(np.hypot(*picture.shape))
        if self._blocks is None:
            self._take_blocks(picture)
            return self._behind
        moved = self._follow_blocks(picture, shift) / diagonal
        if self._lost >= _LOST_FRAMES:
            moved = max(moved, self._jump)
        way = self._behind + moved
        if moved >= self._step:
            self._behind = way
            self._take_blocks(picture)
        return way

    def _take_blocks(self, picture: NDArray[np.float32]) -> None:
        self._lost = 0
        self._blocks = _choose_blocks(picture)
        self._shifts = np.zeros((len(self._blocks.corners), 2), np.intp)

    def _follow_all(self, picture: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return rows and columns by which the whole picture went since the last frame.

        Source: phase correlation, Kuglin and Hines 1975.
        """
        if self._window is None:
            self._window = np.outer(*(np.hanning(size + 2)[1:-1] for size in picture.shape))
        spectrum = np.fft.rfft2((picture - picture.mean()) * self._window)
        before, self._spectrum = self._spectrum, spectrum
        if before is None:
            return np.zeros(2, np.intp)
        cross = spectrum * before.conj()
        surface = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=picture.shape)
        peak = np.array(np.unravel_index(np.argmax(surface), surface.shape))
        size = np.array(picture.shape)
        return (peak + size // 2) % size - size // 2

    def _follow_blocks(self, picture: NDArray[np.float32], shift: NDArray[np.intp]) -> float:
        """Return how far the middle block has gone since it was taken, in pixels."""
        if self._blocks is None or len(self._blocks.corners) < _FEWEST_BLOCKS:
            self._take_blocks(picture)  # a bare wall; perhaps there is more to see by now
            return 0.0
        guesses = np.stack((self._shifts, self._shifts + shift))
        found, likeness = _find_blocks(picture, self._blocks, guesses)
        sure = likeness > _LIKENESS
        is_lost = float(np.mean(sure)) < 1 - _MOST_LOST
        self._lost = self._lost + 1 if is_lost else 0
        if is_lost:
            self._shifts = self._shifts + shift
            ways = np.linalg.norm(self._shifts, axis=1)
        else:
            middle = np.median(found[sure], axis=0).round().astype(np.intp)
            ways = np.linalg.norm(found[sure], axis=1)
            self._shifts = np.where(sure[:, None], found.round().astype(np.intp), middle)
        return float(np.median(ways))


def _smooth(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture in which single pixels count less: noise, and the grain of compression."""
    picture = np.pad(grey.astype(np.float32), 1, mode="edge")
    rows = (picture[:-2] + 2 * picture[1:-1] + picture[2:]) / 4
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4


def _choose_blocks(picture: NDArray[np.float32]) -> _Blocks:
    """Take the blocks that have the most to see, evenly from the whole picture."""
    rows, columns = (size // _BLOCK for size in picture.shape)
    kept = picture[: rows * _BLOCK, : columns * _BLOCK]
    blocks = kept.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    contents = blocks.reshape(rows * columns, -1)
    row, column = np.divmod(np.arange(rows * columns), max(columns, 1))
    corners = np.stack((row, column), axis=1) * _BLOCK
    good = np.flatnonzero(contents.std(axis=1) > _FEWEST_LEVELS)
    good = good[:: max(1, -(-len(good) // _MOST_BLOCKS))]
    return _Blocks(corners[good], _normalise(contents[good]))


def _normalise(contents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take brightness and contrast out of blocks (..., P)."""
    centred = contents - contents.mean(axis=-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-6)


def _find_blocks(
    picture: NDArray[np.float32], blocks: _Blocks, guesses: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Look for blocks around the places where they may be.

    Args:
        picture: (h, w).
        blocks: B blocks.
        guesses: (2, B, 2), rows and columns by which each may have gone.

    Returns:
        (B, 2) the shifts to a part of a pixel, and (B,) the correlations there; -1 for blocks
        that have left the picture.
    """
    windows = np.lib.stride_tricks.sliding_window_view(picture, (_BLOCK, _BLOCK))
    around = np.arange(-_REACH, _REACH + 1)
    side = len(around)
    offsets = np.stack(np.meshgrid(around, around, indexing="ij"), axis=-1)
    shifts = guesses[:, :, None, None] + offsets  # (2, B, side, side, 2)
    places = blocks.corners[:, None, None] + shifts
    last = np.array(windows.shape[:2]) - 1
    inside = ((places >= 0) & (places <= last)).all(axis=-1)
    row, column = np.moveaxis(np.clip(places, 0, last), -1, 0)
    contents = _normalise(windows[row, column].reshape(*row.shape, _BLOCK * _BLOCK))
    likeness = np.einsum("gbijp,bp->gbij", contents, blocks.contents)
    likeness = np.where(inside, likeness, -1)
    count = len(blocks.corners)
    flat = np.moveaxis(likeness, 1, 0).reshape(count, 2, side, side)
    best = flat.reshape(count, -1).argmax(axis=1)
    guess, i, j = np.unravel_index(best, (2, side, side))
    each = np.arange(count)
    found = shifts[guess, each, i, j].astype(np.float64)
    surface = flat[each, guess]  # (B, side, side)
    for axis, at in ((0, i), (1, j)):
        profile = surface[each, :, j] if axis == 0 else surface[each, i, :]
        found[:, axis] += _find_top(profile, at)
    return found, flat[each, guess, i, j]


def _find_top(profile: NDArray[np.float32], at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (B,) in -0.5..0.5, where a parabola through a maximum and its neighbours is highest.

    Args:
        profile: (B, side) correlations.
        at: (B,) places of the maxima; one at the border stays where it is.
    """
    each = np.arange(len(at))
    middle = np.clip(at, 1, profile.shape[1] - 2)
    left, centre, right = (profile[each, middle + d].astype(np.float64) for d in (-1, 0, 1))
    curve = left - 2 * centre + right
    is_top = (middle == at) & (curve < -_LEAST_CURVE) & (left > -1) & (right > -1)
    top = 0.5 * (left - right) / np.where(is_top, curve, 1.0)
    return np.where(is_top, np.clip(top, -0.5, 0.5), 0.0)
