# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own tracker and camera solver on a shot, without a hand that helps.

Runs under the bpy wheel, in its own process: `python -m benchmarks.matchmove_shots.blender_tracks
SHOT_FOLDER FOCAL_PX OUT.npz [--tripod]`. The tracking operators work without a window in front of
anybody, on an area that is switched to the clip editor.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from PIL import Image

from da3_blender.contract.cameras import from_blender_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = np.ndarray
LOG = logging.getLogger("blender_tracks")
_THRESHOLD = 0.01  # of features, low: the more the better
_APART = 100  # pixels between features of a picture 1280 wide
_PATTERN, _SEARCH = 21, 71  # pixels
_FEWEST_FRAMES = 8  # of a track that counts
_DETECT_AT = (0.0, 0.5, 1.0)  # share of the shot
_WORST_PX = 2.0  # mean error of a track that is still trusted, and at least this
_ROUNDS = 3


class Tracker:
    """A clip in a clip editor.

    Args:
        frames: pictures in order.
    """

    def __init__(self, frames: Sequence[Path]) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=False)
        self.clip = bpy.data.movieclips.load(str(frames[0]))
        self.scene = bpy.context.scene
        self.scene.frame_start, self.scene.frame_end = 1, len(frames)
        window = bpy.context.window_manager.windows[0]
        area = max(window.screen.areas, key=lambda each: each.width * each.height)
        area.type = "CLIP_EDITOR"
        area.spaces.active.clip = self.clip
        area.spaces.active.mode = "TRACKING"
        region = next(each for each in area.regions if each.type == "WINDOW")
        self._place = {
            "window": window,
            "screen": window.screen,
            "area": area,
            "region": region,
            "space_data": area.spaces.active,
            "scene": self.scene,
        }

    def run(self, operator: Callable[..., set[str]], **options: object) -> bool:
        """Run an operator there; tell whether it did something."""
        with bpy.context.temp_override(**self._place):
            return operator.poll() and operator(**options) == {"FINISHED"}

    @property
    def tracks(self) -> bpy.types.MovieTrackingTracks:
        """All tracks."""
        return self.clip.tracking.tracks

    def delete(self, wrong: Sequence[str]) -> None:
        """Delete tracks by name."""
        for track in self.tracks:
            track.select = track.name in wrong
        if wrong:
            self.run(bpy.ops.clip.delete_track)


def track_features(tracker: Tracker, masks: Path | None) -> int:
    """Detect features in some frames and follow them both ways; return how many are left."""
    settings = tracker.clip.tracking.settings
    settings.default_motion_model = "Loc"
    settings.default_pattern_size, settings.default_search_size = _PATTERN, _SEARCH
    settings.default_correlation_min = 0.85
    last = tracker.scene.frame_end
    apart = max(8, round(_APART * max(tracker.clip.size) / 1280))
    for share in _DETECT_AT:
        frame = 1 + round(share * (last - 1))
        tracker.scene.frame_set(frame)
        for track in tracker.tracks:
            track.select = False
        known = {track.name for track in tracker.tracks}
        tracker.run(
            bpy.ops.clip.detect_features, threshold=_THRESHOLD, min_distance=apart, margin=16
        )
        new = {track.name for track in tracker.tracks} - known
        for is_backwards in (False, True):
            tracker.scene.frame_set(frame)
            for track in tracker.tracks:
                track.select = track.name in new
            tracker.run(bpy.ops.clip.track_markers, backwards=is_backwards, sequence=True)
    wrong = [track.name for track in tracker.tracks if _count_markers(track) < _FEWEST_FRAMES]
    if masks is not None:
        wrong += _find_masked(tracker, masks)
    tracker.delete(wrong)
    return len(tracker.tracks)


def _count_markers(track: bpy.types.MovieTrackingTrack) -> int:
    return sum(not marker.mute for marker in track.markers)


