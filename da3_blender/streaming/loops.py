# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that may show the same place again: from one descriptor for each frame.

Runs in the engine. The descriptors come from the network that looks at the frames anyway. What
they say are candidates: `loop_looks` lets the network look at both ends together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_NUMBERS: Final = 1 << 20
"""Similarities that are looked at at once."""
_SAMPLES: Final = 20_000
_DEVIATIONS: Final = 5.0
"""Above the median of frames far apart, in robust standard deviations."""
_ROBUST: Final = 1.4826
_GENERALISED_POWER: Final = 3.0
_TINY: Final = 1e-12


class Candidate(NamedTuple):
    """Two frames that look alike.

    Attributes:
        first: the earlier frame.
        second: the later frame.
        similarity: inner product of the unit descriptors, -1 to 1.
    """

    first: int
    second: int
    similarity: float


def pool_tokens(tokens: NDArray[np.floating]) -> NDArray[np.float32]:
    """Make a descriptor of the patch tokens of a frame: their generalised mean.

    Args:
        tokens: (..., P, C) features of a middle layer.

    Returns:
        (..., C) float32, not yet centred or of unit length. Large answers count most, so that a
        thing that only some patches show is not averaged away. Source: Radenovic 2018 (GeM).
    """
    positive = np.maximum(np.asarray(tokens, np.float32), 1e-6)
    mean = np.mean(positive**_GENERALISED_POWER, axis=-2)
    return (mean ** (1 / _GENERALISED_POWER)).astype(np.float32)


def find_loops(
    descriptors: NDArray[np.floating], least_gap: int, radius: int, most: int
) -> list[Candidate]:
    """Find pairs of frames that look more alike than frames far apart usually do.

    Args:
        descriptors: (N, C) one for each frame, any length; what all share is taken out.
        least_gap: frames nearer than this in time are no loop.
        radius: a pair found lets no other begin and end within so many frames of it.
        most: no more pairs than these, the most alike.

    Returns:
        Pairs, the most alike first.
    """
    unit = centre_descriptors(descriptors)
    threshold = _find_threshold(unit, least_gap)
    if threshold is None:
        return []
    found: list[Candidate] = []
    cell = max(1, radius // 2)
    rows = max(1, _BLOCK_NUMBERS // (cell * len(unit))) * cell
    for begin in range(0, len(unit), rows):
        similar = unit[begin : begin + rows] @ unit.T
        first = np.arange(begin, begin + len(similar))
        similar[np.arange(len(unit)) - first[:, None] < least_gap] = -1
        found += _find_peaks(similar, begin, cell, threshold)
    found.sort(key=lambda pair: (-pair.similarity, pair.first, pair.second))
    return _thin(found, radius, most)


def _find_peaks(
    similar: NDArray[np.float32], begin: int, cell: int, threshold: float
) -> list[Candidate]:
    """Return the best pair of each square of `cell` frames, where it is above the threshold."""
    height, width = similar.shape
    padded = np.full((-height % cell + height, -width % cell + width), -1, np.float32)
    padded[:height, :width] = similar
    squares = padded.reshape(len(padded) // cell, cell, -1, cell).swapaxes(1, 2)
    squares = squares.reshape(*squares.shape[:2], -1)
    best = squares.argmax(-1)
    value = np.take_along_axis(squares, best[..., None], -1)[..., 0]
    down, across = np.nonzero(value > threshold)
    place = best[down, across]
    return [
        Candidate(int(row), int(column), float(similarity))
        for row, column, similarity in zip(
            begin + down * cell + place // cell,
            across * cell + place % cell,
            value[down, across],
            strict=True,
        )
    ]


def centre_descriptors(descriptors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return descriptors of unit length without what all frames of the sequence share."""
    centred = np.asarray(descriptors, np.float32)
    centred = centred - centred.mean(0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), _TINY)


def _find_threshold(unit: NDArray[np.float32], least_gap: int) -> float | None:
    """Return how alike frames far apart must be to be more than chance; None if none are."""
    count = len(unit)
    if count <= least_gap:
        return None
    random = np.random.default_rng(0)
    first = random.integers(0, count - least_gap, min(_SAMPLES, 50 * count))
    second = random.integers(first + least_gap, count)
    similar = np.einsum("nc,nc->n", unit[first], unit[second])
    median = float(np.median(similar))
    spread = _ROBUST * float(np.median(np.abs(similar - median)))
    return min(median + _DEVIATIONS * max(spread, _TINY), 1 - _TINY)


def _thin(pairs: list[Candidate], radius: int, most: int) -> list[Candidate]:
    """Keep the best pair of each place: others begin or end farther away."""
    kept: list[Candidate] = []
    for pair in pairs:
        is_near = any(
            abs(pair.first - other.first) <= radius and abs(pair.second - other.second) <= radius
            for other in kept
        )
        if not is_near:
            kept.append(pair)
            if len(kept) == most:
                break
    return kept


def find_loops_like_release(
    descriptors: NDArray[np.floating],
    threshold: float = 0.85,
    top: int = 5,
    least_gap: int = 10,
    radius: int = 25,
) -> list[Candidate]:
    """Find candidates as DA3-Streaming does, for comparison.

    Args:
        descriptors: (N, C), unit length.
        threshold: least similarity, exclusive.
        top: neighbours of each frame that are looked at.
        least_gap: frames this near in time are no loop.
        radius: frames around both ends of a pair that cannot be ends of another.

    Returns:
        Pairs, the most alike first.
    """
    descriptors = np.asarray(descriptors)
    similar = descriptors @ descriptors.T
    count = len(descriptors)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, : top + 1]
    best: dict[tuple[int, int], float] = {}
    for frame in range(count):
        for other in nearest[frame, 1:].tolist():
            pair = (min(frame, other), max(frame, other))
            if similar[frame, other] > threshold and pair[1] - pair[0] > least_gap:
                best.setdefault(pair, float(similar[frame, other]))
    ranked = sorted(best.items(), key=lambda item: -item[1])
    is_free = np.ones(count + radius + 1, bool)
    kept = []
    for (first, second), similarity in ranked:
        if not (is_free[first] and is_free[second]):
            continue
        kept.append(Candidate(first, second, similarity))
        is_free[max(0, first - radius) : min(first + radius + 1, second)] = False
        is_free[max(first + 1, second - radius) : second + radius + 1] = False
    return kept
