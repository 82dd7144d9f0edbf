# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nerfstudio's and Instant NGP's transforms.json.

Runs in both processes. Its poses are camera-to-world with y up and looking along -z, in a world
with z up: the very matrices that Blender's cameras have.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ..contract.camera_file import CameraFile, CameraView
from ..contract.cameras import from_blender_matrix, to_blender_matrix
from ..contract.errors import EngineError, ErrorCode
from ..contract.lens import Lens
from ..contract.whole_file import open_whole
from .frame_names import find_frames
from .refusals import read_text, refuse
from .view_names import name_view

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "transforms.json"
_PINHOLES: Final = ("PINHOLE", "SIMPLE_PINHOLE")
_DISTORTION: Final = ("k1", "k2", "p1", "p2")
_UNKNOWN: Final = ("k3", "k4", "k5", "k6")


def write_transforms(
    path: Path, cameras: CameraFile, folder: str = "images", cloud: str = ""
) -> None:
    """Write the cameras; numbers that all frames share stand once, at the top.

    Args:
        path: of the file.
        cameras: to write.
        folder: of the pictures, relative to the file; goes in front of their names.
        cloud: PLY file of points in the same world (z up), relative to the file, or "".

    Raises:
        EngineError: SETTINGS_INVALID, a lens has no counterpart there; DISK_FULL,
            OUTPUT_UNWRITABLE.
    """
    lenses = [_describe_lens(cameras.lens_of(index)) for index in range(len(cameras.views))]
    shared = {
        key: value
        for key, value in (lenses[0] if lenses else {}).items()
        if all(lens.get(key) == value for lens in lenses)
    }
    matrices = to_blender_matrix(cameras.w2c)
    frames = []
    for view, lens, matrix in zip(cameras.views, lenses, matrices, strict=True):
        own = {key: value for key, value in lens.items() if key not in shared}
        entry: dict[str, Any] = {"file_path": str(PurePosixPath(folder) / name_view(view))}
        if view.frame is not None:
            entry["frame"] = view.frame
        frames.append({**entry, **own, "transform_matrix": matrix.tolist()})
    content: dict[str, Any] = {**shared}
    if cameras.fps > 0:
        content["fps"] = cameras.fps
    if cloud:
        content["ply_file_path"] = cloud
    content["frames"] = frames
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with open_whole(path) as file:
        file.write(text.encode())


def _describe_lens(lens: Lens) -> dict[str, Any]:
    """Return nerfstudio's numbers of a lens.

    Raises:
        EngineError: SETTINGS_INVALID.
    """
    if lens.division:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"transforms.json has no lens of kind {lens.model}.",
            "Write undistorted pictures, or solve with a lens of kind OPENCV.",
        )
    K = lens.K
    numbers: dict[str, Any] = {
        "camera_model": "OPENCV" if any(lens.polynomial) else "PINHOLE",
        "w": lens.width,
        "h": lens.height,
        "fl_x": float(K[0, 0]),
        "fl_y": float(K[1, 1]),
        "cx": float(K[0, 2]),
        "cy": float(K[1, 2]),
    }
    if any(lens.polynomial):
        numbers |= dict(zip(_DISTORTION, lens.polynomial, strict=True))
    return numbers


def read_transforms(path: Path) -> CameraFile:
    """Read the cameras; numbers of a frame win over those at the top.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE.
    """
    try:
        found: object = json.loads(read_text(path))
    except ValueError as error:
        raise refuse(path, str(error)) from error
    content = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    entries = content.get("frames")
    if not isinstance(entries, list) or not entries:
        raise refuse(path, "it lists no frames")
    top = {key: value for key, value in content.items() if key != "frames"}
    try:
        merged = [{**top, **entry} for entry in cast("list[dict[str, Any]]", entries)]
        lenses = [_make_lens(path, entry) for entry in merged]
        names = [PurePosixPath(str(entry["file_path"]).replace("\\", "/")).name for entry in merged]
        c2w = np.array([_complete(entry["transform_matrix"]) for entry in merged], np.float64)
        frames = [_read_frame(entry) for entry in merged]
        fps = float(top.get("fps", 0))
    except (KeyError, TypeError, ValueError) as error:
        why = f"a frame lacks {error}" if isinstance(error, KeyError) else str(error)
        raise refuse(path, why) from error
    if c2w.shape != (len(merged), 4, 4) or not np.isfinite(c2w).all():
        raise refuse(path, "a transform_matrix is not 4 x 4 numbers")
    if None in frames:
        frames = find_frames(names)
    different = tuple(dict.fromkeys(lenses))
    views = tuple(
        CameraView(name, frame, lens.width, lens.height, different.index(lens))
        for name, frame, lens in zip(names, frames, lenses, strict=True)
    )
    return CameraFile(
        views, from_blender_matrix(c2w), np.stack([lens.K for lens in lenses]), different, fps
    )


def _read_frame(entry: dict[str, Any]) -> int | None:
    frame = entry.get("frame")
    return None if frame is None else int(frame)


def _complete(matrix: list[list[float]]) -> list[list[float]]:
    """Add the last row to matrices that come without it."""
    return [*matrix[:3], [0.0, 0.0, 0.0, 1.0]]


def _make_lens(path: Path, entry: dict[str, Any]) -> Lens:
    model = str(entry.get("camera_model", "OPENCV"))
    if model not in (*_PINHOLES, "OPENCV", "SIMPLE_RADIAL", "RADIAL"):
        raise refuse(path, f"its lens is {model}", "Undistort the pictures to a pinhole first.")
    unknown = [name for name in _UNKNOWN if entry.get(name)]
    if unknown:
        raise refuse(
            path,
            f"its lens has {', '.join(unknown)}, which we do not have",
            "Undistort the pictures first, or solve again with k1, k2, p1 and p2 only.",
        )
    width, height = int(entry["w"]), int(entry["h"])
    fx = float(entry["fl_x"]) if "fl_x" in entry else _to_focal(entry["camera_angle_x"], width)
    fy = float(entry.get("fl_y", fx))
    pinhole = (fx, fy, float(entry.get("cx", width / 2)), float(entry.get("cy", height / 2)))
    distortion = tuple(float(entry.get(name, 0)) for name in _DISTORTION)
    if model in _PINHOLES or not any(distortion):
        return Lens("PINHOLE", pinhole, width, height)
    return Lens("OPENCV", (*pinhole, *distortion), width, height)


def _to_focal(angle: float, side: int) -> float:
    return side / 2 / float(np.tan(float(angle) / 2))
