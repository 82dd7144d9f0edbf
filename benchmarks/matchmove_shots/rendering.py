# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders single pictures of a place with Workbench: colours, depth, and what moves.

Runs under the bpy wheel, with software OpenGL where there is no graphics card.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import bpy
import numpy as np
from courtyard.exr import read_exr
from mathutils import Matrix
from PIL import Image

from da3_blender.contract.cameras import to_blender_lens, to_blender_matrix

Array = np.ndarray
_SKY = (0.42, 0.62, 0.9)  # scene linear
_FAR = 200.0  # metres; beyond is sky


def set_up(scene: bpy.types.Scene) -> None:
    """Choose Workbench that shows the colours of vertices as they are, and one camera."""
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.use_compositing = scene.render.use_sequencer = False
    scene.render.image_settings.compression = 0
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.display.render_aa = "OFF"
    shading = scene.display.shading
    shading.light, shading.color_type = "FLAT", "VERTEX"
    shading.show_shadows = shading.show_cavity = False
    world = bpy.data.worlds.new("plain")
    world.color = _SKY
    scene.world = world
    data = bpy.data.cameras.new("camera")
    data.clip_start, data.clip_end = 0.1, _FAR
    scene.camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(scene.camera)


def aim_camera(scene: bpy.types.Scene, w2c: Array, K: Array, width: int, height: int) -> None:
    """Give the scene's camera a pose and a K in pixels of a picture of this size."""
    lens = to_blender_lens(K, width, height)
    data = scene.camera.data
    data.sensor_fit, data.sensor_width = "HORIZONTAL", lens.sensor_width_mm
    data.lens, data.shift_x, data.shift_y = lens.lens_mm, lens.shift_x, lens.shift_y
    scene.camera.matrix_world = Matrix(to_blender_matrix(w2c).tolist())
    render = scene.render
    render.resolution_x, render.resolution_y = width, height
    render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect_x, lens.pixel_aspect_y


def render_colours(scene: bpy.types.Scene) -> Array:
    """Render the scene's camera, one sample in the middle of each pixel; (H, W, 3) uint8 sRGB."""
    settings = scene.render.image_settings
    settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    scene.view_layers[0].use_pass_z = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.png"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))


def render_depth(scene: bpy.types.Scene) -> Array:
    """Render (H, W) float32 metres along the optical axis at the pixels' middles; 0 is sky."""
    settings = scene.render.image_settings
    settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"
    scene.view_layers[0].use_pass_z = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        passes = read_exr(path)
    depth = next(values for name, values in passes.items() if name.endswith("Depth.Z"))
    return np.where(depth < 0.99 * _FAR, depth, 0).astype(np.float32)


def render_moving(scene: bpy.types.Scene, thing: bpy.types.Object) -> Array:
    """Render where a thing is seen in front of everything else; (H, W) bool."""
    shading = scene.display.shading
    shading.color_type = "OBJECT"
    for each in scene.objects:
        each.color = (0, 0, 0, 1)
    thing.color = (1, 1, 1, 1)
    sky, scene.world.color = tuple(scene.world.color), (0, 0, 0)
    seen = render_colours(scene)[..., 0] > 127  # noqa: PLR2004 - half of 255
    shading.color_type, scene.world.color = "VERTEX", sky
    return seen
