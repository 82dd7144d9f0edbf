# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sequence of any length: chunk by chunk, joined where they overlap, loops closed at the end.

Runs in the engine. At no time are more than one chunk and the overlap with its predecessor in
memory; what every frame leaves behind are its camera and its descriptor. Everything is stored as
it comes, so a run goes on where it stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..contract.similarity import chain_sim3, identity_sim3
from .chunks import Chunk, assign_owners, assign_owners_late, make_chunks
from .frame_graph import MeasuredLoops, PlacedFrames, Sequence3D, place_frames
from .joining import join_chunks
from .loop_looks import Loop, measure_loops
from .overview_looks import choose_step, look_over, make_pieces
from .pose_graph import Loops, Solution, solve_graph, solve_graph_like_release
from .sim3_batch import Sim3Batch, stack_sim3
from .store import ChunkResult, ChunkStore, RunKey
from .stream_settings import PlacedChunk, Predictor, StreamEvents, StreamSettings, name_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .overlap import Seam


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
        loops = measure_loops(predictor, chunks, store, descriptors, settings, events)
    measured = _gather_loops(loops)
    owners = (assign_owners_late if settings.like_release else assign_owners)(chunks)
    cameras = [store.load_cameras(name_chunk(number)) for number in range(len(chunks))]
    K = _collect(chunks, owners, [each[1] for each in cameras])
    if settings.like_release:
        placed = _place_blocks(chunks, owners, cameras, solve_graph_like_release(steps, measured))
    else:
        step = choose_step(chunks, store, settings)
        pieces = make_pieces(chunks, [each[0] for each in cameras], step)
        known = Sequence3D(pieces, seams, np.array(owners))
        if step:
            known = look_over(predictor, known, store, settings, step)
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
            seam = join_chunks(
                before, result.pick(slice(0, shared)), like_release=settings.like_release
            )
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
