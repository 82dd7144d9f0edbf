# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that hold to the pixel: rough ones are refined with features of the full-size plate.

Runs in the engine; the native work runs in child processes (`colmap_process`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.result_folder import translate_disk_errors
from ..contract.views import SourceKind
from .colmap_process import ColmapProcesses
from .feature_search import FeatureLimits, find_features, follow_matching
from .pair_choice import choose_pairs, write_pairs
from .solution import load_solution
from .work_folder import WorkFolder

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from .feature_search import ReadHidden
    from .refine_start import RefineStart
    from .solution import SparseSolution

_FEATURES: Final = "Finding points on the plate"
_MATCHES: Final = "Following points through the shot"
_ADJUST: Final = "Refining cameras"
# (label, expected share of the time)
REFINE_STAGES: Final[tuple[tuple[str, float], ...]] = (
    (_FEATURES, 0.35),
    (_MATCHES, 0.5),
    (_ADJUST, 0.15),
)
# A plate up to 4K is searched as it is; larger photos gain nothing but noise of the sensor.
_PLATE_SIDE: Final = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refinement:
    """Refined cameras.

    Args:
        solution: as from `solve_cameras`; views with too few points are not registered.
        focal_sigma_px: standard deviation of fx per lens of the start, None where not free.
        depth_sigma: relative error of the depth maps of the start, None where nobody can tell.
        start_error_px: median reprojection error of the rough cameras.
    """

    solution: SparseSolution
    focal_sigma_px: list[float | None]
    depth_sigma: float | None
    start_error_px: float


def refine_cameras(
    source: PhotoSource,
    work_folder: Path,
    start: RefineStart,
    settings: RunSettings,
    progress: Progress,
    read_hidden: ReadHidden | None = None,
) -> Refinement:
    """Refine rough cameras against the photos at their full size.

    Enters the stages of REFINE_STAGES, in order.

    Args:
        source: the photos.
        work_folder: made if needed; gets COLMAP's database, features and, in `sparse`, the
            refined model in COLMAP's binary format. The caller deletes or keeps it.
        start: rough cameras of some or all views, with their lenses and depth.
        settings: `cameras`, `known_cameras`, `refine_focal`, `refine_distortion`,
            `refine_principal_point`, `refine_features`, `max_photo_side` and `seed` are read.
        progress: gets stages; its cancel flag is seen within about 0.2 s, except while the
            source decodes a photo.
        read_hidden: tells which parts of a view are masked; nothing there counts.

    Raises:
        CancelledError: the user cancelled.
        EngineError: CAMERAS_NOT_FOUND, too few points join the views; OUT_OF_MEMORY, DISK_FULL,
            OUTPUT_UNWRITABLE, ENGINE_BROKEN, or what the source raises.
    """
    folder = WorkFolder(work_folder)
    with translate_disk_errors(work_folder):
        folder.make()
        rest = start.save(folder.start)
    with ColmapProcesses(folder, progress) as processes:
        progress.begin(_FEATURES)
        side = max(settings.max_photo_side, _PLATE_SIDE)
        limits = FeatureLimits(settings.refine_features, side, is_sensitive=True)
        counts = find_features(source, start.views, limits, processes, progress, read_hidden)
        progress.begin(_MATCHES)
        _write_pairs(start, folder, is_ordered=source.kind is not SourceKind.PHOTOS)
        processes.send(0, "match", **_describe_matching(start, settings))
        matched = follow_matching(processes, folder, progress)
        _log.info("features %s, matches %s", counts, matched)
        progress.begin(_ADJUST)
        options = {
            "focal": settings.refine_focal,
            "distortion": settings.refine_distortion,
            "principal_point": settings.refine_principal_point,
            "is_still": settings.is_tripod,
            "is_ordered": source.kind is not SourceKind.PHOTOS,
            "seed": settings.seed,
        }
        processes.send(0, "refine", start=rest, options=options)
        report = _follow(processes, progress)
    if report is None:
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            f"Too few points could be followed from picture to picture to refine the cameras "
            f"({matched['verified']} of {matched['pairs']} pairs have common points).",
            "Use sharper or less compressed pictures, mask less, or keep the cameras as they are.",
        )
    solution = load_solution(folder.solution, report["lenses"], len(source.views))
    return Refinement(
        solution, report["focal_sigma_px"], report["depth_sigma"], report["start_error_px"]
    )


def _write_pairs(start: RefineStart, folder: WorkFolder, *, is_ordered: bool) -> None:
    names = [f"{view + 1:06d}" for view in start.views]
    pairs = choose_pairs(start, is_ordered=is_ordered)
    with translate_disk_errors(folder.path):
        text = write_pairs([(names[i], names[j]) for i, j in pairs])
        folder.pairs.write_text(text, encoding="ascii")


def _describe_matching(start: RefineStart, settings: RunSettings) -> dict[str, Any]:
    """Return the command that compares the chosen pairs."""
    groups = [
        {
            "width": lens.width,
            "height": lens.height,
            "focal_px": float(lens.K[0, 0]),
            "has_prior": True,
        }
        for lens in start.lenses
    ]
    return {
        "lens_model": "SIMPLE_PINHOLE",  # verification needs no more
        "groups": groups,
        "group_of_view": list(start.lens_of_view),
        "views": list(start.views),
        "is_sequential": False,
        "has_pairs": True,
        "seed": settings.seed,
    }


def _follow(processes: ColmapProcesses, progress: Progress) -> dict[str, Any] | None:
    while True:
        answer = processes.receive()
        if answer.kind == "refined":
            return answer.content["report"]
        if answer.kind == "progress":
            done, total = answer.content["done"], answer.content["total"]
            progress.report(done / total, f"{done} of {total} rounds")
