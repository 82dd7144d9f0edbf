# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the frames are when the chunks have their places: what all pieces say of each is weighed.

Runs in the engine. Chunks that are moved as blocks keep the errors they have inside, and the path
has a corner at each border. Here some frames of each piece are nodes of a graph of similarities:
neighbours within a piece are joined by what it says of the way between, the same frame in two
pieces by being the same camera with depths of a known ratio, loops by what was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.rotations import find_nearest_rotation
from .pieces import (
    USUAL,
    Errors,
    Piece,
    Tie,
    find_shared_nodes,
    find_stretches,
    make_similarities,
    measure_errors,
)
from .sim3_batch import TANGENT, Sim3Batch, compose, exponential, invert, logarithm, stack_sim3
from .sim3_graph import Edges, minimise_robustly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.similarity import Sim3
    from .overlap import Seam
    from .pose_graph import Loops, Solution

_REWEIGHTINGS: Final = 4
_LOOSE: Final = 1e3
"""Times the usual error, for chunks that nothing joins."""


class PlacedFrames(NamedTuple):
    """All frames in the world of the first chunk.

    Attributes:
        w2c: (F, 4, 4) float64, OpenCV.
        depth_scales: (F,) float64, world units per unit of the depth of the frame's owner.
        nodes: K, world_from_chunk, each right in the middle of its chunk.
        loop_weights: (L,) of the loops, 0 for those not believed.
    """

    w2c: NDArray[np.float64]
    depth_scales: NDArray[np.float64]
    nodes: Sim3Batch
    loop_weights: NDArray[np.float64]


class Sequence3D(NamedTuple):
    """What is known of a sequence before its frames are placed.

    Attributes:
        chunks: K pieces without gaps.
        seams: K - 1, from each to the next; None where nothing joins.
        owners: (F,) chunk of each frame.
        far: pieces that see more of the sequence at once, with gaps.
        far_ties: from chunks to pieces of `far`, whose numbers begin after those of the chunks.
    """

    chunks: Sequence[Piece]
    seams: Sequence[Seam | None]
    owners: NDArray[np.intp]
    far: Sequence[Piece] = ()
    far_ties: Sequence[Tie] = ()


class MeasuredLoops(NamedTuple):
    """Places that were seen again.

    Attributes:
        loops: their pairs are chunks, their measurements go from chunk to chunk.
        frames: (L, 2) int, the frame in each of the two chunks at which it was measured.
        scale_errors: (L,) expected errors of the logarithm of the scale.
    """

    loops: Loops
    frames: NDArray[np.intp]
    scale_errors: NDArray[np.float64]


def tie_chunks(chunks: Sequence[Piece], seams: Sequence[Seam | None]) -> list[Tie]:
    """Return the ties of neighbours whose cameras can be compared."""
    ties = []
    for number, seam in enumerate(seams):
        if seam is not None and seam.source == "cameras":
            later = chunks[number + 1].frames
            ties.append(Tie(number, number + 1, seam, later[: len(seam.frame_scales)]))
    return ties


def place_frames(known: Sequence3D, solution: Solution, measured: MeasuredLoops) -> PlacedFrames:
    """Place all frames, beginning with chunks that have their places.

    Args:
        known: pieces, seams.
        solution: of the graph of chunks.
        measured: the loops that went into it.
    """
    graph = _Graph(known)
    nodes = graph.begin(solution.nodes)
    ties = tie_chunks(known.chunks, known.seams)
    near = measure_errors(graph.pieces, ties)
    far = measure_errors(graph.pieces, known.far_ties, near)
    used = np.flatnonzero(solution.weights > 0)
    parts = [
        *(_join_inside(graph, n, near) for n in range(len(known.chunks))),
        *(_join_inside(graph, n, far) for n in range(len(known.chunks), len(graph.pieces))),
        *(_join_tie(graph, tie, (near, near)) for tie in ties),
        *(_join_tie(graph, tie, (near, far)) for tie in known.far_ties),
        *_join_blocks(graph),
        *(_join_loop(graph, near, measured, loop) for loop in used.tolist()),
    ]
    edges = Edges(
        np.concatenate([part.pairs for part in parts]),
        _stack([part.first_from_second for part in parts]),
        np.concatenate([part.deviations for part in parts]),
    )
    first = len(edges.pairs) - len(used)
    nodes, found = minimise_robustly(nodes, edges, first, _REWEIGHTINGS)
    believed = np.zeros(len(measured.loops.pairs))
    believed[used] = found
    w2c, depth_scales = _interpolate(graph, nodes)
    return PlacedFrames(w2c, depth_scales, graph.find_chunks(nodes), believed)


