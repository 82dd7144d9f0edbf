# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nuke's .chan files: one camera on a time line as text, `frame tx ty tz rx ry rz vfov`.

Runs in both processes. World and rotation order as in `nuke_frame`; angles in degrees. A .chan
knows neither the size of the picture nor where the optical axis meets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.camera_file import CameraFile, CameraView
from ..contract.errors import EngineError, ErrorCode
from ..contract.whole_file import open_whole
from .nuke_frame import angles_to_matrix, from_nuke_matrix, matrix_to_angles, to_nuke_matrix
from .refusals import read_text, refuse

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS: Final = 8
_POSE_COLUMNS: Final = 7
_LIKE: Final = "Write it as frame, tx, ty, tz, rx, ry, rz and vfov, as Nuke's Camera node does."


def write_chan(path: Path, cameras: CameraFile) -> None:
    """Write one line per frame.

    The vertical field of view is that of fy, which makes the right focal length with a film back
    of the picture's shape. Distortion, the principal point and fx that is not fy are not in it.

    Args:
        path: of the file.
        cameras: of one moving camera.

    Raises:
        EngineError: SETTINGS_INVALID, views have no or the same frame numbers; DISK_FULL,
            OUTPUT_UNWRITABLE.
    """
    order = order_by_frame(cameras)
    matrices = to_nuke_matrix(cameras.w2c[order])
    angles = matrix_to_angles(matrices[:, :3, :3])
    with open_whole(path) as file:
        for index, matrix, turn in zip(order, matrices, angles, strict=True):
            view = cameras.views[index]
            vfov = np.rad2deg(2 * np.arctan(view.height / 2 / cameras.K[index, 1, 1]))
            numbers = (*matrix[:3, 3].tolist(), *turn.tolist(), float(vfov))
            line = "\t".join([str(view.frame), *(f"{value:.12g}" for value in numbers)])
            file.write(line.encode() + b"\n")


def order_by_frame(cameras: CameraFile) -> list[int]:
    """Return the views in the order of their frames.

    Raises:
        EngineError: SETTINGS_INVALID.
    """
    frames = [view.frame for view in cameras.views]
    known = [frame for frame in frames if frame is not None]
    if not known or len(set(known)) < len(frames):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "Single photos are no moving camera: they have no frame numbers of their own.",
            "Choose COLMAP or transforms.json for single photos.",
        )
    return sorted(range(len(frames)), key=lambda index: cameras.views[index].frame or 0)


def read_chan(
    path: Path, size: tuple[int, int] | None, back_mm: tuple[float, float] | None = None
) -> CameraFile:
    """Read a camera.

    Args:
        path: of the file.
        size: width and height of the picture in pixels, which the file does not know.
        back_mm: width and height of the film back that the field of view belongs to; None for
            one of the picture's shape.

    Raises:
        EngineError: INPUT_MISSING, INPUT_UNREADABLE; SETTINGS_INVALID, the size is not known.
    """
    if size is None:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"{path.name} does not say how large the picture is.",
            "Choose the pictures first, or use a .nk or a COLMAP model, which know it.",
        )
    rows = []
    for line in read_text(path).splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) < _COLUMNS:
            has_pose = len(words) == _POSE_COLUMNS
            why = "it has no field of view" if has_pose else f"a line has {len(words)} numbers"
            raise refuse(path, why, _LIKE)
        try:
            rows.append([float(word) for word in words[:_COLUMNS]])
        except ValueError as error:
            raise refuse(path, str(error), _LIKE) from error
    table = np.array(rows, np.float64).reshape(-1, _COLUMNS)
    vfov = np.deg2rad(table[:, 7])
    if not len(table) or not np.isfinite(table).all() or not ((vfov > 0) & (vfov < np.pi)).all():
        raise refuse(path, "it has no lines, or a field of view that is none", _LIKE)
    matrices = np.tile(np.eye(4), (len(table), 1, 1))
    matrices[:, :3, :3] = angles_to_matrix(table[:, 4:7])
    matrices[:, :3, 3] = table[:, 1:4]
    width, height = size
    shape = height / width if back_mm is None else back_mm[1] / back_mm[0]
    K = np.tile(np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1.0]]), (len(table), 1, 1))
    K[:, 0, 0] = K[:, 1, 1] = shape * width / 2 / np.tan(vfov / 2)
    views = tuple(CameraView("", round(frame), width, height) for frame in table[:, 0].tolist())
    return CameraFile(views, from_nuke_matrix(matrices), K)
