# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a flight to an H.264 video with Blender's own animation render.

Runs in Blender. The user's settings are changed for the time of the render only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import bpy
import numpy as np

from ..contract import names
from ..contract.errors import EngineError, ErrorCode
from ..flights.camera_paths import CameraPath
from ..flights.timing import FRAMES_PER_SECOND
from .animation import find_channelbag
from .compat import use_video_output
from .flight_before import is_changed, put, put_back, write_down
from .flight_depth import gather_points, measure_distances
from .flight_depth_material import get_depth_material
from .flight_views import find_processed_size, read_path
from .lookup import list_parts
from .render_setup import match_render_to_camera

if TYPE_CHECKING:
    from bpy.types import Object, Scene

    from .flight_settings import FlightSettings

_PERCENTILES: Final = (1, 99)  # of all depths in a flight: white and black, as in the release
_MEASURED_FRAMES: Final = 24  # of a flight, for the ends of the grey scale
_STARTUP_SECONDS: Final = 0.5
_ROLES: Final = (names.ROLE_POINTS, names.ROLE_MESH, names.ROLE_SPLATS)


class _Quality(NamedTuple):
    """x264's rate factor, Blender's nearest step where it takes no number, and its preset."""

    factor: int
    step: str
    preset: str


# The release has 28 with veryfast, 23 with medium, 18 with slow. Blender's steps are 17, 20, 23,
# 26, 29, 32; its presets are superfast, medium and slower.
QUALITIES: Final = {
    "LOW": _Quality(28, "VERYLOW", "REALTIME"),
    "MEDIUM": _Quality(23, "MEDIUM", "GOOD"),
    "HIGH": _Quality(18, "PERC_LOSSLESS", "BEST"),
}


class _Outcome:
    """What the handlers of a render said; read on the main thread."""

    is_complete: bool = False
    has_frames: bool = False  # without any, the file is a header only


def choose_file(root: Object, settings: FlightSettings) -> Path:
    """Return the file that will be written; a name of ours never exists already."""
    if settings.filepath:
        path = Path(bpy.path.abspath(settings.filepath))
        return path if path.suffix.lower() == ".mp4" else path.with_name(f"{path.name}.mp4")
    saved = bpy.data.filepath
    folder = Path(saved).parent if saved else Path(bpy.app.tempdir)
    depth = " depth" if settings.content == "DEPTH" else ""
    return _find_free(folder / f"{bpy.path.clean_name(root.name)} flight{depth}.mp4")


def prepare(scene: Scene, root: Object, flight: Object, settings: FlightSettings) -> Path:
    """Write the user's settings down and set those of the video.

    Args:
        scene: will be rendered.
        root: of the reconstruction.
        flight: its camera.
        settings: the user's choices.

    Returns:
        The file that will be there when the render is complete.

    Raises:
        EngineError: INPUT_MISMATCH; the camera has no keys, or nothing has a depth.
            OUTPUT_UNWRITABLE; the folder takes no file.
    """
    first, last = find_range(flight)
    material = (
        _make_depth_material(root, flight, (first, last)) if settings.content == "DEPTH" else None
    )
    path = choose_file(root, settings)
    part = path.with_name(f"{path.stem}.part.mp4")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise EngineError(
            ErrorCode.OUTPUT_UNWRITABLE,
            f"The video {path} cannot be written ({error.strerror or error}).",
            "Choose another File for the video.",
        ) from error
    parts = [ob for role in _ROLES for ob in list_parts(root, role)]
    write_down(scene, {"part": str(part), "path": str(path)}, parts)
    _Outcome.is_complete = _Outcome.has_frames = False
    match_render_to_camera(scene, flight)
    width, height = _choose_size(root, flight, settings)
    for name, value in {
        "frame_start": first, "frame_end": last, "frame_step": 1,
        "render.resolution_x": width, "render.resolution_y": height,
        "render.fps": FRAMES_PER_SECOND, "render.fps_base": 1.0,
        "render.frame_map_old": 100, "render.frame_map_new": 100,
        "render.filepath": str(part), "render.use_file_extension": True,
        "render.use_overwrite": True, "render.use_sequencer": False,
        "render.use_border": False, "render.use_multiview": False,
    }.items():  # fmt: skip
        put(scene, name, value)
    use_video_output(scene)
    _set_codec(scene, settings.quality)
    for marker in scene.timeline_markers:
        marker.camera = None  # they would take the flight's place
    if material is not None:
        _show_depth(scene, root, material)
    return path


def find_range(flight: Object) -> tuple[int, int]:
    """Return the frames of the first and last key of a flight.

    Raises:
        EngineError: INPUT_MISMATCH; there are no keys.
    """
    bag = find_channelbag(flight)
    curves = [c for c in bag.fcurves if c.data_path == "location"] if bag is not None else []
    ranges = [c.range() for c in curves if len(c.keyframe_points)]
    if not ranges:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{flight.name} has no keys.",
            "Press Update Flight.",
        )
    return round(min(r[0] for r in ranges)), round(max(r[1] for r in ranges))


def wait_for_end() -> None:
    """Put the settings back as soon as the render that runs in the window has ended."""
    bpy.app.timers.register(_look, first_interval=_STARTUP_SECONDS, persistent=True)


