# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EXR files with the layers of a result, in the pixels of the plate.

Runs in the engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..camera_files.result_cameras import load_cameras
from ..contract.errors import EngineError, ErrorCode
from ..contract.views import View
from ..exports.exr_writing import write_exr
from ..exports.plate_layers import GridMaps, PlateCamera, make_layers
from .export_progress import QUIET
from .photos import name_copies

if TYPE_CHECKING:
    from ..contract.result_folder import Result
    from .photos import SupportsReport


def export_layers(
    result: Result, out: Path, progress: SupportsReport = QUIET, /, *, is_undistorted: bool = False
) -> Path:
    """Write one EXR per picture that has depth; return the folder.

    Channels are those of `make_layers`. Pictures are named `layers.1001.exr` by their frame, or
    after their photo. One picture is in memory at a time.

    Args:
        result: with depth maps.
        out: folder for the files.
        progress: is told of every picture.
        is_undistorted: in the pixels of the undistorted plate, in place of the plate as it is.

    Raises:
        EngineError: SETTINGS_INVALID, there is no depth; RESULT_BROKEN, DISK_FULL,
            OUTPUT_UNWRITABLE.
    """
    if not result.has("depth"):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The result in {result.folder} has no depth.",
            "Run again with cameras or depth by DA3.",
        )
    cameras = load_cameras(result)
    depth, grid = result.load("depth"), result.load("grid_from_photo")
    confidence = result.load("depth_confidence") if result.has("depth_confidence") else None
    sky = result.load("sky") if result.has("sky") else None
    rows = np.arange(len(depth))
    if result.has("depth_view"):
        rows = np.asarray(result.load("depth_view"), np.intp)
    names = _name_files(result)
    for index, row in enumerate(rows.tolist()):
        progress.report(index / len(rows), f"{index + 1} of {len(rows)} pictures")
        view, lens = cameras.views[row], cameras.lens_of(row)
        maps = GridMaps(
            depth[index],
            None if confidence is None else confidence[index],
            None if sky is None else np.asarray(sky[index]),
            np.asarray(grid[index], np.float64),
        )
        camera = PlateCamera(cameras.K[row], cameras.w2c[row], (view.width, view.height))
        is_bent = lens.distortion_px > 0 and not is_undistorted
        layers = make_layers(maps, camera, lens.photo_to_pinhole if is_bent else None)
        write_exr(out / names[row], layers, camera.size)
    return out


def _name_files(result: Result) -> list[str]:
    frames = [view.get("frame") for view in result.views]
    known = [int(frame) for frame in frames if frame is not None]
    if len(set(known)) == len(frames):
        return [f"layers.{frame:04d}.exr" for frame in known]
    views = [View(str(view["name"]), "", 0, 0) for view in result.views]
    return [Path(name).with_suffix(".exr").name for name in name_copies(views)]
