# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A COLMAP project of a result: pictures, and a model with lenses and tracks.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..camera_files.colmap import write_colmap
from ..camera_files.tracks import Tracks
from ..contract.camera_file import CameraFile, CameraView
from ..contract.projection import project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class ColmapView(NamedTuple):
    """Name and size of one photo; name relative to COLMAP's image folder."""

    name: str
    width: int
    height: int


def write_colmap_model(
    folder: Path,
    views: Sequence[ColmapView],
    cameras: tuple[NDArray[np.floating], NDArray[np.floating]],
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    view_of_point: NDArray[np.integer],
) -> None:
    """Write a binary model of pinhole pictures and a cloud without tracks.

    Args:
        folder: gets the three files, such as `sparse/0`.
        views: N photos.
        cameras: K (N, 3, 3) in pixels of the photos, and w2c (N, 4, 4), OpenCV.
        points: (M, 3) world of w2c.
        colours: (M, 3) uint8 sRGB.
        view_of_point: (M,) the view that a point came from; it is observed there. -1 for none.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
        ValueError: the lists do not fit together.
    """
    K, w2c = cameras
    if not len(views) == len(K) == len(w2c) or not len(points) == len(colours) == len(
        view_of_point
    ):
        message = f"{len(views)} views, {len(K)} K, {len(w2c)} w2c; {len(points)} points"
        raise ValueError(message)
    pinholes = CameraFile(
        tuple(CameraView(view.name, None, view.width, view.height) for view in views),
        np.asarray(w2c, np.float64),
        np.asarray(K, np.float64),
    )
    write_colmap(folder, pinholes, observe_once(pinholes, points, colours, view_of_point))


def observe_once(
    cameras: CameraFile,
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    view_of_point: NDArray[np.integer],
) -> Tracks:
    """Let each point of a cloud be seen by the view that it came from.

    Args:
        cameras: pinholes.
        points: (M, 3) world of the cameras.
        colours: (M, 3) uint8 sRGB.
        view_of_point: (M,) index of a view, or -1.
    """
    track = np.flatnonzero(np.asarray(view_of_point) >= 0)
    view = np.asarray(view_of_point, np.intp)[track]
    px = np.empty((len(track), 2))
    order = np.argsort(view, kind="stable")
    ends = np.searchsorted(view[order], np.arange(len(cameras.views) + 1))
    for index in range(len(cameras.views)):
        mine = order[ends[index] : ends[index + 1]]
        px[mine] = project(points[track[mine]], cameras.K[index], cameras.w2c[index])[0]
    return Tracks(np.asarray(points, np.float64), colours, np.zeros(len(points)), view, track, px)


def undistort_tracks(tracks: Tracks, cameras: CameraFile) -> Tracks:
    """Move observations to where undistorted pictures show them; drop those nowhere in them."""
    px = tracks.px.copy()
    for index, view in enumerate(cameras.views):
        if view.lens >= 0:
            mine = tracks.view == index
            px[mine] = cameras.lens_of(index).photo_to_pinhole(px[mine])
    shown = np.isfinite(px).all(axis=1)
    return tracks._replace(view=tracks.view[shown], track=tracks.track[shown], px=px[shown])
