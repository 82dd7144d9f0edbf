# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks of a result as markers of a movie clip, for Blender's own tracker.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..camera_files.tracks import load_tracks
from ..contract.cameras import invert_rigid
from ..contract.errors import EngineError, ErrorCode
from ..contract.lens import Lens
from ..contract.track_choice import choose_pair, choose_tracks
from .clip_editor import delete_tracks, solve_clip
from .clip_frames import get_clip_frame
from .clip_lens import read_error_px, set_clip_lens
from .plate_clip import get_plate_clip

if TYPE_CHECKING:
    from bpy.types import Context, MovieClip, MovieTrackingTrack
    from numpy.typing import NDArray

    from ..camera_files.tracks import Tracks
    from ..contract.result_folder import Result

PREFIX: Final = "DA3 "
_SAME_FOCAL: Final = 1e-3


class ClipReport(NamedTuple):
    """What was written.

    Attributes:
        clip: that has the tracks.
        tracks: how many.
        markers: how many.
        our_error_px: mean distance of these markers from where our points are seen by our camera.
        blender_error_px: the same of Blender's own solution; None if it was not asked.
        notes: sentences that the user should read.
    """

    clip: MovieClip
    tracks: int
    markers: int
    our_error_px: float
    blender_error_px: float | None
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """All that in a sentence."""
        text = f"{self.tracks} tracks, {self.markers} markers in {self.clip.name}"
        text += f"; our camera: {self.our_error_px:.3f} px"
        if self.blender_error_px is None:
            return text
        return f"{text}, Blender's own: {self.blender_error_px:.3f} px"


class _Shot(NamedTuple):
    """What is needed of a result: cameras in the order of the frames.

    Attributes:
        frames: (N,) rising.
        w2c: (N, 4, 4).
        lenses: N of them.
        place: (V,) place of each view in this order.
    """

    frames: NDArray[np.int64]
    w2c: NDArray[np.float64]
    lenses: tuple[Lens, ...]
    place: NDArray[np.intp]


def write_clip_tracks(context: Context, result: Result, count: int, *, solve: bool) -> ClipReport:
    """Write the best tracks of a result into the clip of its plate, with the lens.

    Tracks that were written before are replaced; those of the user stay.

    Args:
        context: of the operator.
        result: with tracks.
        count: of tracks, about.
        solve: let Blender solve the camera.

    Raises:
        EngineError: INPUT_MISMATCH, there are no tracks or no frames; INPUT_MISSING, the plate is
            gone; CAMERAS_NOT_FOUND, Blender could not solve.
    """
    tracks = load_tracks(result)
    if tracks is None or not len(tracks.track):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The result {result.folder.name} has no tracks.",
            "Turn Refine on, or let COLMAP find the cameras, and run again.",
        )
    shot = _read_shot(result)
    clip = get_plate_clip(result)
    size = (shot.lenses[0].width, shot.lenses[0].height)
    place = shot.place[tracks.view]
    chosen = choose_tracks(tracks.track, place, tracks.px, size, count)
    kept = np.isin(tracks.track, chosen)
    tracks = tracks._replace(
        view=tracks.view[kept], track=tracks.track[kept], px=tracks.px[kept]
    ).sort()
    notes: list[str] = []
    lens = _choose_lens(shot, notes)
    set_clip_lens(clip, lens)
    _write_markers(context, clip, shot, tracks)
    error_px = measure_error_px(tracks, shot.w2c, shot.lenses, shot.place[tracks.view])
    blender_px = None
    if solve:
        pair = choose_pair(
            invert_rigid(shot.w2c)[:, :3, 3], tracks.points, tracks.track, shot.place[tracks.view]
        )
        if pair is None:
            raise EngineError(
                ErrorCode.CAMERAS_NOT_FOUND,
                "No two frames have eight tracks in common, so Blender cannot begin to solve.",
                "Write more tracks.",
            )
        first, second = (get_clip_frame(clip, int(shot.frames[index])) for index in pair)
        solve_clip(context, clip, (first, second))
        set_clip_lens(clip, lens)  # the solver rounds the centre of pixels that are not square
        blender_px = read_error_px(clip)
    return ClipReport(clip, len(chosen), len(tracks.px), error_px, blender_px, tuple(notes))


