# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's render settings while a flight is rendered: written down, changed, put back.

Runs in Blender. They stand in a custom property of the scene itself before anything is changed, so
they also come back after a crash, from a file that was saved in between.
"""

from __future__ import annotations

import json
import logging
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import bpy

from ..contract import names

if TYPE_CHECKING:
    from bpy.types import Object, Scene

_log = logging.getLogger(__name__)
# In the order in which they can be put back: what decides which others are allowed comes first.
_PLAIN: Final = (
    "frame_start", "frame_end", "frame_step",
    "render.resolution_x", "render.resolution_y", "render.resolution_percentage",
    "render.pixel_aspect_x", "render.pixel_aspect_y",
    "render.fps", "render.fps_base", "render.frame_map_old", "render.frame_map_new",
    "render.filepath", "render.use_file_extension", "render.use_overwrite",
    "render.use_sequencer", "render.use_border", "render.use_multiview", "render.save_output",
    "render.image_settings.media_type", "render.image_settings.file_format",
    "render.image_settings.color_mode", "render.image_settings.color_depth",
    "render.image_settings.color_management",
    "render.ffmpeg.format", "render.ffmpeg.codec", "render.ffmpeg.constant_rate_factor",
    "render.ffmpeg.custom_constant_rate_factor", "render.ffmpeg.ffmpeg_preset",
    # Blender fills these in when a video is chosen for the first time
    "render.ffmpeg.video_bitrate", "render.ffmpeg.minrate", "render.ffmpeg.maxrate",
    "render.ffmpeg.muxrate", "render.ffmpeg.buffersize", "render.ffmpeg.packetsize",
    "render.ffmpeg.max_b_frames", "render.ffmpeg.audio_bitrate",
    "render.ffmpeg.gopsize", "render.ffmpeg.use_max_b_frames", "render.ffmpeg.audio_codec",
    "render.ffmpeg.use_autosplit", "render.ffmpeg.use_lossless_output",
    "view_settings.view_transform", "view_settings.look", "view_settings.exposure",
    "view_settings.gamma", "view_settings.use_curve_mapping", "view_settings.use_white_balance",
    "render.film_transparent", "render.dither_intensity",
)  # fmt: skip


def write_down(scene: Scene, files: dict[str, str], objects: list[Object]) -> None:
    """Keep all settings that a render of a flight changes.

    Args:
        scene: will be rendered.
        files: where the video is written and where it goes, kept with the settings.
        objects: whose visibility in renders may be changed.
    """
    before = {
        "files": files,
        "plain": {path: _get(scene, path) for path in _PLAIN if _has(scene, path)},
        "camera": _name(scene.camera),
        "world": _name(scene.world),
        "frame": scene.frame_current,
        "markers": [[m.name, m.frame, _name(m.camera)] for m in scene.timeline_markers],
        "overrides": {layer.name: _name(layer.material_override) for layer in scene.view_layers},
        "hidden": {ob.name_full: ob.hide_render for ob in objects},
    }
    scene[names.PROP_RENDER_BEFORE] = json.dumps(before)


def is_changed(scene: Scene) -> bool:
    """Tell whether the settings of a scene wait to be put back."""
    return names.PROP_RENDER_BEFORE in scene


def put_back(scene: Scene) -> dict[str, str]:
    """Put all settings back; return the files that were kept with them."""
    before: dict[str, Any] = json.loads(scene[names.PROP_RENDER_BEFORE])
    for path, value in before["plain"].items():
        try:
            put(scene, path, value)
        except (TypeError, AttributeError):  # a value of another Blender version
            _log.warning("could not set %s to %r again", path, value)
    scene.camera = bpy.data.objects.get(before["camera"])
    scene.world = bpy.data.worlds.get(before["world"])
    cameras = {(name, frame): camera for name, frame, camera in before["markers"] if camera}
    for marker in scene.timeline_markers:
        camera = cameras.get((marker.name, marker.frame))
        if camera and marker.camera is None:
            marker.camera = bpy.data.objects.get(camera)
    for layer in scene.view_layers:
        if layer.name in before["overrides"]:
            layer.material_override = bpy.data.materials.get(before["overrides"][layer.name])
    for ob in scene.objects:
        if ob.name_full in before["hidden"]:
            ob.hide_render = before["hidden"][ob.name_full]
    del scene[names.PROP_RENDER_BEFORE]
    scene.frame_set(before["frame"])
    return before["files"]


def put(scene: Scene, path: str, value: Any) -> None:  # noqa: ANN401 - any RNA
    """Set a property of a scene by its path."""
    owner, _, name = path.rpartition(".")
    target = attrgetter(owner)(scene) if owner else scene
    if getattr(target, name) != value:
        setattr(target, name, value)


def _get(scene: Scene, path: str) -> Any:  # noqa: ANN401 - any RNA
    return attrgetter(path)(scene)


def _has(scene: Scene, path: str) -> bool:
    owner, _, name = path.rpartition(".")
    return hasattr(attrgetter(owner)(scene) if owner else scene, name)


def _name(block: bpy.types.ID | None) -> str:
    return "" if block is None else block.name_full
