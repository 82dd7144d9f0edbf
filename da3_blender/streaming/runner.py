# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sequence of any length: chunk by chunk, joined where they overlap, loops closed at the end.

Runs in the engine. At no time are more than one chunk and the overlap with its predecessor in
memory; what every frame leaves behind are its camera and its descriptor. Everything is stored as
it comes, so a run goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.similarity import Sim3, chain_sim3, identity_sim3, invert_sim3
from .chunks import Chunk, assign_owners, assign_owners_late, make_chunks, place_window
from .frame_graph import MeasuredLoops, PlacedFrames, Sequence3D, place_frames
from .loops import Candidate, find_loops, find_loops_like_release
from .overlap import (
    Seam,
    SharedFrames,
    align_overlap,
    judge_overlap,
    lift_pixels,
)
from .overview import LEAST_COVER, are_nodes, list_steps, make_overviews, measure_cover
from .pieces import Piece, Tie
from .point_alignment import align_points_like_release
from .pose_graph import Loops, Solution, solve_graph, solve_graph_like_release
from .sim3_batch import Sim3Batch, stack_sim3
from .store import ChunkResult, ChunkStore, RunKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_LEAST_INLIERS: Final = 0.4
"""Share of the pixels that must agree on both sides before a loop is believed."""
_LEAST_LOOP_CONFIDENCE: Final = 0.5
"""Mean confidence of a loop's frames, in parts of that of its chunks."""
_MOST_LOOPS: Final = 200
_SAMPLED_CHUNKS: Final = 8
_RELEASE_FLOOR: Final = 0.1


class Predictor(Protocol):
    """Whoever looks at frames: the network, or a stand-in whose truth is known."""

    def predict(self, frames: Sequence[int]) -> ChunkResult:
        """Look at some frames together; the world and the unit are those of this call."""
        ...


@dataclass(frozen=True)
class StreamSettings:
    """How a sequence is cut and joined.

    Attributes:
        size: frames of a chunk.
        overlap: frames that neighbours share.
        loop_half: frames around each end of a loop.
        least_loop_gap: frames between the ends of a loop, at least; 0 is the size of a chunk.
        loop_radius: two loops do not begin and end nearer to each other than this, in frames.
        closes_loops: look for loops at all.
        takes_overviews: look at every n-th frame of long stretches too.
        most_chunks: only the first chunks, and the frames in them; 0 for all.
        like_release: join, look for loops and optimise as DA3-Streaming does, for comparison.
    """

    size: int = 60
    overlap: int = 30
    loop_half: int = 10
    least_loop_gap: int = 0
    loop_radius: int = 25
    closes_loops: bool = True
    takes_overviews: bool = True
    most_chunks: int = 0
    like_release: bool = False


class Loop(NamedTuple):
    """A place that was seen twice, measured.

    Attributes:
        chunks: (earlier, later).
        first_from_second: the later chunk in the earlier one's world.
        trust: 0 to 1.
        frames: the frames that looked alike.
        scale_error: expected error of the logarithm of the scale.
    """

    chunks: tuple[int, int]
    first_from_second: Sim3
    trust: float
    frames: tuple[int, int]
    scale_error: float


class StreamResult(NamedTuple):
    """All frames in one world, that of the first chunk.

    Attributes:
        chunks: N chunks.
        owners: chunk whose depth and camera each frame takes.
        nodes: N, world_from_chunk.
        depth_scales: (F,) float64, world units per unit of the depth that a frame's owner says.
        w2c: (F, 4, 4) float64, OpenCV.
        K: (F, 3, 3) float64, pixels of the depth maps.
        seams: N - 1, how neighbours were joined; None where nothing could join them.
        loops: that were measured.
        loop_weights: of the loops in the end, 0 for those not believed.
        store: of the depth maps.
    """

    chunks: list[Chunk]
    owners: list[int]
    nodes: Sim3Batch
    depth_scales: NDArray[np.float64]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    seams: list[Seam | None]
    loops: list[Loop]
    loop_weights: NDArray[np.float64]
    store: ChunkStore


class PlacedChunk(NamedTuple):
    """A chunk that has just come.

    Attributes:
        result: what the network says.
        world_from_chunk: its place until loops are closed.
        seam: how it is joined to its predecessor; None for the first, and where nothing joins.
        fresh: number of its frames, at its end, that no chunk before had.
    """

    result: ChunkResult
    world_from_chunk: Sim3
    seam: Seam | None
    fresh: int


