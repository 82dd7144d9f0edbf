# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that one has, for a run: of the scene as it is evaluated, or of a solved movie clip.

Runs in Blender. The file's world is Blender's world in OpenCV axes, so that the result of the run
stands among these cameras as long as its root is not moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import bpy
import numpy as np
from mathutils import Matrix

from ..contract import names
from ..contract.camera_file import CameraFile, CameraView
from ..contract.cameras import (
    BlenderLens,
    from_blender_lens,
    from_blender_matrix,
    to_blender_lens,
)
from ..contract.errors import EngineError, ErrorCode
from .clip_frames import find_numbered_name, get_source_number
from .clip_lens import has_solution, read_clip_lens

if TYPE_CHECKING:
    from bpy.types import Camera, Context, MovieClip, Object, Scene
    from numpy.typing import NDArray

_MOVES: Final = 1e-6
_MOVING: Final = ("SEQUENCE", "MOVIE")


class Picture(NamedTuple):
    """The picture that a camera is for.

    Attributes:
        width: pixels.
        height: pixels.
        aspect_x: of a pixel.
        aspect_y: of a pixel.
    """

    width: int
    height: int
    aspect_x: float
    aspect_y: float


class _Shot(NamedTuple):
    """One camera at one frame."""

    matrix: Matrix
    K: NDArray[np.float64]
    picture: Picture


def read_scene_cameras(context: Context, cameras: list[Object]) -> CameraFile:
    """Read cameras as Blender evaluates them: parents, constraints, keys of place and lens.

    A single camera that moves, or has a moving picture behind it, gives one view for each frame
    of the scene's range; several cameras give one view each.

    Raises:
        EngineError: INPUT_MISMATCH; one is no perspective camera, or several move.
    """
    scene = context.scene
    now, part = scene.frame_current, scene.frame_subframe
    moving = [ob for ob in cameras if _is_moving(context, ob)]
    if moving and len(cameras) > 1:
        scene.frame_set(now, subframe=part)
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{moving[0].name} moves, and {len(cameras)} cameras are selected.",
            "Select one moving camera, or several that stand still.",
        )
    views: list[CameraView] = []
    shots: list[_Shot] = []
    try:
        if moving or (len(cameras) == 1 and _has_moving_picture(cameras[0])):
            for frame in range(scene.frame_start, scene.frame_end + 1):
                scene.frame_set(frame)
                shots.append(_read_shot(context, cameras[0]))
                picture = shots[-1].picture
                views.append(CameraView("", frame, picture.width, picture.height))
        else:
            bound = {m.camera: m.frame for m in scene.timeline_markers if m.camera is not None}
            for ob in cameras:
                shots.append(_read_shot(context, ob))
                picture = shots[-1].picture
                frame = bound.get(ob)
                views.append(CameraView(_name_still(ob), frame, picture.width, picture.height))
    finally:
        scene.frame_set(now, subframe=part)
    return CameraFile(
        tuple(views),
        from_blender_matrix(np.array([shot.matrix for shot in shots], np.float64)),
        np.stack([shot.K for shot in shots]),
        fps=scene.render.fps / scene.render.fps_base if len(views) > 1 else 0.0,
    )


def read_clip_cameras(context: Context, clip: MovieClip) -> tuple[CameraFile, str]:
    """Read the solved camera of a movie clip, with its lens.

    The world is that of the scene's camera that a Camera Solver constraint moves by this clip, if
    there is one; else the clip's own.

    Returns:
        The cameras, and a sentence where something of the lens had to be left out.

    Raises:
        EngineError: CAMERAS_NOT_FOUND; the clip is not solved. INPUT_MISMATCH; lens model.
    """
    if not has_solution(clip):
        raise EngineError(
            ErrorCode.CAMERAS_NOT_FOUND,
            f"The camera of the clip {clip.name} is not solved.",
            "Track and solve it in the Clip editor first.",
        )
    lens, note = read_clip_lens(clip)
    solved = clip.tracking.objects[0].reconstruction.cameras
    world = _find_clip_world(context.scene, clip)
    matrices = [_drop_scale(world @ camera.matrix) for camera in solved]
    views = tuple(
        CameraView(
            find_numbered_name(clip, camera.frame),
            get_source_number(clip, camera.frame),
            lens.width,
            lens.height,
            0,
        )
        for camera in solved
    )
    return (
        CameraFile(
            views,
            from_blender_matrix(np.array(matrices, np.float64)),
            np.tile(lens.K, (len(views), 1, 1)),
            (lens,),
            float(clip.fps),
        ),
        note,
    )


