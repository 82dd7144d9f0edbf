# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features of all photos, found and compared by COLMAP's child processes.

Runs in the engine.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..contract.result_folder import translate_disk_errors
from .pair_counter import count_compared_pairs
from .photo_reduction import reduce_photo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.views import PhotoSource
    from .colmap_process import ColmapProcesses
    from .work_folder import WorkFolder

    # index of a view -> (h, w) bool of any size, True where nothing is to be found; None: nowhere
    ReadHidden = Callable[[int], NDArray[np.bool_] | None]

_MAX_PROCESSES: Final = 8
# SIFT's scale space: about 14 float32 pictures of twice the side, for the processes together.
_SIFT_BYTES_PER_PIXEL: Final = 4 * 4 * 14
_SIFT_BUDGET_BYTES: Final = 4_000_000_000

_log = logging.getLogger(__name__)


class FeatureLimits(NamedTuple):
    """How features are searched.

    Args:
        max_features: per photo.
        max_side: pixels; larger photos are reduced for the search.
        is_sensitive: also take weak features where a photo has few.
    """

    max_features: int
    max_side: int
    is_sensitive: bool = False


def find_features(
    source: PhotoSource,
    chosen: Sequence[int],
    limits: FeatureLimits,
    processes: ColmapProcesses,
    progress: Progress,
    read_hidden: ReadHidden | None = None,
) -> list[int]:
    """Search some views, one per process at a time; process 0 stays.

    Args:
        source: gives the photos.
        chosen: indices of its views, ascending.
        limits: of the search.
        processes: are started as needed.
        progress: within its stage.
        read_hidden: tells what is masked.

    Returns:
        The number of features of each chosen view.

    Raises:
        CancelledError: the user cancelled.
        EngineError: what the source raises, or a process that ended.
    """
    folder = processes.folder
    found: dict[int, int] = {}
    idle = list(range(_choose_process_count(source, chosen, limits.max_side)))
    started: set[int] = set()

    def take_answer() -> None:
        answer = processes.receive()
        idle.append(answer.process)
        view = int(answer.content["view"])
        found[view] = _hide_features(folder, source, view, read_hidden)
        progress.report(len(found) / len(chosen), f"{len(found)} of {len(chosen)} photos")

    for index, image in source.iterate(0, chosen):
        if not idle:
            take_answer()
        with translate_disk_errors(folder.path):
            np.save(folder.pixels(index), reduce_photo(image, limits.max_side))
        number = idle.pop(0)
        if number not in started:
            processes.start(number)
            started.add(number)
        height, width, _ = image.shape
        processes.send(
            number,
            "extract",
            view=index,
            width=width,
            height=height,
            max_features=limits.max_features,
            is_sensitive=limits.is_sensitive,
        )
    while len(found) < len(chosen):
        take_answer()
    for number in started - {0}:
        processes.stop(number)
    counts = [found[index] for index in chosen]
    _log.info("features per photo: %s", counts)
    return counts


def _hide_features(
    folder: WorkFolder, source: PhotoSource, view: int, read_hidden: ReadHidden | None
) -> int:
    """Drop the features in masked parts of a view; return how many it has."""
    path = folder.features(view)
    hidden = None if read_hidden is None else read_hidden(view)
    with np.load(path) as file:
        count = len(file["keypoints"])
        if hidden is None or not count:
            return count
        arrays = dict(file)
    facts = source.views[view]
    height, width = hidden.shape
    keypoints = arrays["keypoints"]
    column = np.clip(keypoints[:, 0] * width / facts.width, 0, width - 1).astype(int)
    row = np.clip(keypoints[:, 1] * height / facts.height, 0, height - 1).astype(int)
    kept = ~hidden[row, column]
    with translate_disk_errors(folder.path):
        np.savez(path, **{name: values[kept] for name, values in arrays.items()})
    return int(kept.sum())


def _choose_process_count(source: PhotoSource, chosen: Sequence[int], max_side: int) -> int:
    longest = max(max(source.views[i].width, source.views[i].height) for i in chosen)
    side = min(longest, max_side)
    by_memory = _SIFT_BUDGET_BYTES // (_SIFT_BYTES_PER_PIXEL * side * side)
    return max(1, min(os.cpu_count() or 1, len(chosen), _MAX_PROCESSES, by_memory))


def follow_matching(
    processes: ColmapProcesses, folder: WorkFolder, progress: Progress
) -> dict[str, Any]:
    """Report how many pairs are compared until all are, and return the summary."""
    total = 0

    def look() -> None:
        if total:
            done = min(count_compared_pairs(folder.database), total)
            progress.report(done / total, f"{done} of {total} pairs")

    while True:
        answer = processes.receive(look)
        if answer.kind == "matched":
            return answer.content
        total = answer.content["total"]
