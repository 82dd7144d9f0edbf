# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that one has in place of cameras that are found.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..camera_files import detect_and_read
from ..contract.errors import EngineError, ErrorCode
from ..contract.similarity import identity_sim3, invert_sim3
from ..solve.lens_groups import group_lenses
from .outcome import Outcome
from .photos import PinholePhotos
from .points import make_empty_cloud

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.camera_file import CameraFile
    from ..contract.lens import Lens
    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource, View


def read_known_cameras(source: PhotoSource, settings: RunSettings, progress: Progress) -> Outcome:
    """Give the views of a source the cameras of a file.

    A camera belongs to the view of the same file name, with or without its ending, else to the
    frame of the same number; where neither is known on either side, to the view at the same place
    in the list. Cameras for pictures of another size are scaled.

    Args:
        source: the photos.
        settings: `known_cameras` is read.
        progress: is told of views without a camera.

    Returns:
        Cameras in the file's world, without points; views without one are left out.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE; INPUT_MISMATCH, no camera fits a view.
    """
    path = Path(settings.known_cameras)
    first = source.views[0]
    cameras = detect_and_read(path, (first.width, first.height))
    matched = _match(source.views, cameras)
    if not matched:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"None of the {len(cameras.views)} cameras in {path} belongs to one of the "
            f"{len(source.views)} pictures: neither names nor frame numbers agree.",
            "Name the cameras like the pictures, give them the frame numbers of the plate, or "
            "choose the file of another shot.",
        )
    lost = len(source.views) - len(matched)
    if lost:
        progress.note(f"{lost} of {len(source.views)} pictures have no camera in {path.name}.")
    indices = sorted(matched)
    lenses: list[Lens] = []
    lens_of_camera = []
    K = np.empty((len(indices), 3, 3))
    for row, index in enumerate(indices):
        view, place = source.views[index], matched[index]
        K[row], lens = _fit_to_picture(cameras, place, view)
        if lens is None:
            lens_of_camera.append(-1)
            continue
        if lens not in lenses:
            lenses.append(lens)
        lens_of_camera.append(lenses.index(lens))
    return Outcome(
        indices=indices,
        w2c=cameras.w2c[[matched[index] for index in indices]],
        K=K,
        cloud=make_empty_cloud(),
        lenses=tuple(lenses),
        lens_of_camera=lens_of_camera,
        residual_px=[None] * len(indices),
        is_metric=cameras.is_metric,
    )


def make_still_cameras(source: PhotoSource, settings: RunSettings) -> Outcome:
    """Give all views one camera that stands still, with the focal length that is usual.

    Args:
        source: the photos; what they say of their focal length is used.
        settings: `shared_lens` and `use_focal_prior` are read.
    """
    groups, group_of_view = group_lenses(source.views, source.kind, settings)
    K = np.array(
        [
            [[g.focal_px, 0, g.width / 2], [0, g.focal_px, g.height / 2], [0, 0, 1]]
            for g in (groups[number] for number in group_of_view)
        ]
    )
    count = len(source.views)
    return Outcome(
        indices=list(range(count)),
        w2c=np.tile(np.eye(4), (count, 1, 1)),
        K=K,
        cloud=make_empty_cloud(),
        lens_of_camera=[-1] * count,
        residual_px=[None] * count,
    )


def keep_world(outcome: Outcome, known: Outcome) -> Outcome:
    """Undo what a network that measures metres has done to the size of known cameras."""
    back = outcome.moved(invert_sim3(outcome.world))
    return back.replace(world=identity_sim3(), is_metric=known.is_metric)


def spread_known(
    found: Outcome, known: Outcome, source: PhotoSource, work: Path, progress: Progress
) -> Outcome:
    """Give all frames their known cameras, where only keyframes were looked at.

    Args:
        found: of the keyframes; its indices count the frames of `source`.
        known: of all frames, in the same world.
        source: all frames.
        work: folder of the result in the making; converted frames go there.
        progress: within a stage.

    Returns:
        Cameras of all frames that have one; depth and points are those of the keyframes.
    """
    place = {index: row for row, index in enumerate(known.indices)}
    rows = np.array([place[index] for index in found.indices], np.int32)
    photos = PinholePhotos(source, known.indices, known.lens_per_camera(), work)
    photos.save_copies(progress, sorted(set(known.indices) - set(found.indices)))
    dense, splats = found.dense, found.splats
    if dense is not None:
        dense = dense._replace(cameras=rows[dense.list_cameras()])
    row_of = np.append(rows, -1).astype(np.int32)  # -1, for several views, stays
    if splats is not None and splats.views is not None:
        splats = replace(splats, views=row_of[splats.views])
    return known.replace(
        cloud=found.cloud._replace(view=row_of[found.cloud.view]),
        dense=dense,
        splats=splats,
        photos=photos.files,
        solver=found.solver,
        speed=found.speed,
    )


def _match(views: Sequence[View], cameras: CameraFile) -> dict[int, int]:
    """Return the camera of each view that has one."""
    by_name = {Path(c.name).name.casefold(): n for n, c in enumerate(cameras.views) if c.name}
    by_stem = {Path(name).stem: n for name, n in by_name.items()}
    by_frame = {c.frame: n for n, c in enumerate(cameras.views) if c.frame is not None}
    matched: dict[int, int] = {}
    for index, view in enumerate(views):
        name = Path(view.name).name.casefold()
        place = by_name.get(name, by_stem.get(Path(name).stem))
        if place is None and view.frame is not None:
            place = by_frame.get(view.frame)
        if place is not None:
            matched[index] = place
    has_keys = by_name or (by_frame and any(view.frame is not None for view in views))
    if not matched and not has_keys and len(views) == len(cameras.views):
        return {index: index for index in range(len(views))}
    return matched


def _fit_to_picture(
    cameras: CameraFile, place: int, view: View
) -> tuple[NDArray[np.float64], Lens | None]:
    """Return intrinsics and lens in pixels of the picture.

    Raises:
        EngineError: INPUT_MISMATCH; the picture has another shape.
    """
    known = cameras.views[place]
    across, down = view.width / known.width, view.height / known.height
    if abs(across / down - 1) > 0.01:  # noqa: PLR2004 - rounding of a proxy's size
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The camera of {view.name} is for a picture of {known.width} x {known.height} pixels, "
            f"but that has {view.width} x {view.height}.",
            "Use the pictures that the cameras were made for, or ones of the same shape.",
        )
    K = np.diag([across, down, 1.0]) @ cameras.K[place]
    if known.lens < 0:
        return K, None
    lens = cameras.lenses[known.lens]
    return K, _scale_lens(lens, across, view) if across != 1 or down != 1 else lens


def _scale_lens(lens: Lens, factor: float, view: View) -> Lens:
    """Return a lens for pictures of another size; distortion is in focal lengths and stays."""
    params = list(lens.params)
    for index in lens.list_pixel_params():
        params[index] *= factor
    return replace(lens, params=tuple(params), width=view.width, height=view.height)
