# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""True cameras on disk: cameras.json, COLMAP's models and nerfstudio's transforms.json.

Runs in the engine, and in any Python with numpy (the demo and the script that renders the samples).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.errors import EngineError, ErrorCode
from ..inference.given_cameras import check_cameras, check_intrinsics
from .refusals import read_json_object, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CAMERAS_FILE: Final = "cameras.json"
TRANSFORMS_FILE: Final = "transforms.json"
COLMAP_FOLDERS: Final = ("colmap/sparse/0", "colmap/sparse", "sparse/0", "sparse")
CONVENTION: Final = "opencv_w2c"
# Where pixel (0, 0) has its centre: at (0.5, 0.5) as everywhere here, or at (0, 0).
_ORIGINS: Final = {"corner": 0.0, "centre": 0.5, "center": 0.5}
_NERF_DISTORTION: Final = ("k1", "k2", "k3", "k4", "p1", "p2")


@dataclass(frozen=True, eq=False)
class CameraSet:
    """The cameras of one scene, in the order of their file.

    Attributes:
        names: file names of the photos.
        sizes: (N, 2) int64, width and height in pixels.
        w2c: (N, 4, 4) float64, OpenCV world-to-camera.
        K: (N, 3, 3) float64, pixels of the photo; pixel (0, 0) has its centre at (0.5, 0.5).
        notes: sentences for the user.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def find_cameras(folder: Path) -> Path | None:
    """Return the file or the COLMAP folder that holds a scene's cameras, None if there is none."""
    if (folder / CAMERAS_FILE).is_file():
        return folder / CAMERAS_FILE
    for name in COLMAP_FOLDERS:
        if any((folder / name / f"images.{kind}").is_file() for kind in ("bin", "txt")):
            return folder / name
    path = folder / TRANSFORMS_FILE
    return path if path.is_file() else None


def read_cameras(folder: Path) -> CameraSet:
    """Read the cameras of a scene: cameras.json, else COLMAP's, else transforms.json.

    Raises:
        EngineError: INPUT_MISSING, INPUT_UNREADABLE or INPUT_MISMATCH with the path.
    """
    path = find_cameras(folder)
    if path is None:
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            f"{folder} has no cameras: no {CAMERAS_FILE}, no {COLMAP_FOLDERS[0]} and no "
            f"{TRANSFORMS_FILE}.",
            "Put the true cameras there; docs/evaluation.md describes the layout of a scene.",
        )
    if path.name == CAMERAS_FILE:
        return read_cameras_json(path)
    return read_transforms_json(path) if path.is_file() else _read_colmap(path)


