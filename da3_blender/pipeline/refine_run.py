# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step of a run that refines its cameras on the full-size pictures.

Runs in the engine.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..media.frame_masks import FrameMasks
from ..solve import REFINE_STAGES, refine_cameras
from .cloud_again import fuse_again
from .photos import PinholePhotos, Silent
from .points import thin_cloud
from .refined import take_refinement
from .rough_start import make_start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from .outcome import Outcome

STAGE_AGREE: Final = "Bringing depth to the refined cameras"
FOLDER: Final = "refined"
_FEWEST_CAMERAS: Final = 2
_SPARE_PIXELS: Final = 2


def wants_refining(settings: RunSettings) -> bool:
    """Tell whether a run refines its cameras; those on a tripod are nothing without that."""
    return settings.refine or settings.is_tripod


def list_refine_stages() -> list[tuple[str, float]]:
    """Return the stages of a refinement with their shares of the time."""
    return [*REFINE_STAGES, (STAGE_AGREE, 0.3)]


def refine_outcome(
    outcome: Outcome,
    source: PhotoSource,
    settings: RunSettings,
    work: Path,
    progress: Progress,
) -> Outcome:
    """Refine the cameras of an outcome; depth, cloud and splats follow them.

    Enters the stages of `list_refine_stages`. COLMAP's model of the refined cameras is left in
    the folder `refined/sparse` of the result. Where the user wants what exists, it comes back as it
    was, or without a new cloud.

    Args:
        outcome: in its final world.
        source: the photos that `outcome.indices` count.
        settings: of the run.
        work: folder of the result in the making.
        progress: of the run.

    Raises:
        CancelledError: the user cancelled.
        EngineError: CAMERAS_NOT_FOUND where too few points hold the views together, and what
            reading, writing and memory may raise.
    """
    if len(outcome.indices) < _FEWEST_CAMERAS:
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            "One camera alone cannot be refined: there is nothing to compare its photo with.",
            "Use more photos, or turn Refine off.",
        )
    masks = FrameMasks(source.views, settings.masks, inverted=settings.masks_inverted)
    start = make_start(outcome, source, settings)
    folder = work / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    try:
        found = refine_cameras(source, folder, start, settings, progress, masks.read)
    except CancelledError:
        shutil.rmtree(folder, ignore_errors=True)
        if not progress.accept_end():
            raise
        progress.note("The run was ended early; the cameras were not refined.")
        return outcome
    except EngineError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    keep_only_model(folder)
    refined = take_refinement(outcome, start, found)
    _tell(refined, progress)
    progress.begin(STAGE_AGREE)
    return _renew_pictures(refined, source, settings, work, progress)


def _renew_pictures(
    refined: Outcome, source: PhotoSource, settings: RunSettings, work: Path, progress: Progress
) -> Outcome:
    """Undistort what the new lenses distort, and make the cloud from the moved depth."""
    photos = PinholePhotos(source, refined.indices, refined.lens_per_camera(), work)
    refined = refined.replace(photos=photos.files)
    if refined.dense is None:
        photos.save_copies(progress)
        return refined.replace(cloud=thin_cloud(refined.cloud, settings.max_points))
    with_depth = [refined.indices[camera] for camera in refined.dense.list_cameras()]
    others = sorted(set(refined.indices) - set(with_depth))
    photos.save_copies(progress, others)
    side = _SPARE_PIXELS * max(refined.dense.depth.shape[1:])

    def read() -> Iterator[NDArray[np.uint8]]:
        for _, picture in photos.iterate_some(with_depth, Silent(), side):
            yield picture

    widths = [source.views[index].width for index in with_depth]
    refined = fuse_again(refined, read(), widths, settings, progress)
    return refined.replace(cloud=thin_cloud(refined.cloud, settings.max_points))


def _tell(refined: Outcome, progress: Progress) -> None:
    facts = refined.refinement
    if facts is None:
        return
    lens = facts["focal"][0]
    sure = "" if lens["sigma_px"] is None else f", sure to {lens['sigma_px']:.1f}"
    before = "" if facts["start_px"] is None else f"; it was {facts['start_px']:.1f}"
    progress.note(
        f"The cameras are refined: points are {facts['mean_px']:.2f} pixels of the plate off on "
        f"average{before}. The focal length is {lens['px']:.1f} pixels{sure}."
    )
    if facts["unplaced"]:
        progress.note(
            f"{len(facts['unplaced'])} views have too few points to be refined; they keep their "
            "place between their neighbours."
        )


def keep_only_model(work: Path) -> None:
    """Remove COLMAP's features and database: large, and made again in no time."""
    for path in work.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name != "sparse":
            shutil.rmtree(path)
