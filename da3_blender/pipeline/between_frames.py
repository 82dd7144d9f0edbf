# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras for the frames between keyframes, once these have theirs.

Runs in the engine. Only keyframes have depth and give points. The groups of frames lie in a folder
beside the result, so a run that was killed or cancelled goes on with them.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..streaming.between import LEAST_SIZE, Group, make_groups, place_group
from ..streaming.store import ChunkStore, RunKey, holds_run
from .frame_reader import FrameReader
from .long_sequence import name_chunks_folder
from .photos import PinholePhotos, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from ..inference.predictor import Predictor
    from ..solve import Lens
    from ..streaming.stream_settings import Predictor as Looker
    from .outcome import Outcome

_FOLDER: Final = "between"
_FACTS: Final = "facts.json"
_SIZE: Final = 24
"""Frames of a group: more would see little in common, fewer look at the same keyframes again."""
_LEAST_USUAL: Final = 12
"""Half of a group would be keyframes in smaller ones, which are for little memory."""
_AGAIN: Final = 1.3
_KEPT_PIXELS: Final = 16
"""Every n-th pixel of a group's depth is stored: nobody reads it."""


def spread_outcome(outcome: Outcome, chosen: Sequence[int]) -> Outcome:
    """Name the cameras of chosen frames by their place among all frames.

    Args:
        outcome: of a source of chosen frames.
        chosen: index of each of its views among all frames.
    """
    return outcome.replace(indices=[chosen[index] for index in outcome.indices])


def measure_between(keys: int, frames: int) -> float:
    """Return how long the frames between take, in parts of the time for the keyframes.

    Each group looks at some keyframes again.
    """
    return _AGAIN * (frames - keys) / max(keys, 1)


def pose_between(
    predictor: Predictor,
    outcome: Outcome,
    source: PhotoSource,
    settings: RunSettings,
    progress: Progress,
    places: tuple[Path, Path],
) -> Outcome:
    """Give a camera to every frame that has none.

    Args:
        predictor: of a model that finds cameras.
        outcome: cameras of some frames, see `spread_outcome`; these stay.
        source: all frames.
        settings: of the run.
        progress: within its stage.
        places: the result's folder, beside which the groups lie, and its work folder.

    Returns:
        The outcome with a camera for each frame; its depth and points belong to the same frames
        as before. The lens of a frame between is a mixture of those of its neighbours.

    Raises:
        EngineError: OUT_OF_MEMORY, DISK_FULL, OUTPUT_UNWRITABLE.
        CancelledError: the user cancelled; the groups stay.
    """
    keys, count = np.array(outcome.indices), len(source.views)
    nearest = _find_nearest(keys, count)
    lenses = outcome.lens_per_camera()
    photos = _open_photos(source, [lenses[place] for place in nearest], places[1])
    folder = name_chunks_folder(places[0]) / _FOLDER
    reader = FrameReader(predictor, photos, (source, settings, progress), folder / _FACTS)
    size = max(_LEAST_USUAL, min(_SIZE, settings.chunk_frames or _SIZE))
    while True:
        try:
            w2c = _pose_all(reader, photos, (folder, size), (outcome, count), progress)
            break
        except EngineError as error:
            if error.code is not ErrorCode.OUT_OF_MEMORY or size == LEAST_SIZE:
                raise
            size = max(LEAST_SIZE, size // 2)
            progress.note(f"Memory ran out, so the frames between go through in groups of {size}.")
    return _join(outcome, w2c, nearest, photos.files)


def _open_photos(source: PhotoSource, lenses: Sequence[Lens | None], work: Path) -> PinholePhotos:
    return PinholePhotos(source, list(range(len(lenses))), lenses, work)


def _find_nearest(keys: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return (F,), the camera whose frame is nearest to each frame."""
    frames = np.arange(count)
    after = np.clip(np.searchsorted(keys, frames), 0, len(keys) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(keys[after] - frames) <= np.abs(frames - keys[before]), after, before)


def _pose_all(
    reader: FrameReader,
    photos: PinholePhotos,
    plan: tuple[Path, int],
    known: tuple[Outcome, int],
    progress: Progress,
) -> NDArray[np.float64]:
    """Return (F, 4, 4), the cameras of all frames."""
    (folder, size), (outcome, count) = plan, known
    groups = make_groups(count, outcome.indices, size)
    names = [
        f"{name}*" if n in set(outcome.indices) else name for n, name in enumerate(photos.files)
    ]
    store = _open_store(folder, RunKey(tuple(names), size, 0, reader.name))
    w2c = np.tile(np.eye(4), (count, 1, 1))
    w2c[outcome.indices] = outcome.w2c
    for number, group in enumerate(groups):
        share = 1 / len(groups)
        reader.set_part(number * share, share)
        progress.report(number * share, f"group {number + 1} of {len(groups)}", force=True)
        own = _look(reader, photos, store, number, group)
        w2c[group.between] = place_group(group, own, w2c[group.known])
    return w2c


def _open_store(folder: Path, key: RunKey) -> ChunkStore:
    """Open the groups of a stopped run; those of another one are removed."""
    try:
        is_ours = holds_run(folder, key)
    except EngineError:  # a damaged manifest says nothing
        is_ours = False
    if not is_ours:
        shutil.rmtree(folder, ignore_errors=True)
    return ChunkStore(folder, key)


def _look(
    reader: Looker, photos: PinholePhotos, store: ChunkStore, number: int, group: Group
) -> NDArray[np.float64]:
    """Return (N, 4, 4), what the network says of the cameras of a group, or has said before."""
    name = f"between_{number:05d}"
    if store.has(name):
        photos.save_copies(Silent(), group.between)
    else:
        result = reader.predict(group.frames)
        few = np.s_[:, ::_KEPT_PIXELS, ::_KEPT_PIXELS]
        store.save(
            name,
            result._replace(
                depth=result.depth[few], confidence=result.confidence[few], descriptors=None
            ),
        )
    return store.load_cameras(name)[0]


def _join(
    outcome: Outcome, w2c: NDArray[np.float64], nearest: NDArray[np.intp], files: list[str]
) -> Outcome:
    """Give all lists of an outcome one entry for each frame."""
    keys, count = np.array(outcome.indices), len(w2c)
    frames = np.arange(count)
    flat = outcome.K.reshape(len(keys), 9)
    K = np.stack([np.interp(frames, keys, flat[:, entry]) for entry in range(9)], axis=1)
    photos, residual = list(files), [None] * count
    for place, frame in enumerate(outcome.indices):
        photos[frame], residual[frame] = outcome.photos[place], outcome.residual_px[place]
    cloud, dense, splats = outcome.cloud, outcome.dense, outcome.splats
    frame_of = np.append(keys, -1).astype(np.int32)  # -1, for several views, stays
    if dense is not None:
        mine = keys if dense.cameras is None else keys[dense.cameras]
        dense = dense._replace(cameras=mine.astype(np.int32))
    if splats is not None and splats.views is not None:
        splats = replace(splats, views=frame_of[splats.views])
    return outcome.replace(
        indices=frames.tolist(),
        w2c=w2c,
        K=K.reshape(count, 3, 3),
        cloud=cloud._replace(view=frame_of[cloud.view]),
        lens_of_camera=[outcome.lens_of_camera[place] for place in nearest],
        residual_px=residual,
        observations=None,
        dense=dense,
        splats=splats,
        photos=photos,
    )