def read_cameras_json(path: Path) -> CameraSet:
    """Read this project's cameras.json.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_MISMATCH with the path.
    """
    data = read_json_object(path)
    if data.get("convention") != CONVENTION:
        raise refuse(path, f"its convention is {data.get('convention')!r}, not {CONVENTION!r}")
    origin = data.get("pixel_origin", "corner")
    if origin not in _ORIGINS:
        raise refuse(path, f"its pixel_origin is {origin!r}, not one of {', '.join(_ORIGINS)}")
    frames = _list_frames(data, path)
    try:
        names = [str(frame["name"]) for frame in frames]
        sizes = [(int(frame["w"]), int(frame["h"])) for frame in frames]
        K = np.array([frame["K"] for frame in frames], np.float64)
        w2c = np.array([frame["w2c"] for frame in frames], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(path, f"a frame lacks {_name_fault(error)}") from error
    if K.shape == (len(frames), 3, 3):
        K[:, :2, 2] += _ORIGINS[origin]
    return _check(path, names, sizes, w2c, K)


def write_cameras_json(
    path: Path,
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    w2c: NDArray[np.floating],
    K: NDArray[np.floating],
) -> None:
    """Write cameras.json, which `read_cameras_json` reads.

    Args:
        path: of the file.
        names: file names of the photos.
        sizes: width and height of each in pixels.
        w2c: (N, 4, 4) OpenCV world-to-camera.
        K: (N, 3, 3) pixels of the photo.
    """
    frames = [
        {"name": name, "w": int(w), "h": int(h), "K": k.tolist(), "w2c": pose.tolist()}
        for name, (w, h), pose, k in zip(
            names, sizes, np.asarray(w2c, float), np.asarray(K, float), strict=True
        )
    ]
    data = {"convention": CONVENTION, "pixel_origin": "corner", "frames": frames}
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def read_transforms_json(path: Path) -> CameraSet:
    """Read nerfstudio's transforms.json: camera-to-world, OpenGL axes.

    Raises:
        EngineError: INPUT_UNREADABLE or INPUT_MISMATCH with the path.
    """
    data = read_json_object(path)
    frames = _list_frames(data, path)
    merged: list[dict[str, Any]] = [
        {**data, **frame} if isinstance(frame, dict) else {} for frame in frames
    ]
    model = str(data.get("camera_model", "OPENCV"))
    if "FISHEYE" in model or model == "EQUIRECTANGULAR":
        raise refuse(path, f"its lens is {model}", "Undistort the photos to a pinhole first.")
    try:
        names = [PurePosixPath(str(frame["file_path"])).name for frame in merged]
        sizes = [(int(frame["w"]), int(frame["h"])) for frame in merged]
        K = np.array([_make_nerf_lens(frame) for frame in merged])
        c2w = np.array([frame["transform_matrix"] for frame in merged], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(path, f"a frame lacks {_name_fault(error)}") from error
    if c2w.shape != (len(frames), 4, 4):
        raise refuse(path, "a transform_matrix is not 4 x 4")
    w2c = invert_rigid(c2w @ np.diag((1.0, -1.0, -1.0, 1.0)))  # OpenGL looks along -z, y is up
    is_distorted = any(frame.get(name) for frame in merged for name in _NERF_DISTORTION)
    return _check(path, names, sizes, w2c, K, _warn_of_distortion(path, is_distorted=is_distorted))


def _make_nerf_lens(frame: dict[str, Any]) -> list[list[float]]:
    fx = float(frame["fl_x"])
    fy = float(frame.get("fl_y", fx))
    cx, cy = (float(frame.get(n, frame[s] / 2)) for n, s in (("cx", "w"), ("cy", "h")))
    return [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]


def _read_colmap(folder: Path) -> CameraSet:
    from ..solve.colmap_files import read_colmap_views

    views = read_colmap_views(folder)
    return _check(
        folder,
        [PurePosixPath(view.name).name for view in views],
        [(view.width, view.height) for view in views],
        np.array([view.w2c for view in views]),
        np.array([view.K for view in views]),
        _warn_of_distortion(folder, is_distorted=any(view.is_distorted for view in views)),
    )


def _warn_of_distortion(path: Path, *, is_distorted: bool) -> tuple[str, ...]:
    if not is_distorted:
        return ()
    note = f"The lens in {path} has distortion, which nothing here corrects: undistort the photos."
    return (note,)


def _list_frames(data: dict[str, Any], path: Path) -> list[Any]:
    frames = data.get("frames")
    if not isinstance(frames, list) or not frames:
        raise refuse(path, "it lists no frames")
    return frames


def _name_fault(error: Exception) -> str:
    return f"the entry {error}" if isinstance(error, KeyError) else f"a number ({error})"


def _check(
    path: Path,
    names: list[str],
    sizes: list[tuple[int, int]],
    w2c: NDArray[np.float64],
    K: NDArray[np.float64],
    notes: tuple[str, ...] = (),
) -> CameraSet:
    double = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if double is not None:
        raise refuse(path, f"it has two cameras of a photo called {double}")
    try:
        w2c, K = check_cameras(w2c, len(names)), check_intrinsics(K, len(names))
    except EngineError as error:
        raise refuse(path, error.message.removesuffix("."), error.hint) from error
    return CameraSet(tuple(names), np.array(sizes, np.int64), w2c, K, notes)
