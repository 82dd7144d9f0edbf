# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refinement starts from: the cameras, lenses and depth maps of an outcome.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.views import SourceKind
from ..solve import Lens, RefineStart

if TYPE_CHECKING:
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from .outcome import Outcome


def make_start(outcome: Outcome, source: PhotoSource, settings: RunSettings) -> RefineStart:
    """Describe an outcome as the rough cameras of a refinement.

    Frames of one size share a lens, photos do where `settings.shared_lens` says so; a zoom, and
    focal lengths that differ and are to stay, have one for each view. The focal length to start
    from is the median of those that share it.

    Args:
        outcome: cameras, perhaps with lenses and depth maps.
        source: its photos.
        settings: `refine_focal`, `refine_distortion`, `shared_lens` and `lens_model` are read.
    """
    groups = _group_views(outcome, source, settings)
    lenses = [_choose_lens(outcome, source, members, settings) for members in groups]
    lens_of_view = np.empty(len(outcome.indices), int)
    for number, members in enumerate(groups):
        lens_of_view[members] = number
    start = RefineStart(
        views=outcome.indices,
        w2c=np.asarray(outcome.w2c, np.float64),
        lenses=tuple(lenses),
        lens_of_view=lens_of_view.tolist(),
    )
    dense = outcome.dense
    if dense is None:
        return start
    depth = dense.depth if dense.sky is None else np.where(dense.sky, np.float32(0), dense.depth)
    return replace(
        start,
        depth=depth,
        grid_from_photo=np.asarray(dense.grid_from_photo, np.float64),
        depth_view=dense.list_cameras(),
        depth_lenses=tuple(
            lens if lens is not None and lens.needs_undistortion else None
            for lens in (outcome.lens_per_camera()[camera] for camera in dense.list_cameras())
        ),
    )


def _group_views(outcome: Outcome, source: PhotoSource, settings: RunSettings) -> list[list[int]]:
    """Return the positions of the cameras that share a lens."""
    focal = np.asarray(outcome.K)[:, 0, 0]
    differs = bool(np.ptp(focal) > 1e-6 * focal.mean())
    is_alone = settings.refine_focal == "ZOOM" or (settings.refine_focal == "FIXED" and differs)
    if source.kind is SourceKind.PHOTOS and not settings.shared_lens:
        is_alone = True
    members: dict[tuple[object, ...], list[int]] = {}
    for position, index in enumerate(outcome.indices):
        view = source.views[index]
        key: tuple[object, ...] = (view.width, view.height)
        if source.kind is SourceKind.PHOTOS:
            key += (view.camera_label,)
        if is_alone:
            key = (position,)
        members.setdefault(key, []).append(position)
    return list(members.values())


def _choose_lens(
    outcome: Outcome, source: PhotoSource, members: list[int], settings: RunSettings
) -> Lens:
    """Return the lens to start from, of the model that the settings name."""
    view = source.views[outcome.indices[members[0]]]
    K = np.median(np.asarray(outcome.K)[members], axis=0)
    known = outcome.lens_per_camera()[members[0]]
    if known is not None:
        K = known.K
    return convert_lens(K, known, settings.lens_model, (view.width, view.height))


def convert_lens(K: np.ndarray, known: Lens | None, model: str, size: tuple[int, int]) -> Lens:
    """Make a lens of some model from intrinsics and another lens.

    What the model cannot say is left out; a polynomial's first term and a division's are the
    same to first order.

    Args:
        K: (3, 3) pixels.
        known: gives the distortion; None has none.
        model: one of `contract.settings.LENS_MODELS`.
        size: width and height of the photo.
    """
    k1, k2, p1, p2 = known.polynomial if known is not None else (0.0, 0.0, 0.0, 0.0)
    division = known.division if known is not None else 0.0
    if division and model not in ("SIMPLE_DIVISION", "DIVISION"):
        k1 = division
    elif k1 and not division:
        division = k1
    fx, fy, cx, cy = (float(value) for value in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    focal = (fx + fy) / 2
    params = {
        "SIMPLE_PINHOLE": (focal, cx, cy),
        "PINHOLE": (fx, fy, cx, cy),
        "SIMPLE_RADIAL": (focal, cx, cy, k1),
        "RADIAL": (focal, cx, cy, k1, k2),
        "OPENCV": (fx, fy, cx, cy, k1, k2, p1, p2),
        "SIMPLE_DIVISION": (focal, cx, cy, division),
        "DIVISION": (fx, fy, cx, cy, division),
    }[model]
    return Lens(model, params, *size)
