# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cameras of a results folder as a CameraFile.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.camera_file import CameraFile, CameraView
from ..contract.errors import EngineError, ErrorCode
from ..contract.lens import Lens

if TYPE_CHECKING:
    from ..contract.result_folder import Result


def load_cameras(result: Result) -> CameraFile:
    """Return the cameras of a result with their lenses, in its world.

    Raises:
        EngineError: RESULT_BROKEN.
    """
    source = result.manifest.get("source")
    fps = source.get("fps") if isinstance(source, dict) else None
    try:
        lenses = tuple(Lens.from_json(lens) for lens in result.manifest.get("lenses") or [])
        views = tuple(_make_view(view, len(lenses)) for view in result.views)
        return CameraFile(
            views,
            np.array(result.load("w2c"), np.float64),
            np.array(result.load("K"), np.float64),
            lenses,
            float(fps or 0),
            bool(result.manifest.get("is_metric")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(
            ErrorCode.RESULT_BROKEN,
            f"The cameras of the result in {result.folder} cannot be used: {error}.",
            "Run Reconstruct again, or choose another results folder.",
        ) from error


def _make_view(view: dict[str, Any], lenses: int) -> CameraView:
    frame, lens = view.get("frame"), int(view.get("lens", -1))
    return CameraView(
        str(view["name"]),
        None if frame is None else int(frame),
        int(view["width"]),
        int(view["height"]),
        lens if lens < lenses else -1,
    )


def drop_lenses(cameras: CameraFile) -> CameraFile:
    """Return the pinhole cameras of undistorted pictures."""
    views = tuple(
        CameraView(view.name, view.frame, view.width, view.height) for view in cameras.views
    )
    return CameraFile(views, cameras.w2c, cameras.K, (), cameras.fps, cameras.is_metric)