class _Graph:
    """Nodes: some frames of each piece, in the order of pieces and frames."""

    def __init__(self, known: Sequence3D) -> None:
        self.known = known
        self.pieces = [*known.chunks, *known.far]
        self.local = [piece.pick_nodes() for piece in self.pieces]
        self.first = np.concatenate(([0], np.cumsum([local.count for local in self.local])))

    def begin(self, chunks: Sim3Batch) -> Sim3Batch:
        """Return world_from_camera of all nodes where the chunks are blocks."""
        places = [chunks.get(number) for number in range(chunks.count)]
        for number in range(len(self.known.chunks), len(self.pieces)):
            tie = next(tie for tie in self.known.far_ties if tie.second == number)
            places.append(_chain(places[tie.first], tie.seam.first_from_second))
        return _stack(
            [
                compose(_repeat(place, local.count), local)
                for place, local in zip(places, self.local, strict=True)
            ]
        )

    def find_chunks(self, nodes: Sim3Batch) -> Sim3Batch:
        """Return world_from_chunk, as the node in the middle of each chunk says."""
        count = len(self.known.chunks)
        middle = [np.array([local.count // 2]) for local in self.local[:count]]
        local = _stack([part.pick(m) for part, m in zip(self.local[:count], middle, strict=True)])
        return compose(nodes.pick(self.first[:count] + np.concatenate(middle)), invert(local))

    def find_node(self, number: int, frame: int) -> NDArray[np.intp]:
        """Return (1,), the place within a piece of the node that is nearest to a frame."""
        return np.abs(self.pieces[number].node_frames - frame).argmin(keepdims=True)


def _join_inside(graph: _Graph, number: int, errors: Errors) -> Edges:
    """Join neighbours within a piece by what the piece says."""
    way, length, views = find_stretches(graph.pieces[number])
    begin = graph.first[number] + np.arange(way.count)
    root = np.sqrt(views)
    return Edges(
        np.stack((begin, begin + 1), axis=1),
        way,
        _make_deviations(
            errors.drift[1] * length / root, errors.drift[0] * root, errors.drift[2] * root
        ),
    )


def _join_tie(graph: _Graph, tie: Tie, errors: tuple[Errors, Errors]) -> Edges:
    """Join what two pieces say of the same frames."""
    shared, first, second = find_shared_nodes(graph.pieces, tie)
    count = len(shared)
    middle = tie.seam.first_from_second.scale
    scales = tie.seam.frame_scales[np.searchsorted(tie.frames, shared)]
    scales = np.where(np.isfinite(scales), scales, middle)
    turn, shift, log_scale = np.hypot(*(each.jitter for each in errors))
    return Edges(
        np.stack((graph.first[tie.first] + first, graph.first[tie.second] + second), axis=1),
        Sim3Batch(scales, np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))),
        # the residual is in units of the second piece
        _make_deviations(
            np.full(count, shift * tie.seam.typical / middle),
            np.full(count, turn),
            np.full(count, max(log_scale, tie.seam.depth_error * count**0.5)),
        ),
    )


def _join_blocks(graph: _Graph) -> list[Edges]:
    """Join chunks whose cameras cannot be compared by what is known of both as blocks."""
    known = graph.known
    parts = []
    for number, seam in enumerate(known.seams):
        if seam is not None and seam.source == "cameras":
            continue
        sim, loose, typical = None, _LOOSE, 1.0
        if seam is not None:
            sim, loose = seam.first_from_second, 1.0
            typical = seam.typical / sim.scale
        frame = int(known.chunks[number + 1].frames[0])
        ends = graph.find_node(number, frame), np.zeros(1, np.intp)
        parts.append(
            Edges(
                *_measure_between(graph, (number, number + 1), ends, sim),
                _make_deviations(
                    np.full(1, USUAL.jitter[1] * typical * loose),
                    np.full(1, USUAL.jitter[0] * loose),
                    np.full(1, USUAL.jitter[2] * loose),
                ),
            )
        )
    return parts


def _join_loop(graph: _Graph, errors: Errors, measured: MeasuredLoops, loop: int) -> Edges:
    """Join a place that was seen again."""
    loops = measured.loops
    ends = loops.pairs[loop].tolist()
    at = [graph.find_node(n, int(f)) for n, f in zip(ends, measured.frames[loop], strict=True)]
    between = loops.first_from_second.get(loop)
    seams = [seam for seam in graph.known.seams[max(0, ends[0] - 1) : ends[0] + 1] if seam]
    # in units of the second chunk
    typical = (seams[-1].typical if seams else 1.0) / between.scale
    trust = 1.0 if loops.trust is None else float(np.clip(loops.trust[loop], 0.01, 1))
    turn = max(float(np.hypot(errors.jitter[0], 3 * errors.drift[0])), USUAL.drift[0])
    shift = (errors.jitter[1] + USUAL.jitter[1]) * typical
    deviations = _make_deviations(
        *(np.full(1, x) for x in (shift, turn, measured.scale_errors[loop]))
    )
    pairs, way = _measure_between(graph, (ends[0], ends[1]), (at[0], at[1]), between)
    return Edges(pairs, way, deviations / trust**0.5)


def _measure_between(
    graph: _Graph,
    numbers: tuple[int, int],
    at: tuple[NDArray[np.intp], NDArray[np.intp]],
    first_from_second: Sim3 | None,
) -> tuple[NDArray[np.intp], Sim3Batch]:
    """Return the pair of nodes at places of two pieces, and the way between them."""
    first, second = (graph.local[n].pick(a) for n, a in zip(numbers, at, strict=True))
    if first_from_second is not None:
        second = compose(_repeat(first_from_second, 1), second)
    pair = np.stack([graph.first[n] + a for n, a in zip(numbers, at, strict=True)], axis=1)
    return pair, compose(invert(first), second)


def _interpolate(
    graph: _Graph, nodes: Sim3Batch
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Carry what the nodes have moved over to all frames, and blend the chunks that saw a frame."""
    known = graph.known
    count = len(known.owners)
    turn, place = np.zeros((count, 3, 3)), np.zeros((count, 3))
    total, scales = np.zeros(count), np.ones(count)
    for number, piece in enumerate(known.chunks):
        frames = piece.frames
        said = _place_piece(graph, nodes, number)
        weight = np.minimum(frames - frames[0], frames[-1] - frames) + 0.5
        for seam, neighbour in ((number - 1, number - 1), (number, number + 1)):
            if 0 <= seam < len(known.seams) and known.seams[seam] is None:
                weight[known.owners[frames] == neighbour] = 0.0  # it lies somewhere else
        turn[frames] += weight[:, None, None] * said.rotations
        place[frames] += weight[:, None] * said.translations
        total[frames] += weight
        mine = known.owners[frames] == number
        scales[frames[mine]] = said.scales[mine]
    c2w = np.tile(np.eye(4), (count, 1, 1))
    c2w[:, :3, :3], c2w[:, :3, 3] = find_nearest_rotation(turn), place / total[:, None]
    return invert_rigid(c2w), scales


def _place_piece(graph: _Graph, nodes: Sim3Batch, number: int) -> Sim3Batch:
    """Return world_from_camera of all frames of a piece, as that piece says it."""
    piece, local = graph.pieces[number], graph.local[number]
    frames, at = piece.frames, piece.node_frames
    mine = nodes.pick(slice(int(graph.first[number]), int(graph.first[number + 1])))
    before = np.clip(np.searchsorted(at, frames, side="right") - 1, 0, max(len(at) - 2, 0))
    after = np.minimum(before + 1, len(at) - 1)
    share = (frames - at[before]) / np.maximum(at[after] - at[before], 1)
    every = make_similarities(piece.c2w)
    one, two = (
        compose(mine.pick(side), compose(invert(local.pick(side)), every))
        for side in (before, after)
    )
    # from one answer a part of the way to the other
    return compose(one, exponential(share[:, None] * logarithm(compose(invert(one), two))))


def _chain(place: Sim3, way: Sim3) -> Sim3:
    return compose(_repeat(place, 1), _repeat(way, 1)).get(0)


def _repeat(sim: Sim3, count: int) -> Sim3Batch:
    return stack_sim3([sim]).pick(np.zeros(count, np.intp))


def _stack(parts: Sequence[Sim3Batch]) -> Sim3Batch:
    return Sim3Batch(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _make_deviations(
    shift: NDArray[np.float64], turn: NDArray[np.float64], log_scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (E, 7) from (E,) each."""
    deviations = np.empty((len(shift), TANGENT))
    deviations[:, :3] = shift[:, None]
    deviations[:, 3:6] = turn[:, None]
    deviations[:, 6] = log_scale
    return deviations
