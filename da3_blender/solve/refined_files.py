# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands refined cameras from COLMAP's child process to the engine.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .adjustment import build_model
from .mapping import average_colours, save_arrays

if TYPE_CHECKING:
    from .refine_start import RefineStart
    from .refining import Refined
    from .work_folder import WorkFolder


def save_refined(folder: WorkFolder, refined: Refined, start: RefineStart) -> dict[str, Any]:
    """Write what `load_solution` reads, and the model in COLMAP's binary format.

    In that model images, cameras and points count from 1 in the order of the arrays.

    Returns:
        Plain values: `lenses` as in `save_model`, and `focal_sigma_px`, `depth_sigma` and
        `start_error_px` of `Refined`.
    """
    scene, tracks = refined.scene, refined.scene.tracks
    views = np.asarray(start.views, np.int64)
    placed = np.flatnonzero(refined.placed)
    arrays: dict[str, Any] = {
        "view": views[placed],
        "group": scene.lens_of_view[placed],
        "w2c": scene.w2c[placed],
        "points": scene.points,
        "track_length": np.bincount(tracks.point, minlength=tracks.count),
        "observation_view": views[tracks.view],
        "observation_feature": tracks.feature,
        "observation_point": tracks.point,
        "observation_px": tracks.px,
        "observation_error_px": scene.measure_errors(),
    }
    arrays["colours"] = average_colours(folder, arrays)
    save_arrays(folder.solution, arrays)
    model = build_model(scene)
    for number, colour in enumerate(arrays["colours"], 1):
        model.points3D[number].color = colour
    for view in np.flatnonzero(~refined.placed).tolist():
        model.deregister_frame(view + 1)
    folder.sparse.mkdir(exist_ok=True)
    model.write_binary(folder.sparse)
    return {
        "lenses": [{**lens.to_json(), "group": number} for number, lens in enumerate(scene.lenses)],
        "focal_sigma_px": refined.focal_sigma_px,
        "depth_sigma": refined.depth_sigma,
        "start_error_px": refined.start_error_px,
    }
