# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences and videos that are too long for one look: chunk by chunk through `streaming`.

Runs in the engine. The chunks lie in a folder beside the result until it is complete, so a run that
was killed or cancelled goes on with them.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import make_square_pixels
from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.models import Capability, format_gigabytes, get_model
from ..contract.similarity import Sim3
from ..contract.views import SourceKind
from ..streaming.chunks import make_chunks
from ..streaming.runner import run_stream
from ..streaming.store import RunKey, estimate_disk_bytes, holds_run
from ..streaming.stream_settings import StreamSettings, name_chunk
from .chunk_events import NETWORK_SHARE, ChunkEvents
from .forecast import choose_grid, fit_chunk
from .frame_reader import FrameReader, read_pictures
from .fusion import CONTRADICTED, CloudMaker, FusionLimits
from .live_chunks import remove_live
from .outcome import Dense, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource, View
    from ..inference.predictor import Predictor
    from ..streaming.runner import StreamResult
    from .photos import PinholePhotos

_SUFFIX: Final = ".chunks"
_FEWEST_FRAMES: Final = 8
"""Chunks are not made smaller than this when memory runs out."""
_VOTES_FROM: Final = 0.95
_LOOP_HALF: Final = 10
_OVERLAP_PARTS: Final = 4
"""Neighbours share a quarter of a chunk; overviews hold what half of it would hold."""
_MOST_DENSE_BYTES: Final = 1 << 30
_MUCH_DISK: Final = 1 << 29
_WEAK_SEAM: Final = 0.5
_FACTS: Final = "facts.json"


def is_long(settings: RunSettings, source: PhotoSource) -> bool:
    """Tell whether an input goes through the network in chunks."""
    return (
        settings.chunk_frames > 0
        and source.kind is not SourceKind.PHOTOS
        and len(source.views) > settings.chunk_frames
        and get_model(settings.model).can(Capability.CAMERAS)
    )


def predict_long(
    predictor: Predictor,
    photos: PinholePhotos,
    source: PhotoSource,
    settings: RunSettings,
    progress: Progress,
    places: tuple[Path, Path],
) -> Outcome:
    """Find cameras, depth and a cloud of a long sequence.

    Args:
        predictor: of a model that finds cameras.
        photos: frames, and the files that Blender shows.
        source: the input.
        settings: of the run.
        progress: within its stage.
        places: the result's folder, beside which the chunks lie, and its work folder.

    Returns:
        The outcome; depth maps are a part of it where they take less than a gigabyte.

    Raises:
        EngineError: OUT_OF_MEMORY, DISK_FULL, OUTPUT_UNWRITABLE.
        CancelledError: the user cancelled.

    The chunks stay, also after success: whoever completes the result removes them.
    """
    folder = name_chunks_folder(places[0])
    frames = FrameReader(predictor, photos, (source, settings, progress), folder / _FACTS)
    size = _find_started(folder, photos, frames.name, settings)
    if not size:
        views = [source.views[index] for index in photos.indices]
        size = fit_chunk(predictor, views, settings, _FEWEST_FRAMES)
        _say_costs(views, settings, size, progress)
    while True:
        events = ChunkEvents(frames, photos, (source, settings, progress), places[1])
        stream = _make_stream(size, settings.chunk_method)
        count = len(make_chunks(len(photos.indices), stream.size, stream.overlap))
        frames.set_part(0.0, NETWORK_SHARE / count)
        try:
            result = run_stream(frames, photos.files, folder, frames.name, stream, events)
            break
        except CancelledError:
            if not (events.chunks and progress.accept_end()):
                raise
            kept = replace(
                stream, closes_loops=False, takes_overviews=False, most_chunks=events.chunks
            )
            result = run_stream(frames, photos.files, folder, frames.name, kept)
            break
        except EngineError as error:
            if error.code is not ErrorCode.OUT_OF_MEMORY or size // 2 < _FEWEST_FRAMES:
                raise
            size //= 2
            shutil.rmtree(folder)
            progress.note(f"Memory ran out, so the frames go through in chunks of {size}.")
    _tell(result, source, progress)
    outcome = _gather(result, frames, photos, (source, settings, progress))
    remove_live(places[1])
    return outcome


def name_chunks_folder(output: Path) -> Path:
    """Return where the chunks of a result lie until it is complete."""
    return output.with_name(output.name + _SUFFIX)


