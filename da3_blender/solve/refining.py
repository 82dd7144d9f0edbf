# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refines rough cameras in rounds: adjust, look at the errors, drop what is wrong, adjust again.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .adjustment import Freedom, TrackedScene, adjust, measure_spread
from .depth_priors import make_priors, measure_sigma
from .pair_choice import estimate_usual_depth
from .pose_priors import expect_poses, reset_strays
from .triangulation import triangulate
from .turning_start import turn_by_tracks
from .zoom import smooth_focal

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .refine_start import RefineStart
    from .tracks import Tracks

FOCAL_FIXED: Final = "FIXED"
FOCAL_ZOOM: Final = "ZOOM"

_ROUNDS: Final = 5
# Errors of rough cameras that a first round still listens to, pixels of a plate 1000 wide.
_WIDEST_LOSS: Final = 20.0
_LEAST_LOSS: Final = 0.5
_FAR_PX: Final = 1e6  # stands for the error of a point behind its camera
_KEEP_SIGMAS: Final = 4.0
_KEEP_AT_FIRST: Final = 6.0
_LEAST_KEPT_PX: Final = 1.5
_FEWEST_POINTS: Final = 4  # of a view; the rest is said by what is expected of its pose
_TELL_LENS: Final = 30  # points of the usual view that say what lens it was
_FEWEST_IN_ALL: Final = 30

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refined:
    """What a refinement found.

    Args:
        scene: cameras, lenses, points and the observations that are left.
        placed: (N,) bool, views with enough points.
        focal_sigma_px: standard deviation of fx per lens, None where it was not free.
        depth_sigma: relative error of the depth maps where it could be told.
        start_error_px: median reprojection error with the rough cameras and best points.
    """

    scene: TrackedScene
    placed: NDArray[np.bool_]
    focal_sigma_px: list[float | None]
    depth_sigma: float | None
    start_error_px: float


def refine(
    tracks: Tracks, start: RefineStart, options: dict[str, Any], tell: Callable[[int, int], Any]
) -> Refined | None:
    """Refine the cameras of a start with tracks.

    Args:
        tracks: of the views of the start; some may be wrong.
        start: rough cameras.
        options: `focal` (FIXED, SHARED or ZOOM), `distortion` and `principal_point` (bool),
            `is_still` (the cameras stand still, and how they are turned is not known),
            `is_ordered` (neighbours in the list are neighbours in time) and `seed`.
        tell: called with the rounds done and their number.

    Returns:
        The cameras, or None where too few tracks join the views.
    """
    scene = TrackedScene(
        start.w2c.copy(),
        start.lenses,
        np.asarray(start.lens_of_view, np.int64),
        np.zeros((0, 3)),
        tracks,
    )
    if tracks.count < _FEWEST_IN_ALL:
        return None
    if options["is_still"]:
        scene = turn_by_tracks(scene)
        start = replace(start, w2c=scene.w2c)
    scene = triangulate(scene, start, estimate_usual_depth(start))
    error = scene.measure_errors()
    start_error = float(np.median(np.where(np.isfinite(error), error, _FAR_PX)))
    _log.info("%d points, %d observations, %.2f px", scene.tracks.count, len(error), start_error)
    rounds = _Rounds(scene, start, options)
    for number in range(_ROUNDS):
        rounds.advance(number)
        tell(number + 1, _ROUNDS)
    return rounds.finish(start_error)


