# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points that several views saw, beside cameras in a file.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.result_folder import Result


class Tracks(NamedTuple):
    """M points in the world of the cameras, and L observations of them.

    Attributes:
        points: (M, 3) float64, world.
        colours: (M, 3) uint8, sRGB.
        error_px: (M,) float64, mean reprojection error in pixels of the pictures.
        view: (L,) int, index of the view that saw a point.
        track: (L,) int, index of the point.
        px: (L, 2) float64, where the picture, distorted as it is, shows it.
    """

    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    error_px: NDArray[np.float64]
    view: NDArray[np.intp]
    track: NDArray[np.intp]
    px: NDArray[np.float64]

    def sort(self) -> Tracks:
        """Return the same with observations in the order of points, then views."""
        order = np.lexsort((self.view, self.track))
        return self._replace(view=self.view[order], track=self.track[order], px=self.px[order])

    def index_in_views(self, count: int) -> NDArray[np.intp]:
        """Return (L,), the place of each observation among those of its view; `count` views."""
        order = np.argsort(self.view, kind="stable")
        first = np.searchsorted(self.view[order], np.arange(count))
        places = np.empty(len(order), np.intp)
        places[order] = np.arange(len(order)) - first[self.view[order]]
        return places


def load_tracks(result: Result) -> Tracks | None:
    """Open the tracks of a result, None where it has none.

    Raises:
        EngineError: RESULT_BROKEN.
    """
    if not (result.has("track_points") and result.has("observation_px")):
        return None
    points = np.asarray(result.load("track_points"), np.float64)
    colours = np.full((len(points), 3), 128, np.uint8)
    if result.has("track_colours"):
        colours = np.asarray(result.load("track_colours"), np.uint8)
    error = np.zeros(len(points))
    if result.has("track_error_px"):
        error = np.asarray(result.load("track_error_px"), np.float64)
    return Tracks(
        points,
        colours,
        error,
        np.asarray(result.load("observation_view"), np.intp),
        np.asarray(result.load("observation_track"), np.intp),
        np.asarray(result.load("observation_px"), np.float64),
    )
