# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which format a file or folder of cameras has.

Runs in both processes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ..contract.camera_file import CameraFile, read_camera_file
from .colmap import find_model, read_colmap
from .nuke_chan import read_chan
from .nuke_script import read_nuke_camera
from .refusals import read_text, refuse, report_missing
from .transforms_json import NAME, read_transforms

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN: Final = (
    "Choose a cameras file of ours (.json), a COLMAP model (folder with images.bin or images.txt), "
    "transforms.json, or Nuke's .chan or .nk."
)


def detect_and_read(path: Path, size: tuple[int, int] | None = None) -> CameraFile:
    """Read cameras of any format that we know.

    Args:
        path: a file, or the folder of a COLMAP model or of a transforms.json.
        size: width and height of the pictures in pixels, for formats that do not know it (.chan).

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE; SETTINGS_INVALID, the size is needed.
    """
    if path.is_dir():
        model = find_model(path)
        if model is not None:
            return read_colmap(model).cameras
        if (path / NAME).is_file():
            return read_transforms(path / NAME)
        raise refuse(path, "the folder holds neither a COLMAP model nor transforms.json", _KNOWN)
    if not path.is_file():
        raise report_missing(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return read_transforms(path) if _has_frames(path) else read_camera_file(path)
    if suffix == ".chan":
        return read_chan(path, size)
    if suffix == ".nk":
        return read_nuke_camera(path)
    if suffix in (".bin", ".txt") and path.stem in ("cameras", "images", "points3D"):
        return read_colmap(path.parent).cameras
    raise refuse(path, f"files that end in {suffix or 'nothing'} are not known", _KNOWN)


def _has_frames(path: Path) -> bool:
    """Tell a transforms.json, whatever it is called, from a file of ours."""
    try:
        content: object = json.loads(read_text(path))
    except ValueError as error:
        raise refuse(path, str(error)) from error
    return isinstance(content, dict) and "frames" in content and "views" not in content
