# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras and sparse points from photos, with COLMAP and no model file.

Runs in the engine; the native work runs in child processes (`colmap_process`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ..contract.errors import CancelledError
from ..contract.result_folder import translate_disk_errors
from ..contract.views import SourceKind
from .colmap_process import ColmapProcesses
from .failures import (
    check_features,
    check_parallax,
    check_solution,
    check_view_count,
    describe_lost_views,
    explain_no_model,
)
from .feature_search import FeatureLimits, find_features, follow_matching
from .lens_groups import group_lenses
from .solution import load_solution
from .work_folder import WorkFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from .feature_search import ReadHidden
    from .solution import SparseSolution

_FEATURES: Final = "Finding features"
_MATCHES: Final = "Matching photos"
_CAMERAS: Final = "Placing cameras"
# (label, expected share of the time), measured on 11 photos of 6 megapixels and on 14 of 1
STAGES: Final[tuple[tuple[str, float], ...]] = (
    (_FEATURES, 0.4),
    (_MATCHES, 0.45),
    (_CAMERAS, 0.15),
)

_ALL_PAIRS_ORDERED: Final = 60  # views of a sequence that are all compared with each other
_ALL_PAIRS_PHOTOS: Final = 200

_log = logging.getLogger(__name__)


def solve_cameras(
    source: PhotoSource,
    work_folder: Path,
    settings: RunSettings,
    progress: Progress,
    on_found: Callable[[SparseSolution], object] = lambda _solution: None,
    read_hidden: ReadHidden | None = None,
) -> SparseSolution:
    """Find the cameras, lenses and sparse points of all views that fit together.

    Enters the stages of STAGES, in order. Says in notes when views are lost. Where the user
    wants what exists to be kept, the cameras that are placed by then are the answer.

    Args:
        source: of at least two photos.
        work_folder: made if needed; gets COLMAP's database, features and, in `sparse`, the
            model in COLMAP's binary format. The caller deletes or keeps it.
        settings: `matching`, `shared_lens`, `lens_model`, `use_focal_prior`, `max_features`,
            `max_photo_side` and `seed` are read.
        progress: gets stages and notes; its cancel flag is seen within about 0.2 s, except
            while the source decodes a photo.
        on_found: called with unfinished solutions while cameras are placed, and the last one.
        read_hidden: tells which parts of a view are masked; nothing there counts.

    Raises:
        CancelledError: the user cancelled.
        EngineError: INPUT_TOO_FEW, CAMERAS_NOT_FOUND, OUT_OF_MEMORY, DISK_FULL,
            OUTPUT_UNWRITABLE, ENGINE_BROKEN, or what the source raises.
    """
    views = source.views
    check_view_count(len(views))
    folder = WorkFolder(work_folder)
    with translate_disk_errors(work_folder):
        folder.make()
    groups, group_of_view = group_lenses(views, source.kind, settings)
    with ColmapProcesses(folder, progress) as processes:
        progress.begin(_FEATURES)
        limits = FeatureLimits(settings.max_features, settings.max_photo_side)
        every = range(len(views))
        counts = find_features(source, every, limits, processes, progress, read_hidden)
        check_features(counts)
        progress.begin(_MATCHES)
        processes.send(
            0,
            "match",
            lens_model=settings.lens_model,
            groups=[group._asdict() for group in groups],
            group_of_view=group_of_view,
            is_sequential=_is_sequential(source, settings, progress),
            seed=settings.seed,
        )
        matched = follow_matching(processes, folder, progress)
        _log.info("matches: %s", matched)
        progress.begin(_CAMERAS)
        solution = _place_cameras(
            source, folder, settings, _Mapper(processes, progress, on_found, len(views))
        )
    if solution is None:
        raise explain_no_model(matched, len(views))
    check_parallax(solution, matched, has_prior=all(group.has_prior for group in groups))
    check_solution(solution)
    lost = describe_lost_views(solution, [view.name for view in views])
    if lost:
        progress.note(lost)
    on_found(solution)
    return solution


def _is_sequential(source: PhotoSource, settings: RunSettings, progress: Progress) -> bool:
    if settings.matching != "AUTO":
        return settings.matching == "SEQUENTIAL"
    count = len(source.views)
    if source.kind is not SourceKind.PHOTOS:
        return count > _ALL_PAIRS_ORDERED
    if count <= _ALL_PAIRS_PHOTOS:
        return False
    progress.note(
        f"{count} photos are many, so only neighbours in the order of their names were compared. "
        "If they were not taken in that order, choose exhaustive matching (it takes much longer)."
    )
    return True


class _Mapper:
    """Follows COLMAP's mapper in process 0 and keeps its last unfinished model."""

    def __init__(
        self,
        processes: ColmapProcesses,
        progress: Progress,
        on_found: Callable[[SparseSolution], object],
        count: int,
    ) -> None:
        self.processes = processes
        self._progress = progress
        self._on_found = on_found
        self._count = count
        self._unfinished: SparseSolution | None = None

    def follow(self, folder: WorkFolder) -> dict[str, Any] | SparseSolution:
        """Report until the last answer, and return that.

        Returns:
            The answer, or the unfinished solution where the user wants to keep it.

        Raises:
            CancelledError: the user cancelled, or there is nothing to keep yet.
        """
        while True:
            try:
                answer = self.processes.receive()
                if answer.kind == "progress":
                    done, total = answer.content["done"], answer.content["total"]
                    fraction = min(done / max(total, 1), 1.0)
                    self._progress.report(fraction, f"{done} of {total} cameras")
            except CancelledError:
                if self._unfinished is None or not self._progress.accept_end():
                    raise
                return self._unfinished
            if answer.kind == "mapped":
                return answer.content
            if answer.kind == "snapshot":
                lenses = answer.content["lenses"]
                self._unfinished = load_solution(folder.snapshot, lenses, self._count)
                self._on_found(self._unfinished)


def _place_cameras(
    source: PhotoSource, folder: WorkFolder, settings: RunSettings, mapper: _Mapper
) -> SparseSolution | None:
    """Run the mapper, a second time with weaker demands where the first lost many views."""
    views = source.views
    solution = None
    placed = 0
    for is_relaxed in (False, True):
        mapper.processes.send(
            0,
            "map",
            options={
                "seed": settings.seed,
                "views": len(views),
                "is_relaxed": is_relaxed,
                "more_than": placed,
            },
        )
        mapped = mapper.follow(folder)
        if not isinstance(mapped, dict):
            return mapped
        _log.info("mapper, relaxed %s: %d cameras", is_relaxed, mapped["placed"])
        if mapped["lenses"]:
            placed = mapped["placed"]
            solution = load_solution(folder.solution, mapped["lenses"], len(views))
        if placed * 2 >= len(views):
            break
    return solution
