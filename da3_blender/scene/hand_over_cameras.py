# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cameras of a reconstruction as they stand in the scene now, frame by frame.

Runs in Blender.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ..contract import names
from ..contract.camera_file import CameraFile, CameraView
from ..contract.cameras import (
    BlenderLens,
    from_blender_lens,
    from_blender_matrix,
    to_blender_lens,
)
from ..contract.errors import EngineError, ErrorCode
from ..contract.rotations import find_nearest_rotation
from .camera_objects import is_animated_camera
from .lookup import list_cameras

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpy.types import Camera, Context, Object, Scene
    from numpy.typing import NDArray


def sample_cameras(context: Context, root: Object) -> CameraFile:
    """Read matrices and lenses as Blender evaluates them: root, constraints and keys included.

    Args:
        context: of the scene; its frame changes and comes back.
        root: of the reconstruction.

    Returns:
        One view per frame from the first to the last picture of a moving camera, those between
        pictures included and without a name; else one view per camera, at the present frame. The
        world is Blender's, in OpenCV's axes (`from_blender_points`). Lenses are pinholes.

    Raises:
        EngineError: INPUT_EMPTY; there are no cameras.
    """
    cameras = list_cameras(root)
    if not cameras:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"{root.name} has no cameras to hand over.",
            "Rebuild it with cameras.",
        )
    scene = context.scene
    fps = scene.render.fps / scene.render.fps_base
    if not is_animated_camera(cameras[0]):
        samples = [_sample(context, ob) for ob in cameras]
        views = tuple(
            CameraView(str(ob[names.PROP_IMAGE]), _read_frame(ob), *_read_size(ob))
            for ob in cameras
        )
        return _collect(views, samples, 0.0)
    ob = cameras[0]
    known = [int(frame) for frame in ob[names.PROP_FRAME]]
    frames = range(min(known), max(known) + 1)
    samples = []
    with kept_frame(scene):
        for frame in frames:
            scene.frame_set(frame)
            samples.append(_sample(context, ob))
    views = tuple(CameraView("", frame, *_read_size(ob)) for frame in frames)
    return _collect(views, samples, fps)


def list_picture_frames(root: Object) -> set[int] | None:
    """Return the frames of a moving camera that have a picture; None for cameras of photos."""
    cameras = list_cameras(root)
    if not cameras or not is_animated_camera(cameras[0]):
        return None
    return {int(frame) for frame in cameras[0][names.PROP_FRAME]}


@contextmanager
def kept_frame(scene: Scene) -> Generator[None]:
    """Put the scene back to its frame at the end."""
    frame, part = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=part)


def _collect(
    views: tuple[CameraView, ...],
    samples: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    fps: float,
) -> CameraFile:
    return CameraFile(
        views,
        np.stack([w2c for w2c, _ in samples]),
        np.stack([K for _, K in samples]),
        (),
        fps,
    )


def _sample(context: Context, ob: Object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return w2c (4, 4) and K (3, 3) at the present frame."""
    evaluated = ob.evaluated_get(context.evaluated_depsgraph_get())
    matrix = np.array(evaluated.matrix_world, np.float64)
    # the scale of the root moves a camera, but a camera itself has none
    matrix[:3, :3] = find_nearest_rotation(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0))
    return from_blender_matrix(matrix), _read_intrinsics(evaluated.data, ob)


def _read_intrinsics(camera: Camera, ob: Object) -> NDArray[np.float64]:
    """Return K in pixels of the camera's picture, whatever side the sensor is fitted to."""
    width, height = _read_size(ob)
    known = np.array(ob[names.PROP_K][:9], np.float64).reshape(3, 3)
    own = to_blender_lens(known, width, height)
    aspect = own.pixel_aspect_y / own.pixel_aspect_x
    is_high = camera.sensor_fit == "VERTICAL" or (
        camera.sensor_fit == "AUTO" and height * aspect > width
    )
    side = height * aspect if is_high else width  # Blender counts lens and shifts in this side
    sensor = camera.sensor_height if camera.sensor_fit == "VERTICAL" else camera.sensor_width
    factor = side / width
    lens = BlenderLens(
        camera.lens * factor,
        sensor,
        camera.shift_x * factor,
        camera.shift_y * factor,
        own.pixel_aspect_x,
        own.pixel_aspect_y,
    )
    return from_blender_lens(lens, width, height)


def _read_size(ob: Object) -> tuple[int, int]:
    width, height = ob[names.PROP_SIZE]
    return int(width), int(height)


def _read_frame(ob: Object) -> int | None:
    frame = ob.get(names.PROP_FRAME)
    return None if frame is None else int(frame)
