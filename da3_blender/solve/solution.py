# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What COLMAP found: cameras, lenses and sparse points.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.lens import Lens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class SparseSolution:
    """Cameras and points; N views of the source, M points, L observations.

    Args:
        registered: (N,) bool, whether a view got a camera.
        w2c: (N, 4, 4) float64, world-to-camera, OpenCV axes, arbitrary scale; NaN where a view
            got none.
        lens_of_view: (N,) int32, index into `lenses`, -1 where a view got no camera.
        lenses: those that a registered view uses.
        points: (M, 3) float64, OpenCV world frame, scene units.
        colours: (M, 3) uint8 sRGB, mean of the pixels that show the point.
        track_length: (M,) int32, number of views that show the point.
        point_error_px: (M,) float64, mean distance between its pixels and its projections,
            pixels of the original photos, lens distortion taken into account.
        view_residual_px: (N,) float64, the same mean per view; NaN where it got no camera.
        mean_error_px: the same mean over all observations.
        observation_view: (L,) int32.
        observation_point: (L,) int32, index into `points`.
        observation_px: (L, 2) float64, where the photo, distorted as it is, shows the point.
    """

    registered: NDArray[np.bool_]
    w2c: NDArray[np.float64]
    lens_of_view: NDArray[np.int32]
    lenses: tuple[Lens, ...]
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    track_length: NDArray[np.int32]
    point_error_px: NDArray[np.float64]
    view_residual_px: NDArray[np.float64]
    mean_error_px: float
    observation_view: NDArray[np.int32]
    observation_point: NDArray[np.int32]
    observation_px: NDArray[np.float64]


def load_solution(path: Path, lenses: Sequence[dict[str, Any]], count: int) -> SparseSolution:
    """Read the arrays that COLMAP's process left in the work folder.

    Args:
        path: the file with them.
        lenses: dictionaries of the answer `mapped`.
        count: N, views of the source.
    """
    with np.load(path) as file:
        arrays = dict(file)
    view = arrays["view"]
    used = [lens for lens in lenses if lens["group"] in arrays["group"]]
    index_of_group = {lens["group"]: index for index, lens in enumerate(used)}
    w2c = np.full((count, 4, 4), np.nan)
    w2c[view] = arrays["w2c"]
    lens_of_view = np.full(count, -1, np.int32)
    lens_of_view[view] = [index_of_group[group] for group in arrays["group"]]
    error = arrays["observation_error_px"]
    residual = _average(error, arrays["observation_view"], count)
    return SparseSolution(
        registered=lens_of_view >= 0,
        w2c=w2c,
        lens_of_view=lens_of_view,
        lenses=tuple(Lens.from_json(lens) for lens in used),
        points=arrays["points"],
        colours=arrays["colours"],
        track_length=arrays["track_length"].astype(np.int32),
        point_error_px=_average(error, arrays["observation_point"], len(arrays["points"])),
        view_residual_px=residual,
        mean_error_px=float(error.mean()) if len(error) else float("nan"),
        observation_view=arrays["observation_view"].astype(np.int32),
        observation_point=arrays["observation_point"].astype(np.int32),
        observation_px=arrays["observation_px"],
    )


def _average(
    values: NDArray[np.float64], group: NDArray[np.integer], count: int
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # 0 / 0: a view without observations has no mean
        return np.bincount(group, values, count) / np.bincount(group, minlength=count)
