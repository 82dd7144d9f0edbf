# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results folder adds to cameras of the scene: names, plates, lenses and tracks.

Runs in Blender.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..camera_files.nuke_script import NukePlate
from ..camera_files.result_cameras import load_cameras
from ..camera_files.tracks import load_tracks
from ..contract.cameras import from_blender_points, invert_rigid, to_blender_points
from ..contract.errors import EngineError
from ..contract.result_folder import load_result
from .lookup import locate_result

if TYPE_CHECKING:
    from bpy.types import Object
    from numpy.typing import NDArray

    from ..camera_files.tracks import Tracks
    from ..contract.camera_file import CameraFile
    from ..contract.result_folder import Result

_SAME_K: Final = 1e-4  # relative: Blender keeps lenses in single precision
_SAME_PLACE: Final = 1e-3  # of the size of the camera's way
_SINGLE: Final = 1e-5  # of coordinates in single precision


class Matched(NamedTuple):
    """Cameras of the scene that have a picture, and their places in a result.

    cameras: with names and lenses; result: None where it is gone; rows: of each in the result.
    """

    cameras: CameraFile
    result: Result | None
    rows: tuple[int, ...]


def open_result(root: Object) -> Result | None:
    """Return the result of a root, None where it has gone or is damaged."""
    try:
        return load_result(locate_result(root))
    except EngineError:
        return None


def match_result(cameras: CameraFile, root: Object, frames: set[int] | None) -> Matched:
    """Choose the cameras with pictures, and give them what the result knows.

    A lens is given where the camera still has the intrinsics that it was found with.

    Args:
        cameras: of the scene.
        root: of the reconstruction.
        frames: that have a picture; None for photos.
    """
    chosen = [
        index for index, view in enumerate(cameras.views) if frames is None or view.frame in frames
    ]
    cameras = take_views(cameras, chosen)
    result = open_result(root)
    if result is None:
        return Matched(cameras, None, ())
    known = load_cameras(result)
    keys = [view.name if frames is None else view.frame for view in known.views]
    row_of = {key: row for row, key in enumerate(keys)}
    if frames is not None and None in row_of:  # a sequence without numbers counts from 1
        row_of = {row + 1: row for row in range(len(keys))}
    found = [row_of.get(view.name if frames is None else view.frame) for view in cameras.views]
    if None in found:
        return Matched(cameras, None, ())
    rows = tuple(row for row in found if row is not None)
    views = []
    for index, row in enumerate(rows):
        change = np.abs(cameras.K[index] - known.K[row]).max() / known.K[row, 0, 0]
        lens = known.views[row].lens if change < _SAME_K else -1
        views.append(replace(cameras.views[index], name=known.views[row].name, lens=lens))
    return Matched(replace(cameras, views=tuple(views), lenses=known.lenses), result, rows)


def take_views(cameras: CameraFile, chosen: list[int]) -> CameraFile:
    """Return some of the cameras."""
    views = tuple(cameras.views[index] for index in chosen)
    return replace(cameras, views=views, w2c=cameras.w2c[chosen], K=cameras.K[chosen])


def name_by_photo(matched: Matched) -> CameraFile:
    """Return pinholes named by the undistorted pictures, with their whole paths."""
    views = []
    for index, view in enumerate(matched.cameras.views):
        name = view.name
        if matched.result is not None:
            entry = matched.result.views[matched.rows[index]]
            name = matched.result.photo_path(entry).resolve().as_posix()
        views.append(replace(view, name=name, lens=-1))
    return replace(matched.cameras, views=tuple(views), lenses=())


def find_plate(matched: Matched) -> NukePlate | None:
    """Return the sequence or video behind a moving camera, None where it is not known."""
    if matched.result is None or not matched.rows:
        return None
    entries = [matched.result.views[row] for row in matched.rows]
    frames = [view.frame for view in matched.cameras.views if view.frame is not None]
    if not frames:
        return None
    paths = [matched.result.photo_path(entry).resolve().as_posix() for entry in entries]
    if len(set(paths)) == 1:
        return NukePlate(paths[0], min(frames), max(frames))
    pattern = _make_pattern(dict(zip(frames, paths, strict=True)))
    return None if pattern is None else NukePlate(pattern, min(frames), max(frames))


def _make_pattern(path_of_frame: dict[int, str]) -> str | None:
    """Return the path with %04d for the number, None where the files are named otherwise."""
    first = min(path_of_frame)
    match = re.fullmatch(r"(.*?)(\d+)(\D*\.[^./]+)", path_of_frame[first])
    if match is None or "%" in path_of_frame[first]:
        return None
    pattern = f"{match[1]}%0{len(match[2])}d{match[3]}"
    fits = all(pattern % frame == path for frame, path in path_of_frame.items())
    return pattern if fits else None


def move_tracks(matched: Matched, root: Object) -> Tracks | None:
    """Return the tracks of a result in the world of the scene's cameras.

    None where there are none, or where cameras were moved by themselves and not with the root.
    """
    if matched.result is None:
        return None
    tracks = load_tracks(matched.result)
    known = load_cameras(matched.result)
    rows = list(matched.rows)
    if tracks is None or not _moved_together(matched.cameras, known.w2c[rows], root):
        return None
    place = np.full(len(known.views), -1)
    place[rows] = np.arange(len(rows))
    view = place[tracks.view]
    seen = view >= 0
    return tracks._replace(
        points=_move_points(tracks.points, root),
        view=view[seen],
        track=tracks.track[seen],
        px=tracks.px[seen],
    )


def _move_points(points: NDArray[np.floating], root: Object) -> NDArray[np.floating]:
    matrix = np.array(root.matrix_world, np.float64)
    moved = to_blender_points(np.asarray(points, np.float64)) @ matrix[:3, :3].T + matrix[:3, 3]
    return from_blender_points(moved)


def _moved_together(cameras: CameraFile, known: NDArray[np.float64], root: Object) -> bool:
    expected = _move_points(invert_rigid(known)[:, :3, 3], root)
    found = invert_rigid(cameras.w2c)[:, :3, 3]
    spread = np.abs(expected - expected.mean(axis=0)).max()
    close = _SAME_PLACE * spread + _SINGLE * np.abs(expected).max()
    return bool(np.abs(found - expected).max() <= close)