def finish(scene: Scene) -> Path | None:
    """Put the settings back and give the video its name.

    What a render that was stopped has written is kept beside the wished name.

    Returns:
        The video, or None where there is none.
    """
    files = put_back(scene)
    part, path = Path(files["part"]), Path(files["path"])
    if not _Outcome.has_frames or not part.is_file():
        part.unlink(missing_ok=True)
        return None
    if not _Outcome.is_complete:
        path = _find_free(path.with_name(f"{path.stem} stopped.mp4"))
    part.replace(path)
    settings = getattr(scene, names.SCENE_SETTINGS).flight
    settings.last_video = str(path)
    return path


def is_complete() -> bool:
    """Tell whether the last render came to its end."""
    return _Outcome.is_complete


def _look() -> float | None:
    if bpy.app.is_job_running("RENDER"):
        return _STARTUP_SECONDS / 2
    for scene in bpy.data.scenes:
        if is_changed(scene):
            finish(scene)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    return None


def _find_free(path: Path) -> Path:
    number, free = 2, path
    while free.exists():
        free = path.with_name(f"{path.stem} {number}{path.suffix}")
        number += 1
    return free


def _choose_size(root: Object, flight: Object, settings: FlightSettings) -> tuple[int, int]:
    """Return the size of the video; H.264 with yuv420p needs even sides."""
    photo = int(flight[names.PROP_SIZE][0]), int(flight[names.PROP_SIZE][1])
    size = {
        "PHOTO": photo,
        "OWN": (settings.width, settings.height),
    }.get(settings.size) or find_processed_size(root, photo)
    width, height = (max(2, 2 * round(side / 2)) for side in size)
    return width, height


def _set_codec(scene: Scene, quality: str) -> None:
    chosen, ffmpeg = QUALITIES[quality], scene.render.ffmpeg
    ffmpeg.format, ffmpeg.codec = "MPEG4", "H264"
    ffmpeg.use_lossless_output = ffmpeg.use_autosplit = ffmpeg.use_max_b_frames = False
    if hasattr(ffmpeg, "custom_constant_rate_factor"):
        # 5.2 takes a number, 4.5 does not
        ffmpeg.constant_rate_factor = "CUSTOM"
        ffmpeg.custom_constant_rate_factor = chosen.factor
    else:
        ffmpeg.constant_rate_factor = chosen.step
    ffmpeg.ffmpeg_preset = chosen.preset
    ffmpeg.gopsize = FRAMES_PER_SECOND
    ffmpeg.audio_codec = "NONE"


def _make_depth_material(
    root: Object, flight: Object, frames: tuple[int, int]
) -> bpy.types.Material:
    """Make the material of a depth video, whose ends fit all of the flight."""
    solid = [ob for role in _ROLES[:2] for ob in list_parts(root, role)]
    if not solid:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{root.name} has no points or meshes, and splats alone have no depth.",
            "Turn Points on and press Rebuild.",
        )
    points = gather_points(root)
    numbers = np.unique(np.linspace(*frames, _MEASURED_FRAMES).round()).tolist()
    width, height = flight[names.PROP_SIZE]
    path = read_path(flight, root, numbers, (int(width), int(height)))
    found = [
        measure_distances(points, CameraPath(path.c2w[index:], path.K[index:]))
        for index in range(len(numbers))
    ]
    depths = np.concatenate(found)
    if not len(depths):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"No point of {root.name} lies before {flight.name}.",
            "Press Update Flight.",
        )
    near, far = np.percentile(depths, _PERCENTILES) * root.matrix_world.median_scale
    return get_depth_material(float(near), float(far))


def _show_depth(scene: Scene, root: Object, material: bpy.types.Material) -> None:
    for layer in scene.view_layers:
        layer.material_override = material
    scene.world = None
    for ob in list_parts(root, names.ROLE_SPLATS):
        ob.hide_render = True
    for ob in list_parts(root, names.ROLE_POINTS):
        ob.hide_render = False
    for name, value in {
        "view_settings.view_transform": "Raw", "view_settings.look": "None",
        "view_settings.exposure": 0.0, "view_settings.gamma": 1.0,
        "view_settings.use_curve_mapping": False, "render.film_transparent": False,
        "render.image_settings.color_management": "FOLLOW_SCENE",
    }.items():  # fmt: skip
        put(scene, name, value)


@bpy.app.handlers.persistent
def _on_complete(*_arguments: object) -> None:
    _Outcome.is_complete = True


@bpy.app.handlers.persistent
def _on_write(*_arguments: object) -> None:
    _Outcome.has_frames = True


@bpy.app.handlers.persistent
def _on_cancel(*_arguments: object) -> None:
    _Outcome.is_complete = False


@bpy.app.handlers.persistent
def _on_load(*_arguments: object) -> None:
    """A file that was saved while a flight was rendered."""
    for scene in bpy.data.scenes:
        if is_changed(scene):
            put_back(scene)


def register() -> None:
    """Follow renders of flights."""
    bpy.app.handlers.render_write.append(_on_write)
    bpy.app.handlers.render_complete.append(_on_complete)
    bpy.app.handlers.render_cancel.append(_on_cancel)
    bpy.app.handlers.load_post.append(_on_load)


def unregister() -> None:
    """Stop following them."""
    bpy.app.handlers.load_post.remove(_on_load)
    bpy.app.handlers.render_cancel.remove(_on_cancel)
    bpy.app.handlers.render_complete.remove(_on_complete)
    bpy.app.handlers.render_write.remove(_on_write)
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
