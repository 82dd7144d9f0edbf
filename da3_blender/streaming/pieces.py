# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of a sequence: frames that were looked at together, and how wrong such looks are.

Runs in the engine. A chunk is a piece; so is a look at every eighth frame of a long stretch. Where
two pieces have the same frames, their difference shows the errors of both, so that nobody has to
guess how far a network can be trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .sim3_batch import Sim3Batch, compose, invert, logarithm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .overlap import Seam

_SPANS: Final = (1, 3)
"""Stretches over which errors are compared: what grows with them is drift, the rest is jitter."""
_ROBUST: Final = 1.4826
_FEWEST: Final = 6
_SHORT: Final = 0.2
"""Of the usual length of a stretch: where a camera stands, errors do not end."""


class Piece(NamedTuple):
    """Frames that were looked at together.

    Attributes:
        frames: (n,) int, rising.
        c2w: (n, 4, 4) float64, OpenCV, in a world and unit of its own.
        nodes: (m,) int, places within `frames` of those that are nodes.
    """

    frames: NDArray[np.intp]
    c2w: NDArray[np.float64]
    nodes: NDArray[np.intp]

    @property
    def node_frames(self) -> NDArray[np.intp]:
        """Return (m,), the frames that are nodes."""
        return self.frames[self.nodes]

    def pick_nodes(self) -> Sim3Batch:
        """Return world_from_camera of the nodes, in the world of the piece."""
        return make_similarities(self.c2w[self.nodes])


class Tie(NamedTuple):
    """Two pieces that share frames.

    Attributes:
        first: number of a piece.
        second: number of another.
        seam: how they lie to each other.
        frames: (F,) int, the shared frames, to which `seam.frame_scales` belong.
    """

    first: int
    second: int
    seam: Seam
    frames: NDArray[np.intp]


class Errors(NamedTuple):
    """Standard deviations of what pieces say, each (turn, shift, log scale).

    Attributes:
        drift: (3,) grows with the root of the number of views: radians, share of the way, log.
        jitter: (3,) of each single frame: radians, share of the typical depth, log.
    """

    drift: NDArray[np.float64]
    jitter: NDArray[np.float64]


USUAL: Final = Errors(
    np.array([np.radians(0.05), 0.02, 2e-4]), np.array([np.radians(0.2), 0.005, 0.006])
)
"""Where a sequence has too few shared frames to tell."""
_LEAST: Final = Errors(
    np.array([np.radians(0.001), 5e-4, 2e-4]), np.array([np.radians(0.01), 2e-4, 5e-4])
)


def make_similarities(c2w: NDArray[np.float64]) -> Sim3Batch:
    """Return cameras (n, 4, 4) as similarities of scale 1."""
    return Sim3Batch(np.ones(len(c2w)), c2w[:, :3, :3], c2w[:, :3, 3])