def _make_stream(size: int, method: str) -> StreamSettings:
    """Return how a sequence is cut into chunks of a size, and how these are joined."""
    half = min(_LOOP_HALF, size // 2)
    if method == "RELEASE":
        return StreamSettings(size, size // 2, half, like_release=True)
    return StreamSettings(size, max(1, size // _OVERLAP_PARTS), half)


def _find_started(folder: Path, photos: PinholePhotos, name: str, settings: RunSettings) -> int:
    """Return the size of the chunks that a stopped run has left, which may have become smaller.

    Chunks of other frames or settings are removed; then 0.
    """
    size = largest = settings.chunk_frames
    while size >= min(_FEWEST_FRAMES, largest):
        stream = _make_stream(size, settings.chunk_method)
        key = RunKey(tuple(photos.files), stream.size, stream.overlap, name)
        try:
            if holds_run(folder, key):
                return size
        except EngineError:  # a damaged manifest says nothing
            break
        size //= 2
    if folder.exists():
        shutil.rmtree(folder)
    return 0


def _say_costs(views: list[View], settings: RunSettings, size: int, progress: Progress) -> None:
    """Tell how the frames go through and what the chunks take on the disk meanwhile."""
    stream = _make_stream(size, settings.chunk_method)
    chunks = make_chunks(len(views), stream.size, stream.overlap)
    taken = estimate_disk_bytes(chunks, *choose_grid(views, settings))
    if size < settings.chunk_frames:
        progress.note(
            f"The frames go through in chunks of {size}: {settings.chunk_frames} at once do not "
            "fit into the free memory."
        )
    if taken > _MUCH_DISK:
        progress.note(
            f"While it runs the chunks take about {format_gigabytes(taken)} beside the result."
        )


def _tell(result: StreamResult, source: PhotoSource, progress: Progress) -> None:
    """Say how well the chunks hold together, with the frames where they do not."""
    progress.note(f"The sequence went through in {len(result.chunks)} chunks.")
    used = int(np.count_nonzero(result.loop_weights > 0.1))  # noqa: PLR2004 - believed at all
    if used:
        progress.note(f"{used} places were seen again and hold the chunks together.")
    for number, seam in enumerate(result.seams):
        if seam is None or seam.inliers < _WEAK_SEAM:
            frame = source.views[result.chunks[number + 1].begin].name
            progress.note(
                f"The part from {frame} on is joined to what is before it only loosely; more "
                "frames that show both parts would help."
            )


def _gather(
    result: StreamResult,
    frames: FrameReader,
    photos: PinholePhotos,
    run: tuple[PhotoSource, RunSettings, Progress],
) -> Outcome:
    """Make one outcome: cameras, and a cloud to which every frame gives its own part once."""
    _, settings, progress = run
    grid, is_metric = frames.load_facts()
    # where each chunk has measured the metre, the middle of them is right
    unit = float(np.exp(np.median(np.log(result.depth_scales)))) if is_metric else 1.0
    w2c = Sim3(1 / unit, np.eye(3), np.zeros(3)).apply_to_w2c(result.w2c)
    K_grid = result.K
    if settings.shared_lens:
        K_grid = np.tile(np.median(result.K, axis=0), (len(w2c), 1, 1))
    owner = np.array(result.owners)
    maker, dense = None, None
    for number, chunk in enumerate(result.chunks):
        mine = np.flatnonzero(owner == number)
        share = (_VOTES_FROM - NETWORK_SHARE) * number / len(result.chunks)
        progress.report(NETWORK_SHARE + share, f"points of chunk {number + 1}")
        own = slice(int(mine[0]) - chunk.begin, int(mine[-1]) + 1 - chunk.begin)
        part = result.store.load(name_chunk(number), own)
        scales = (result.depth_scales[mine] / unit).astype(np.float32)
        depth = part.depth * scales[:, None, None]
        confidence = part.confidence + np.float32(1)  # as the network says it
        if maker is None:
            maker = CloudMaker((K_grid, w2c), depth.shape[1:], FusionLimits.of(settings))
        maker.add(mine, depth, confidence, read_pictures(photos, mine, grid, depth.shape[1:]))
        if number == 0:
            dense = _make_dense(len(w2c), depth.shape[1:], grid)
        if dense is not None:
            dense.depth[mine], dense.confidence[mine] = depth, confidence
    if dense is None:
        progress.note("The depth maps of all frames would be too large to keep: no meshes of them.")
    cloud = maker.finish(
        lambda share: progress.report(
            _VOTES_FROM + share * (1 - _VOTES_FROM), "votes of all frames"
        )
    )
    if maker.is_contradictory:
        progress.note(CONTRADICTED)
    K = np.linalg.inv(grid) @ K_grid
    return Outcome(
        indices=photos.indices[: len(w2c)],
        w2c=w2c,
        K=make_square_pixels(K) if settings.square_pixels else K,
        cloud=cloud,
        lens_of_camera=[-1] * len(w2c),
        residual_px=[None] * len(w2c),
        dense=dense,
        is_metric=is_metric,
    )


def _make_dense(frames: int, shape: tuple[int, ...], grid: NDArray[np.float64]) -> Dense | None:
    """Return room for the depth maps of all frames; None if that is too much."""
    whole = (frames, *shape)
    if 2 * 4 * int(np.prod(whole)) > _MOST_DENSE_BYTES:
        return None
    return Dense(
        np.zeros(whole, np.float32), np.ones(whole, np.float32), np.tile(grid, (frames, 1, 1))
    )