class StreamEvents(Protocol):
    """What is told while a run goes on; raising CancelledError ends it, and all is kept."""

    def on_chunk(self, number: int, count: int, placed: PlacedChunk) -> None:
        """Tell that a chunk has its place for now."""
        ...

    def on_loop(self, number: int, count: int, loop: Loop | None) -> None:
        """Tell that a candidate was looked at; None if it is no loop."""
        ...

    def on_nodes(self, nodes: Sim3Batch) -> None:
        """Tell the final places of all chunks."""
        ...


def run_stream(
    predictor: Predictor,
    frames: Sequence[str],
    folder: Path,
    name: str,
    settings: StreamSettings,
    events: StreamEvents | None = None,
) -> StreamResult:
    """Solve a sequence, or go on with one.

    Args:
        predictor: looks at frames by their numbers.
        frames: names of all frames, in order.
        folder: of the stored chunks.
        name: of model, weights and settings of the predictor: other ones begin anew.
        settings: of the cutting and joining.
        events: listener.

    Returns:
        Cameras and places; the depth maps are in the store.

    Raises:
        EngineError: SETTINGS_INVALID, INPUT_MISMATCH, DISK_FULL, OUTPUT_UNWRITABLE.
        CancelledError: by a listener.
    """
    chunks = make_chunks(len(frames), settings.size, settings.overlap)
    chunks = chunks[: settings.most_chunks or None]
    store = ChunkStore(folder, RunKey(tuple(frames), settings.size, settings.overlap, name))
    seams, descriptors = _run_chunks(predictor, chunks, store, settings, events)
    steps = stack_sim3([identity_sim3() if s is None else s.first_from_second for s in seams])
    loops: list[Loop] = []
    if settings.closes_loops and descriptors is not None and len(chunks) > 1:
        loops = _find_loops(predictor, chunks, store, descriptors, settings, events)
    measured = _gather_loops(loops)
    owners = (assign_owners_late if settings.like_release else assign_owners)(chunks)
    cameras = [store.load_cameras(name_chunk(number)) for number in range(len(chunks))]
    K = _collect(chunks, owners, [each[1] for each in cameras])
    if settings.like_release:
        placed = _place_blocks(chunks, owners, cameras, solve_graph_like_release(steps, measured))
    else:
        step = _choose_step(chunks, store, settings)
        pieces = _make_pieces(chunks, [each[0] for each in cameras], step)
        known = Sequence3D(pieces, seams, np.array(owners))
        if step:
            known = _look_over(predictor, known, store, settings, step)
        again = MeasuredLoops(
            measured,
            np.array([loop.frames for loop in loops], np.intp).reshape(-1, 2),
            np.array([loop.scale_error for loop in loops], np.float64),
        )
        placed = place_frames(known, solve_graph(steps, measured), again)
    if events is not None:
        events.on_nodes(placed.nodes)
    return StreamResult(
        chunks,
        owners,
        placed.nodes,
        placed.depth_scales,
        placed.w2c,
        K,
        seams,
        loops,
        placed.loop_weights,
        store,
    )


def name_chunk(number: int) -> str:
    """Return the name under which a chunk is stored."""
    return f"chunk_{number:05d}"


def _run_chunks(
    predictor: Predictor,
    chunks: list[Chunk],
    store: ChunkStore,
    settings: StreamSettings,
    events: StreamEvents | None,
) -> tuple[list[Seam | None], NDArray[np.float32] | None]:
    """Compute or find all chunks, join each to its predecessor, and gather the descriptors."""
    seams: list[Seam | None] = []
    world = identity_sim3()
    gathered: list[NDArray[np.float32] | None] = []
    before: ChunkResult | None = None
    for number, chunk in enumerate(chunks):
        name = name_chunk(number)
        if not store.has(name):
            store.save(name, predictor.predict(range(chunk.begin, chunk.end)))
        result = store.load(name)
        seam = None
        if before is not None:
            shared = chunks[number - 1].end - chunk.begin
            seam = _join(before, result.pick(slice(0, shared)), settings)
            seams.append(seam)
            if seam is not None:
                world = chain_sim3(world, seam.first_from_second)
        fresh = chunk.end - (chunks[number - 1].end if number else 0)
        own = result.descriptors
        gathered.append(None if own is None else own[-fresh:].astype(np.float16))
        following = chunks[number + 1].begin if number + 1 < len(chunks) else chunk.end
        before = _copy(result.pick(slice(following - chunk.begin, None)))
        if events is not None:
            events.on_chunk(number, len(chunks), PlacedChunk(result, world, seam, fresh))
    if not gathered or any(part is None for part in gathered):
        return seams, None
    return seams, np.concatenate(gathered).astype(np.float32)