def find_shared_nodes(
    pieces: Sequence[Piece], tie: Tie
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames that are nodes of both pieces of a tie, and their places among these."""
    first, second = (pieces[number].node_frames for number in (tie.first, tie.second))
    shared, one, two = np.intersect1d(first, second, return_indices=True)
    is_tied = np.isin(shared, tie.frames)
    return shared[is_tied], one[is_tied], two[is_tied]


def find_stretches(piece: Piece) -> tuple[Sim3Batch, NDArray[np.float64], NDArray[np.intp]]:
    """Return the ways from node to node, their lengths, and the numbers of views they pass.

    Lengths are not shorter than a share of the usual one.
    """
    nodes = piece.pick_nodes()
    way = compose(invert(nodes.pick(slice(None, -1))), nodes.pick(slice(1, None)))
    length = np.linalg.norm(way.translations, axis=1)
    typical = max(float(np.median(length)), 1e-12) if len(length) else 1.0
    return way, np.maximum(length, _SHORT * typical), np.diff(piece.nodes)


def measure_errors(
    pieces: Sequence[Piece], ties: Sequence[Tie], known: Errors | None = None
) -> Errors:
    """Find how wrong pieces are inside, from frames that two of them have seen.

    Args:
        pieces: all.
        ties: between pieces of one kind; or from a piece whose errors are known to one of another
            kind.
        known: errors of the first pieces; None if both pieces of a tie are of one kind.

    Returns:
        Errors of one piece of this kind, at least those of `known`; the usual ones where too few
        frames are shared.
    """
    samples = [_compare(pieces, tie) for tie in ties]
    samples = [sample for sample in samples if sample is not None]
    drift, jitter = USUAL.drift.copy(), USUAL.jitter.copy()
    if sum(len(sample.turns[1]) for sample in samples) < _FEWEST:
        return Errors(drift, jitter)
    views = np.median(np.concatenate([sample.views for sample in samples]))
    length = np.median(np.concatenate([sample.lengths for sample in samples]))
    for part, name in enumerate(("turns", "shifts")):
        squares = [
            _measure_square([getattr(sample, name)[side] for sample in samples]) for side in (0, 1)
        ]
        # both pieces are wrong, and at both ends of a span
        growth = max(0.0, (squares[1] - squares[0]) / (_SPANS[1] - _SPANS[0]))
        rest = max(0.0, squares[0] - growth) / 2
        unit = 1.0 if part == 0 else length**2 / views**2
        drift[part] = _halve(growth / (views * unit), None if known is None else known.drift[part])
        jitter[part] = _halve(rest, None if known is None else known.jitter[part])
    # the depths of one frame, whatever the cameras do
    rest = _measure_square([sample.logs for sample in samples])
    jitter[2] = _halve(rest, None if known is None else known.jitter[2])
    # a difference of two estimates may come out as nothing
    least = _LEAST if known is None else known
    return Errors(np.maximum(drift, least.drift), np.maximum(jitter, least.jitter))


def _halve(square: float, known: float | None) -> float:
    """Return the deviation of one of two, of which the other may be known."""
    if known is None:
        return (square / 2) ** 0.5
    return max(square - known**2, 0.0) ** 0.5


def _measure_square(values: list[NDArray[np.float64]]) -> float:
    """Return the variance of numbers around 0, whatever a few of them say."""
    return float((_ROBUST * np.nanmedian(np.abs(np.concatenate(values)))) ** 2)


class _Sample(NamedTuple):
    """Differences of two pieces.

    Attributes:
        turns: for each span, radians.
        shifts: for each span, shares of the typical depth.
        logs: of the ratios of depths, without their middle.
        lengths: of the stretches, shares of the typical depth.
        views: numbers of views from node to node, of the piece that has fewer.
    """

    turns: list[NDArray[np.float64]]
    shifts: list[NDArray[np.float64]]
    logs: NDArray[np.float64]
    lengths: NDArray[np.float64]
    views: NDArray[np.intp]


def _compare(pieces: Sequence[Piece], tie: Tie) -> _Sample | None:
    """Compare the ways between nodes that both pieces of a tie have; None if they are too few."""
    shared, first, second = find_shared_nodes(pieces, tie)
    if len(shared) <= _SPANS[1] or tie.seam.source != "cameras":
        return None
    one, two = pieces[tie.first].pick_nodes().pick(first), pieces[tie.second].pick_nodes()
    two = two.pick(second)
    two = two._replace(translations=tie.seam.first_from_second.scale * two.translations)
    turns, shifts = [], []
    lengths = np.zeros(0)
    for span in _SPANS:
        ways = [
            compose(invert(each.pick(slice(None, -span))), each.pick(slice(span, None)))
            for each in (one, two)
        ]
        apart = logarithm(compose(invert(ways[0]), ways[1]))
        turns.append(apart[:, 3:6].ravel())
        shifts.append(apart[:, :3].ravel() / tie.seam.typical)
        if span == 1:
            lengths = np.linalg.norm(ways[0].translations, axis=1) / tie.seam.typical
    ratio = np.log(tie.seam.frame_scales[np.searchsorted(tie.frames, shared)])
    views = [
        np.diff(pieces[number].nodes[at])
        for number, at in ((tie.first, first), (tie.second, second))
    ]
    return _Sample(turns, shifts, ratio - np.nanmedian(ratio), lengths, np.minimum(*views))