class _Rounds:
    """The scene as it gets better: all tracks, and which observations of them count."""

    def __init__(self, scene: TrackedScene, start: RefineStart, options: dict[str, Any]) -> None:
        self._scene = scene
        self._start = start
        self._options = options
        self._depth_sigma: float | None = None
        self._focal_sigma_px: list[float | None] = [None] * len(scene.lenses)
        self._unit = max(max(lens.width, lens.height) for lens in start.lenses) / 1000
        # Corners of a plain room look alike, but rough cameras know which is which.
        error = scene.measure_errors()
        limit = _KEEP_AT_FIRST * measure_spread(error)
        self._kept = error < max(limit, _WIDEST_LOSS * self._unit)

    def advance(self, number: int) -> None:
        """Do one round, the first ones gentle."""
        is_last = number == _ROUNDS - 1
        is_zoom = self._options["focal"] == FOCAL_ZOOM
        if is_zoom and is_last:
            lenses = smooth_focal(self._scene.lenses)
            self._scene = replace(self._scene, lenses=lenses)
        part = self._scene.take(self._kept)
        spread = measure_spread(part.measure_errors())
        loss = float(np.clip(2 * spread, _LEAST_LOSS * self._unit, _WIDEST_LOSS * self._unit))
        # A handful of points would bend the lens to their noise.
        usual = float(np.median(np.bincount(part.tracks.view, minlength=len(part.w2c))))
        is_telling = usual >= _TELL_LENS
        freedom = Freedom(
            focal=self._options["focal"] != FOCAL_FIXED
            and is_telling
            and not (is_zoom and is_last),
            distortion=self._options["distortion"] and is_telling and number > 0 and not is_zoom,
            principal_point=self._options["principal_point"] and is_telling and number > 1,
        )
        ties = make_priors(part, self._start, self._depth_sigma, self._options["seed"])
        expected = expect_poses(
            part,
            self._start.w2c,
            is_ordered=self._options["is_ordered"],
            is_first=number == 0,
        )
        if not expected.needy.any():
            expected = None
        adjusted = adjust(part, freedom, loss, (ties, expected), wants_sigma=is_last)
        # Ties along rays leave the world free to turn about the cameras.
        part = adjusted.scene.turned_back(self._start.w2c)
        self._focal_sigma_px = adjusted.focal_sigma_px
        self._scene = self._place_rest(self._scene.with_active(self._kept, part))
        found = measure_sigma(part, self._start) if number and is_telling else None
        self._depth_sigma = found or self._depth_sigma
        if number and not is_telling and self._options["is_ordered"]:
            self._scene = reset_strays(self._scene, self._start.w2c)
        self._choose(is_first=number == 0)
        _log.info(
            "round %d: loss %.2f px, error %.3f px, %d of %d observations, depth off by %s, "
            "poses by %s",
            number,
            loss,
            float(np.median(part.measure_errors())),
            int(self._kept.sum()),
            len(self._kept),
            self._depth_sigma,
            None if expected is None else round(expected.sigma, 5),
        )

    def _place_rest(self, scene: TrackedScene) -> TrackedScene:
        """Place the points that were left out, with the new cameras: they may fit now."""
        lasting = scene.tracks.find_lasting(self._kept)
        points = triangulate(scene, self._start, None).points
        points[lasting] = scene.points[lasting]
        return replace(scene, points=points)

    def _choose(self, *, is_first: bool) -> None:
        """Choose the observations that fit, among all."""
        error = self._scene.measure_errors()
        limit = _KEEP_SIGMAS * measure_spread(error[self._kept])
        limit = max(limit, _LEAST_KEPT_PX * self._unit)
        if is_first:
            limit = max(limit, _WIDEST_LOSS * self._unit)
        view = self._scene.tracks.view
        kept = error < limit
        kept &= np.isin(self._scene.tracks.point, self._scene.tracks.find_lasting(kept))
        seen = np.bincount(view[kept], minlength=len(self._scene.w2c))
        self._kept = kept & (seen >= _FEWEST_POINTS)[view]

    def finish(self, start_error: float) -> Refined | None:
        scene = self._scene.take(self._kept)
        if scene.tracks.count < _FEWEST_IN_ALL:
            return None
        placed = np.bincount(scene.tracks.view, minlength=len(scene.w2c)) > 0
        return Refined(scene, placed, self._focal_sigma_px, self._depth_sigma, start_error)