def measure_error_px(
    tracks: Tracks,
    w2c: NDArray[np.float64],
    lenses: tuple[Lens, ...],
    place: NDArray[np.intp],
) -> float:
    """Return the mean distance of observations from where cameras see their points.

    Args:
        tracks: L observations.
        w2c: (N, 4, 4) cameras.
        lenses: N of them.
        place: (L,) the camera of each observation.
    """
    local = np.einsum("lij,lj->li", w2c[place, :3, :3], tracks.points[tracks.track])
    local += w2c[place, :3, 3]
    distances = np.empty(len(place))
    for index in np.unique(place):
        here = place == index
        lens = lenses[index]
        pixels = local[here] @ lens.K.T
        seen = lens.pinhole_to_photo(pixels[:, :2] / pixels[:, 2:])
        distances[here] = np.linalg.norm(seen - tracks.px[here], axis=1)
    return float(distances.mean())


def _read_shot(result: Result) -> _Shot:
    numbers = [view.get("frame") for view in result.views]
    if None in numbers or len(set(numbers)) < len(numbers):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"The views of {result.folder.name} have no frame numbers.",
            "Use a numbered sequence or a video.",
        )
    frames = np.array(numbers, np.int64)
    order = np.argsort(frames)
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    K = np.asarray(result.load("K"), np.float64)[order]
    stored = [Lens.from_json(lens) for lens in result.manifest.get("lenses") or []]
    lenses = []
    for row, index in enumerate(order):
        view = result.views[index]
        which = int(view.get("lens", -1))
        if 0 <= which < len(stored):
            lenses.append(stored[which].with_focal(float(K[row, 0, 0])))
            continue
        params = (K[row, 0, 0], K[row, 1, 1], K[row, 0, 2], K[row, 1, 2])
        size = int(view["width"]), int(view["height"])
        lenses.append(Lens("PINHOLE", tuple(map(float, params)), *size))
    w2c = np.asarray(result.load("w2c"), np.float64)[order]
    return _Shot(frames[order], w2c, tuple(lenses), place)


def _choose_lens(shot: _Shot, notes: list[str]) -> Lens:
    """Return the one lens that a clip can have."""
    focal = np.array([lens.K[0, 0] for lens in shot.lenses])
    middle = int(np.argsort(focal)[len(focal) // 2])
    if np.ptp(focal) > _SAME_FOCAL * focal[middle]:
        notes.append(
            f"The lens zooms from {focal.min():.0f} to {focal.max():.0f} px; Blender's tracker has "
            f"one focal length for a clip, {focal[middle]:.0f} px was set."
        )
    return shot.lenses[middle]


def _write_markers(context: Context, clip: MovieClip, shot: _Shot, tracks: Tracks) -> None:
    """Make one track for each point; where it is not seen between, it is switched off."""
    existing = clip.tracking.objects[0].tracks
    delete_tracks(context, clip, {t.name for t in existing if t.name.startswith(PREFIX)})
    frames = np.array([get_clip_frame(clip, int(frame)) for frame in shot.frames])
    place = shot.place[tracks.view]
    lens = shot.lenses[0]
    co = tracks.px / (lens.width, lens.height)
    co[:, 1] = 1 - co[:, 1]
    begin = np.flatnonzero(np.diff(tracks.track, prepend=-1))
    for first, last in zip(begin, [*begin[1:], len(co)], strict=True):
        name = f"{PREFIX}{int(tracks.track[first]):06d}"
        rows = first + np.argsort(place[first:last])
        track = existing.new(name=name, frame=int(frames[place[rows[0]]]))
        _fill_track(track, frames[place[rows]].tolist(), co[rows].tolist())


def _fill_track(track: MovieTrackingTrack, frames: list[int], co: list[list[float]]) -> None:
    markers = track.markers
    for frame, place in zip(frames, co, strict=True):
        markers.insert_frame(frame, co=place)
    following = [*frames[1:], None]
    for frame, after, place in zip(frames, following, co, strict=True):
        if after != frame + 1:  # Blender holds the last marker until one that is switched off
            markers.insert_frame(frame + 1, co=place).mute = True
