# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of Gaussians to look at, cameras around it, and pictures of it by every way."""

import time

import bpy
import numpy as np
from mathutils import Matrix

from da3_blender.contract.cameras import to_blender_lens, to_blender_matrix
from da3_blender.splats.cloud import GaussianCloud
from da3_blender.splats.harmonics import colour_to_coefficient

WIDTH, HEIGHT = 160, 120
K = np.array([[170.0, 0, WIDTH / 2], [0, 170.0, HEIGHT / 2], [0, 0, 1]])
EYES = ((0, 0, -4), (3, -1, -2), (-2.5, 1.5, 2.2), (0.4, -3.6, 0.6), (3.2, 0.8, 2.0))


def make_shell(count=800, degree=3, seed=3):
    """Give a wavy shell of flat Gaussians whose colours change with place and side."""
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(count, 3))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    positions = d * (1 + 0.15 * np.sin(6 * d[:, :1]) * np.cos(5 * d[:, 1:2])) * (1.4, 0.9, 1.0)
    scales = np.exp(rng.uniform(-3.2, -1.7, (count, 3)))
    scales[:, 2] *= 0.15
    harmonics = rng.uniform(-0.12, 0.12, (count, 3, (degree + 1) ** 2))
    harmonics[:, :, 0] = colour_to_coefficient(0.5 + 0.45 * np.sin(3 * positions + (0, 2, 4)))
    return GaussianCloud(
        positions.astype(np.float32),
        scales.astype(np.float32),
        rng.normal(size=(count, 4)).astype(np.float32),
        rng.uniform(0.15, 0.98, count).astype(np.float32),
        harmonics.astype(np.float32),
    )


def look_from(eye, target=(0, 0, 0)):
    """Give the world-to-camera of an eye that looks at the middle, OpenCV."""
    forward = np.subtract(target, eye) / np.linalg.norm(np.subtract(target, eye))
    right = np.cross(forward, (0, -1, 0))
    right /= np.linalg.norm(right)
    w2c = np.eye(4)
    w2c[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    w2c[:3, 3] = -w2c[:3, :3] @ eye
    return w2c


def add_camera(scene):
    """Add a camera of K and the size of the picture."""
    camera = bpy.data.objects.new("eye", bpy.data.cameras.new("eye"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    lens = to_blender_lens(K, WIDTH, HEIGHT)
    camera.data.sensor_fit = "HORIZONTAL"
    camera.data.sensor_width, camera.data.lens = lens.sensor_width_mm, lens.lens_mm
    camera.data.shift_x, camera.data.shift_y = lens.shift_x, lens.shift_y
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    return camera


def place(camera, w2c):
    """Put a camera where w2c says."""
    camera.matrix_world = Matrix(to_blender_matrix(w2c).tolist())
    bpy.context.view_layer.update()


def set_up_render(scene, engine, samples):
    """Choose engine and samples, and pictures without any colour transform."""
    scene.render.engine = engine
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Raw"
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth = "OPEN_EXR", "32"
    settings.color_mode = "RGBA"
    if engine == "CYCLES":
        scene.cycles.device, scene.cycles.samples = "CPU", samples
        scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    else:
        scene.eevee.taa_render_samples = samples


def render_picture(scene, path):
    """Render; return ((H, W, 4) premultiplied, seconds)."""
    scene.render.filepath = str(path)
    start = time.monotonic()
    bpy.ops.render.render(write_still=True)
    spent = time.monotonic() - start
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(WIDTH * HEIGHT * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(HEIGHT, WIDTH, 4)[::-1].astype(float), spent


def make_gpu_context(scene):
    """Render something small with Workbench: in background mode this makes the context."""
    camera = scene.camera
    scene.render.engine = "BLENDER_WORKBENCH"
    hidden = [ob for ob in scene.objects if not ob.hide_render]
    for ob in hidden:
        ob.hide_render = True
    if camera is None:
        scene.camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
        scene.collection.objects.link(scene.camera)
    bpy.ops.render.render()
    if camera is None:
        bpy.data.cameras.remove(scene.camera.data)
    for ob in hidden:
        ob.hide_render = False


def draw_picture(draw, camera):
    """Draw off screen; draw(projection, view) -> count. Return (count, (H, W, 4))."""
    import gpu

    graph = bpy.context.evaluated_depsgraph_get()
    projection = camera.calc_matrix_camera(graph, x=WIDTH, y=HEIGHT)
    screen = gpu.types.GPUOffScreen(WIDTH, HEIGHT, format="RGBA16F")
    with screen.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(0, 0, 0, 0), depth=1.0)
        gpu.state.viewport_set(0, 0, WIDTH, HEIGHT)
        count = draw(projection, camera.matrix_world.inverted())
        buffer = frame.read_color(0, 0, WIDTH, HEIGHT, 4, 0, "FLOAT")
        buffer.dimensions = WIDTH * HEIGHT * 4
    screen.free()
    return count, np.array(buffer, np.float32).reshape(HEIGHT, WIDTH, 4)[::-1].astype(float)