def read_intrinsics(camera: Camera, picture: Picture) -> NDArray[np.float64]:
    """Return (3, 3) K of a perspective camera, pixels of its picture, whatever its sensor fit.

    Source: Blender, camera.cc, BKE_camera_params_compute_viewplane.
    """
    aspect = picture.aspect_y / picture.aspect_x
    across, down = float(picture.width), picture.height * aspect
    fit = camera.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if across >= down else "VERTICAL"
        sensor = camera.sensor_width
    else:
        sensor = camera.sensor_width if fit == "HORIZONTAL" else camera.sensor_height
    side = across if fit == "HORIZONTAL" else down  # pixels of the width that the sensor covers
    lens = BlenderLens(
        camera.lens,
        sensor * across / side,
        camera.shift_x * side / across,
        camera.shift_y * side / across,
        picture.aspect_x,
        picture.aspect_y,
    )
    return from_blender_lens(lens, picture.width, picture.height)


def _read_shot(context: Context, ob: Object) -> _Shot:
    evaluated = ob.evaluated_get(context.evaluated_depsgraph_get())
    if evaluated.data.type != "PERSP":
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"{ob.name} is not a perspective camera.",
            "Set its type to Perspective, or select another camera.",
        )
    picture = _find_picture(context.scene, ob)
    K = read_intrinsics(evaluated.data, picture)
    return _Shot(_drop_scale(evaluated.matrix_world), K, picture)


def _find_picture(scene: Scene, ob: Object) -> Picture:
    """Return the photo of a camera of ours, else what the scene renders."""
    size, numbers = ob.get(names.PROP_SIZE), ob.get(names.PROP_K)
    if size is not None and numbers is not None:
        K = np.array(numbers[:9], np.float64).reshape(3, 3)
        lens = to_blender_lens(K, int(size[0]), int(size[1]))
        return Picture(int(size[0]), int(size[1]), lens.pixel_aspect_x, lens.pixel_aspect_y)
    render = scene.render
    share = render.resolution_percentage / 100
    return Picture(
        max(1, int(render.resolution_x * share)),
        max(1, int(render.resolution_y * share)),
        render.pixel_aspect_x,
        render.pixel_aspect_y,
    )


def _is_moving(context: Context, ob: Object) -> bool:
    """Tell whether pose or lens differ at the frames of the scene: first, middle, last, between."""
    scene = context.scene
    first, last = scene.frame_start, scene.frame_end
    seen = []
    for frame in sorted({int(f) for f in np.linspace(first, last, 9)}):
        scene.frame_set(frame)
        evaluated = ob.evaluated_get(context.evaluated_depsgraph_get())
        lens = evaluated.data
        numbers = [*evaluated.matrix_world.to_translation(), *evaluated.matrix_world.to_3x3()[0]]
        numbers += [*evaluated.matrix_world.to_3x3()[1], lens.lens, lens.shift_x, lens.shift_y]
        seen.append(numbers)
    return bool(np.ptp(np.array(seen, np.float64), axis=0).max() > _MOVES)


def _has_moving_picture(ob: Object) -> bool:
    return any(
        (b.image is not None and b.image.source in _MOVING) or b.clip is not None
        for b in ob.data.background_images
    )


def _name_still(ob: Object) -> str:
    """Return the name of the photo that a camera is for: of its picture, else its own."""
    if names.PROP_IMAGE in ob:
        return str(ob[names.PROP_IMAGE])
    for background in ob.data.background_images:
        if background.image is not None and background.image.filepath:
            return Path(bpy.path.abspath(background.image.filepath)).name
    return ob.name


def _find_clip_world(scene: Scene, clip: MovieClip) -> Matrix:
    """Return where the clip's own frame is: the place of the object that its solution moves."""
    for ob in scene.objects:
        for constraint in ob.constraints:
            if constraint.type != "CAMERA_SOLVER" or constraint.mute:
                continue
            used = scene.active_clip if constraint.use_active_clip else constraint.clip
            if used == clip:
                above = Matrix.Identity(4) if ob.parent is None else ob.parent.matrix_world
                return above @ ob.matrix_parent_inverse @ ob.matrix_basis
    return Matrix.Identity(4)


def _drop_scale(matrix: Matrix) -> Matrix:
    location, rotation, _ = matrix.decompose()
    return Matrix.LocRotScale(location, rotation, None)