def _copy(result: ChunkResult) -> ChunkResult:
    """Return the frames without the chunk that they are a part of."""
    return ChunkResult(*(None if part is None else part.copy() for part in result))


def _share(result: ChunkResult) -> SharedFrames:
    return SharedFrames(result.depth, result.confidence, result.w2c, result.K)


def _join(first: ChunkResult, second: ChunkResult, settings: StreamSettings) -> Seam | None:
    """Find how the second chunk lies in the world of the first, from frames of both."""
    if not len(first.depth):
        return None
    if not settings.like_release:
        return align_overlap(_share(first), _share(second))
    return judge_overlap(
        _share(first), _share(second), _align_like_release(first, second), "points"
    )


def _align_like_release(first: ChunkResult, second: ChunkResult) -> Sim3:
    """Align all pixels that both trust, as DA3-Streaming does."""
    floor = _RELEASE_FLOOR * min(
        float(np.median(first.confidence)), float(np.median(second.confidence))
    )
    place = np.flatnonzero((first.confidence > floor) & (second.confidence > floor))
    weights = np.sqrt(first.confidence.reshape(-1)[place] * second.confidence.reshape(-1)[place])
    source, target = (_lift_whole_pixels(each, place) for each in (second, first))
    return align_points_like_release(source, target, weights)


def _lift_whole_pixels(result: ChunkResult, place: NDArray[np.intp]) -> NDArray[np.float64]:
    """Lift pixels as the release does: their corners in place of their middles."""
    K = result.K.copy()
    K[:, :2, 2] += 0.5
    return lift_pixels(SharedFrames(result.depth, result.confidence, result.w2c, K), place)


def _find_loops(
    predictor: Predictor,
    chunks: list[Chunk],
    store: ChunkStore,
    descriptors: NDArray[np.float32],
    settings: StreamSettings,
    events: StreamEvents | None,
) -> list[Loop]:
    """Look for frames that are alike, and let the predictor look at both places together."""
    if settings.like_release:
        unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
        candidates = find_loops_like_release(unit)
    else:
        gap = settings.least_loop_gap or settings.size
        candidates = find_loops(descriptors, gap, settings.loop_radius, _MOST_LOOPS)
    kept: dict[tuple[int, int], Candidate] = {}
    for candidate in candidates:
        ends = tuple(_find_last(chunks, frame) for frame in candidate[:2])
        if ends[0] != ends[1]:
            kept.setdefault(ends, candidate)
    loops = []
    for index, (ends, candidate) in enumerate(sorted(kept.items())):
        loop = _measure_loop(predictor, chunks, store, (ends, candidate), settings)
        if loop is not None:
            loops.append(loop)
        if events is not None:
            events.on_loop(index, len(kept), loop)
    return loops


def _find_last(chunks: list[Chunk], frame: int) -> int:
    """Return the last chunk that begins at a frame or before it."""
    return max(k for k, chunk in enumerate(chunks) if chunk.begin <= frame)


def _measure_loop(
    predictor: Predictor,
    chunks: list[Chunk],
    store: ChunkStore,
    found: tuple[tuple[int, int], Candidate],
    settings: StreamSettings,
) -> Loop | None:
    """Run both ends of a candidate as one chunk and align it to the chunks of both ends."""
    ends, candidate = found
    size = 2 * settings.loop_half
    windows = [
        place_window(chunks[end], frame, size)
        for end, frame in zip(ends, candidate[:2], strict=True)
    ]
    name = f"loop_{windows[0].begin:07d}_{windows[1].begin:07d}"
    if not store.has(name):
        frames = [*range(*windows[0]), *range(*windows[1])]
        store.save(name, predictor.predict(frames))
    together = store.load(name)
    parts = (slice(0, windows[0].size), slice(windows[0].size, None))
    seams, confidences = [], []
    for end, window, part in zip(ends, windows, parts, strict=True):
        begin = window.begin - chunks[end].begin
        inside = store.load(name_chunk(end), slice(begin, begin + window.size))
        looked = together.pick(part)
        seam = _join(inside, looked, settings)
        if seam is None:
            return None
        seams.append(seam)
        confidences.append(float(looked.confidence.mean() / max(inside.confidence.mean(), 1e-12)))
    trust = min(seam.inliers for seam in seams)
    if not settings.like_release and (
        trust < _LEAST_INLIERS or min(confidences) < _LEAST_LOOP_CONFIDENCE
    ):
        return None
    first, second = (seam.first_from_second for seam in seams)
    error = float(np.hypot(*(seam.scale_error for seam in seams)))
    return Loop(ends, chain_sim3(first, invert_sim3(second)), trust, candidate[:2], error)