def _find_masked(tracker: Tracker, masks: Path) -> list[str]:
    """Return names of tracks that ever touch a black part of the masks."""
    pictures = [np.array(Image.open(path).convert("L")) for path in sorted(masks.glob("*.png"))]
    wrong = []
    for track in tracker.tracks:
        for marker in track.markers:
            if marker.mute or not 1 <= marker.frame <= len(pictures):
                continue
            picture = pictures[marker.frame - 1]
            height, width = picture.shape
            column = int(np.clip(marker.co[0] * width, 0, width - 1))
            row = int(np.clip((1 - marker.co[1]) * height, 0, height - 1))
            if picture[row, column] < 128:  # noqa: PLR2004 - half of 256
                wrong.append(track.name)
                break
    return wrong


def solve(tracker: Tracker, focal_px: float, *, is_tripod: bool) -> str:
    """Solve with a focal length to begin with; drop bad tracks and solve again."""
    tracking = tracker.clip.tracking
    camera, settings = tracking.camera, tracking.settings
    width, height = tracker.clip.size
    camera.sensor_width, camera.pixel_aspect = 36.0, 1.0
    camera.units = "PIXELS"
    camera.distortion_model = "POLYNOMIAL"
    camera.principal_point_pixels = width / 2, height / 2
    settings.use_tripod_solver = is_tripod
    settings.use_keyframe_selection = not is_tripod
    settings.refine_intrinsics_focal_length = True
    settings.refine_intrinsics_radial_distortion = True
    note = ""
    for number in range(_ROUNDS):
        camera.focal_length_pixels = focal_px
        camera.k1 = camera.k2 = camera.k3 = 0.0
        trouble = _solve_once(tracker)
        LOG.info("round %d: %s", number + 1, trouble or "solved")
        reconstruction = tracking.reconstruction
        if not reconstruction.is_valid:
            return f"Blender's solver fails: {trouble}"
        note = f"{len(tracker.tracks)} tracks, Blender says {reconstruction.average_error:.2f} px"
        if number == _ROUNDS - 1:
            break
        errors = {track.name: track.average_error for track in tracker.tracks if track.has_bundle}
        limit = max(_WORST_PX, 3 * float(np.median(list(errors.values()) or [0.0])))
        tracker.delete([name for name, error in errors.items() if error > limit])
    return note


def _solve_once(tracker: Tracker) -> str:
    """Solve; where no two keyframes are found, try first and middle. Return what went wrong."""
    settings = tracker.clip.tracking.settings
    try:
        tracker.run(bpy.ops.clip.solve_camera)
    except RuntimeError as error:  # Blender's report, such as that there are no good keyframes
        if not settings.use_keyframe_selection:
            return str(error).strip()
        settings.use_keyframe_selection = False
        one = tracker.clip.tracking.objects[0]
        one.keyframe_a, one.keyframe_b = 1, tracker.scene.frame_end // 2
        return _solve_once(tracker)
    return ""


def read_cameras(tracker: Tracker, frames: int) -> dict[str, Array]:
    """Return w2c (F, 4, 4), NaN where a frame is lost, and focal length, k1 and k2 in pixels."""
    w2c = np.full((frames, 4, 4), np.nan)
    for camera in tracker.clip.tracking.reconstruction.cameras:
        if 1 <= camera.frame <= frames:
            w2c[camera.frame - 1] = from_blender_matrix(np.array(camera.matrix))
    lens = tracker.clip.tracking.camera
    return {"w2c": w2c, "lens": np.array([lens.focal_length_pixels, lens.k1, lens.k2])}


def main() -> None:
    """Track, solve, write."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shot", type=Path)
    parser.add_argument("focal_px", type=float)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tripod", action="store_true")
    arguments = parser.parse_args()
    frames = sorted((arguments.shot / "frames").glob("*.png"))
    masks = arguments.shot / "masks"
    began = time.perf_counter()
    tracker = Tracker(frames)
    tracked = track_features(tracker, masks if masks.is_dir() else None)
    LOG.info("%d tracks after %.0f s", tracked, time.perf_counter() - began)
    note = solve(tracker, arguments.focal_px, is_tripod=arguments.tripod)
    found = read_cameras(tracker, len(frames))
    seconds = time.perf_counter() - began
    np.savez(arguments.out, seconds=seconds, note=f"{tracked} tracks found; {note}", **found)


if __name__ == "__main__":
    main()
