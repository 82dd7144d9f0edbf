# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has found so far, drawn in the 3D views: points and cameras, no objects.

Runs in Blender. Nothing of it is saved or undone; it ends with the run.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ..contract.cameras import to_blender_matrix, to_blender_points
from .point_shader import make_constants, make_point_batch, make_point_shader

if TYPE_CHECKING:
    from pathlib import Path

    from bpy.types import Context
    from numpy.typing import NDArray

_CAMERA_SHARE: Final = 0.03  # size of a drawn camera, of the size of what was found
_COLOUR: Final = (1.0, 0.55, 0.1, 1.0)
_POINT_PX: Final = 3.0


@dataclass(frozen=True)
class Preview:
    """Arrays of one preview, in Blender's world.

    points: (M, 3) float32; colours: (M, 4) uint8 sRGB; lines: (L, 2, 3) float32, the edges of
    the cameras; centre and size: of everything.
    """

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]
    lines: NDArray[np.float32]
    centre: tuple[float, float, float]
    size: float


@dataclass
class _Shown:
    """What is drawn, and its buffers."""

    preview: Preview | None = None
    point_shader: Any = None
    batches: list[Any] = field(default_factory=list)
    handler: Any = None


_shown: Final = _Shown()


def read_preview(path: Path) -> Preview | None:
    """Read the file of a preview; None if it is gone or being replaced."""
    try:
        with np.load(path) as arrays:
            w2c, K = arrays["w2c"], arrays["K"]
            points, colours = arrays["points"], arrays["colours"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    places = to_blender_points(points)
    poses = to_blender_matrix(w2c)
    corners = poses[:, :3, 3]
    if len(places):
        corners = np.concatenate([corners, np.percentile(places, [5, 95], axis=0)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = float(np.linalg.norm(high - low)) or 1.0
    rgba = np.full((len(colours), 4), 255, np.uint8)
    rgba[:, :3] = colours
    x, y, z = ((low + high) / 2).tolist()
    return Preview(
        np.ascontiguousarray(places, np.float32),
        rgba,
        _outline_cameras(poses, K, _CAMERA_SHARE * size),
        (x, y, z),
        size,
    )


def _outline_cameras(
    poses: NDArray[np.floating], K: NDArray[np.floating], length: float
) -> NDArray[np.float32]:
    """Return (L, 2, 3) float32, eight edges of a pyramid for each camera."""
    lines = []
    for pose, k in zip(poses, K, strict=True):
        half_x, half_y = k[0, 2] / k[0, 0] * length, k[1, 2] / k[1, 1] * length
        corners = np.array(
            [[x, y, -length, 1] for x, y in ((-half_x, -half_y), (half_x, -half_y),
                                             (half_x, half_y), (-half_x, half_y))]
        )  # fmt: skip
        tips = (corners @ pose.T)[:, :3]
        eye = pose[:3, 3]
        lines += [(eye, tip) for tip in tips]
        lines += [(tips[n], tips[(n + 1) % 4]) for n in range(4)]
    return np.array(lines, np.float32).reshape(-1, 2, 3)


def show_preview(preview: Preview | None) -> None:
    """Draw this from now on; None draws nothing."""
    _shown.preview = preview
    _shown.batches.clear()


def get_preview() -> Preview | None:
    """Return what is drawn."""
    return _shown.preview


def draw_preview(context: Context) -> int:
    """Draw into the 3D view that is being drawn; return the number of points."""
    preview = _shown.preview
    if preview is None:
        return 0
    if not _shown.batches:
        _upload(preview)
    region = context.region_data
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(True)  # noqa: FBT003 - C function
    points, lines = _shown.batches
    if points is not None:
        shader = _shown.point_shader
        shader.bind()
        shader.uniform_float("clip_from_object", region.window_matrix @ region.view_matrix)
        height_px = gpu.state.viewport_get()[3]
        constants = make_constants(region.window_matrix, height_px, 0.0, -1e30, _POINT_PX)
        for name, value in constants.items():
            shader.uniform_float(name, value)
        gpu.state.program_point_size_set(True)  # noqa: FBT003
        points.draw(shader)
        gpu.state.program_point_size_set(False)  # noqa: FBT003
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", _COLOUR)
    lines.draw(shader)
    gpu.state.depth_mask_set(False)  # noqa: FBT003
    gpu.state.depth_test_set("NONE")
    return len(preview.points)


def _upload(preview: Preview) -> None:
    if _shown.point_shader is None:
        _shown.point_shader = make_point_shader()
    points = None
    if len(preview.points):
        sure = np.zeros(len(preview.points), np.float32)
        points = make_point_batch(preview.points, preview.colours, sure)
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    lines = batch_for_shader(shader, "LINES", {"pos": preview.lines.reshape(-1, 3)})
    _shown.batches[:] = [points, lines]


def _draw() -> None:
    draw_preview(bpy.context)


def register() -> None:
    """Begin to draw, as soon as there is something."""
    _shown.handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    """Stop drawing and drop everything on the GPU."""
    bpy.types.SpaceView3D.draw_handler_remove(_shown.handler, "WINDOW")
    _shown.handler = None
    _shown.point_shader = None
    show_preview(None)