def _make_pieces(chunks: list[Chunk], w2c: list[NDArray[np.float64]], step: int) -> list[Piece]:
    """Choose the frames of each chunk that are nodes: some, and the borders."""
    pieces = []
    for number, chunk in enumerate(chunks):
        frames = np.arange(chunk.begin, chunk.end)
        near = chunks[max(0, number - 2) : number + 3]
        borders = [edge for each in near for edge in (each.begin, each.end - 1)]
        nodes = np.flatnonzero(are_nodes(frames, step) | np.isin(frames, borders))
        pieces.append(Piece(frames, invert_rigid(w2c[number]), nodes))
    return pieces


def _look_over(
    predictor: Predictor,
    known: Sequence3D,
    store: ChunkStore,
    settings: StreamSettings,
    step: int,
) -> Sequence3D:
    """Look at every n-th frame of long stretches, where neighbours among them see the same."""
    far: list[Piece] = []
    ties: list[Tie] = []
    for number, frames in enumerate(make_overviews(len(known.owners), step, settings.size)):
        name = f"overview_{step:02d}_{number:05d}"
        if not store.has(name):
            store.save(name, predictor.predict(frames.tolist()))
        result = store.load(name)
        found = []
        for owner in np.unique(known.owners[frames]).tolist():
            shared = np.flatnonzero(known.owners[frames] == owner)
            begin = known.chunks[owner].frames[0]
            inside = store.load(name_chunk(owner), frames[shared] - begin)
            seam = align_overlap(_share(inside), _share(result.pick(shared)))
            if seam is not None and seam.source == "cameras":
                place = len(known.chunks) + len(far)
                found.append(Tie(owner, place, seam, frames[shared]))
        if found:
            nodes = np.flatnonzero(are_nodes(frames, step))
            far.append(Piece(frames, invert_rigid(result.w2c), nodes))
            ties += found
    return known._replace(far=far, far_ties=ties)


def _choose_step(chunks: list[Chunk], store: ChunkStore, settings: StreamSettings) -> int:
    """Return the largest step of an overview whose frames still see the same; 0 if none does."""
    steps = list_steps(settings.size)
    if not (steps and settings.takes_overviews and len(chunks) > 1):
        return 0
    some = np.unique(np.linspace(0, len(chunks) - 1, _SAMPLED_CHUNKS).round().astype(int))
    covers = []
    for number in some.tolist():
        result = store.load(name_chunk(number))
        covers.append([measure_cover(result, step) for step in steps])
    typical = np.median(covers, axis=0)
    return next((s for s, cover in zip(steps, typical, strict=True) if cover >= LEAST_COVER), 0)


def _gather_loops(loops: list[Loop]) -> Loops:
    return Loops(
        np.array([loop.chunks for loop in loops], np.intp).reshape(-1, 2),
        stack_sim3([loop.first_from_second for loop in loops]),
        np.array([loop.trust for loop in loops]),
    )


def _collect(
    chunks: list[Chunk], owners: list[int], parts: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return one entry for each frame, that of its owner."""
    return np.stack(
        [parts[owner][frame - chunks[owner].begin] for frame, owner in enumerate(owners)]
    )


def _place_blocks(
    chunks: list[Chunk],
    owners: list[int],
    cameras: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    solution: Solution,
) -> PlacedFrames:
    """Move chunks as blocks, as the release does."""
    moved = [solution.nodes.get(k).apply_to_w2c(each[0]) for k, each in enumerate(cameras)]
    scales = solution.nodes.scales[np.array(owners, np.intp)]
    return PlacedFrames(_collect(chunks, owners, moved), scales, solution.nodes, solution.weights)
