# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outcome as files of a results folder, its manifest, and its summary for people.

Runs in the engine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.protocol import VERSION
from ..splats.result_arrays import save_splats
from .forecast import SPEED
from .preview import remove_preview

if TYPE_CHECKING:
    from ..contract.result_folder import ResultWriter
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from .outcome import Outcome


def write_outcome(outcome: Outcome, writer: ResultWriter) -> None:
    """Write all arrays.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    remove_preview(writer.work)
    writer.save_array("w2c", np.asarray(outcome.w2c, np.float64))
    writer.save_array("K", np.asarray(outcome.K, np.float64))
    writer.save_array("points", outcome.cloud.positions.astype(np.float32))
    writer.save_array("colours", outcome.cloud.colours)
    writer.save_array("confidence", outcome.cloud.confidence.astype(np.float32))
    writer.save_array("point_view", outcome.cloud.view.astype(np.int32))
    writer.save_array("point_view_count", outcome.cloud.view_count.astype(np.uint16))
    writer.save_array("point_moving", outcome.cloud.moving)
    if outcome.dense is not None:
        writer.save_array("depth", outcome.dense.depth)
        writer.save_array("depth_confidence", outcome.dense.confidence)
        writer.save_array("grid_from_photo", outcome.dense.grid_from_photo)
        if outcome.dense.sky is not None:
            writer.save_array("sky", outcome.dense.sky)
        if outcome.dense.cameras is not None:
            writer.save_array("depth_view", outcome.dense.cameras.astype(np.int32))
    if outcome.splats is not None:
        save_splats(outcome.splats, writer)
    if outcome.tracks is not None:
        tracks = outcome.tracks
        writer.save_array("track_points", tracks.points.astype(np.float32))
        writer.save_array("track_colours", tracks.colours)
        writer.save_array("track_error_px", tracks.error_px.astype(np.float32))
        writer.save_array("observation_view", tracks.camera.astype(np.int32))
        writer.save_array("observation_track", tracks.point.astype(np.int32))
        writer.save_array("observation_px", tracks.px.astype(np.float32))


def make_manifest(
    outcome: Outcome,
    settings: RunSettings,
    source: PhotoSource,
    notes: list[str],
    seconds: float,
) -> dict[str, Any]:
    """Describe a result: its input, cameras and lenses, and the settings it was made with."""
    used = set(outcome.indices)
    return {
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": name_input(settings),
        "source": {
            "kind": source.kind.value,
            "path": settings.inputs[0],
            "fps": source.fps,
        },
        "solver": outcome.solver,
        "model": settings.model if outcome.dense is not None else "",
        "is_metric": outcome.is_metric,
        "views": [
            {
                **source.views[index].to_json(),
                "photo": outcome.photos[position],
                "lens": outcome.lens_of_camera[position],
                "residual_px": outcome.residual_px[position],
            }
            for position, index in enumerate(outcome.indices)
        ],
        "lost": [view.name for index, view in enumerate(source.views) if index not in used],
        "skipped": list(source.skipped),
        "lenses": [
            {**lens.to_json(), "undistorted": lens.needs_undistortion} for lens in outcome.lenses
        ],
        "world": {"up": settings.world_up, "world_from_solver": outcome.world.to_json()},
        "refinement": outcome.refinement,
        "settings": settings.to_json(),
        SPEED: None if outcome.speed is None else outcome.speed.to_json(),
        "notes": notes,
        "seconds": round(seconds, 2),
    }


def summarise(
    outcome: Outcome, doubt: list[str], seconds: float, notes: list[str]
) -> dict[str, Any]:
    """Return what people are told at the end of a run."""
    return {
        "cameras": len(outcome.indices),
        "points": len(outcome.cloud.positions),
        "splats": 0 if outcome.splats is None else outcome.splats.count,
        "solver": outcome.solver,
        "is_metric": outcome.is_metric,
        "error_px": None if outcome.refinement is None else outcome.refinement["mean_px"],
        "doubtful": sum(map(bool, doubt)),
        "seconds": round(seconds, 1),
        "notes": notes,
        SPEED: None if outcome.speed is None else outcome.speed.to_json(),
    }


def name_input(settings: RunSettings) -> str:
    """Return a short name of the input: the folder's, or the video's without its ending."""
    path = Path(settings.inputs[0])
    if len(settings.inputs) > 1 or settings.input_kind == "SEQUENCE":
        return path.parent.name if path.suffix else path.name
    return path.stem if path.suffix and path.is_file() else path.name
