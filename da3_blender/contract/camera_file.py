# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that one has, in a file of our own: JSON, all numbers, one entry per view.

Runs in both processes: Blender writes its cameras, the engine reads them for a run, and every
other camera format is translated from and to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from .errors import EngineError, ErrorCode
from .lens import Lens
from .whole_file import open_whole

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_KIND: Final = "da3-cameras"
_FORMAT: Final = 1
_REMEDY: Final = "Save the cameras again, or choose another file."


@dataclass(frozen=True)
class CameraView:
    """One picture with its camera.

    Args:
        name: of the photo or frame, such as `IMG_0012.JPG`; may be empty where `frame` is known.
        frame: its number on the time line, or None.
        width: pixels of the picture.
        height: pixels.
        lens: index into the file's lenses, -1 for a pinhole.
    """

    name: str
    frame: int | None
    width: int
    height: int
    lens: int = -1


@dataclass(frozen=True)
class CameraFile:
    """Cameras in one world.

    Args:
        views: N of them.
        w2c: (N, 4, 4) float64, world-to-camera, OpenCV axes; the world is the file's own.
        K: (N, 3, 3) float64, pixels of the pictures; the pinhole part of the lens.
        lenses: with their distortion.
        fps: pictures per second; 0 where they are no sequence.
        is_metric: the unit of the world is the metre.

    Raises:
        ValueError: the numbers of views, poses and K differ.
    """

    views: tuple[CameraView, ...]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    lenses: tuple[Lens, ...] = ()
    fps: float = 0.0
    is_metric: bool = False

    def __post_init__(self) -> None:
        """Check the shapes."""
        count = len(self.views)
        if self.w2c.shape != (count, 4, 4) or self.K.shape != (count, 3, 3):
            message = f"{count} views, w2c {self.w2c.shape}, K {self.K.shape}"
            raise ValueError(message)
        if any(not -1 <= view.lens < len(self.lenses) for view in self.views):
            message = f"a view has a lens that is none of {len(self.lenses)}"
            raise ValueError(message)

    def lens_of(self, index: int) -> Lens:
        """Return the lens of a view; a pinhole is one too."""
        view = self.views[index]
        if view.lens >= 0:
            return self.lenses[view.lens]
        k = self.K[index]
        params = (float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]))
        return Lens("PINHOLE", params, view.width, view.height)


def write_camera_file(path: Path, cameras: CameraFile) -> None:
    """Write cameras through a temporary name.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    views = [
        {
            "name": view.name,
            "frame": view.frame,
            "width": view.width,
            "height": view.height,
            "lens": view.lens,
            "w2c": cameras.w2c[index].tolist(),
            "K": cameras.K[index].tolist(),
        }
        for index, view in enumerate(cameras.views)
    ]
    content = {
        "kind": _KIND,
        "format": _FORMAT,
        "axes": "OpenCV: x right, y down, z forward; w2c maps world to camera",
        "fps": cameras.fps,
        "is_metric": cameras.is_metric,
        "lenses": [lens.to_json() for lens in cameras.lenses],
        "views": views,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with open_whole(path) as file:
        file.write(text.encode())


def read_camera_file(path: Path) -> CameraFile:
    """Read what `write_camera_file` wrote.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE.
    """
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EngineError(
            ErrorCode.INPUT_MISSING, f"There is no camera file {path}.", _REMEDY
        ) from error
    except (OSError, ValueError) as error:
        raise _refuse(path, str(error)) from error
    if not isinstance(found, dict):
        raise _refuse(path, "it is not one of ours")
    content = cast("dict[str, Any]", found)
    if content.get("kind") != _KIND:
        raise _refuse(path, "it is not one of ours")
    if content.get("format") != _FORMAT:
        raise _refuse(path, f"its format is {content.get('format')}, not {_FORMAT}")
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError) as error:
        raise _refuse(path, str(error)) from error


def _parse(content: dict[str, Any]) -> CameraFile:
    views = tuple(
        CameraView(
            str(view["name"]),
            None if view["frame"] is None else int(view["frame"]),
            int(view["width"]),
            int(view["height"]),
            int(view["lens"]),
        )
        for view in content["views"]
    )
    return CameraFile(
        views,
        np.array([view["w2c"] for view in content["views"]], float).reshape(-1, 4, 4),
        np.array([view["K"] for view in content["views"]], float).reshape(-1, 3, 3),
        tuple(Lens.from_json(lens) for lens in content["lenses"]),
        float(content["fps"]),
        bool(content["is_metric"]),
    )


def _refuse(path: Path, why: str) -> EngineError:
    return EngineError(
        ErrorCode.INPUT_UNREADABLE, f"The camera file {path} cannot be read: {why}.", _REMEDY
    )
