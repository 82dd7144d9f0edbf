# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws what a reconstruction found: points over a photo, and all cameras from above.

Runs in a Python that has the bpy wheel and Pillow; the demo and the documentation use it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

HEIGHT = 640
SAMPLES = 32
DIMMED = 0.35
FRUSTUM = 0.16  # depth of a drawn camera, in shares of the distance to the scene
BACKGROUND = (24, 26, 31)


def find_ours(role: str) -> list[bpy.types.Object]:
    """Return the objects of a result by their role."""
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Cycles from writing a line per sample to the terminal."""
    sys.stdout.flush()
    terminal, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)
        os.close(nothing)


def _render(width: int, height: int) -> Image.Image:
    """Render the scene's camera with a transparent background."""
    scene = bpy.context.scene
    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    render.film_transparent = True
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    with tempfile.TemporaryDirectory() as folder:
        render.filepath = str(Path(folder) / "picture.png")
        with _quiet():
            bpy.ops.render.render(write_still=True)
        with Image.open(render.filepath) as picture:
            return picture.convert("RGBA")


def draw_over_photo(camera: bpy.types.Object) -> Image.Image:
    """Return the points as one camera sees them, over its dimmed photo."""
    bpy.context.scene.camera = camera
    width, height = (int(n) for n in camera["da3_size"])
    size = (round(HEIGHT * width / height), HEIGHT)
    points = _render(*size)
    picture = Image.new("RGB", size, BACKGROUND)
    image = camera.data.background_images[0].image
    if image.source == "FILE" and Path(bpy.path.abspath(image.filepath)).suffix.lower() in (
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
    ):
        with Image.open(bpy.path.abspath(image.filepath)) as photo:
            picture = photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    picture = Image.fromarray((np.asarray(picture) * DIMMED).astype(np.uint8))
    picture.paste(points, mask=points.getchannel("A"))
    return picture


def _make_material(name: str, image: bpy.types.Image | None) -> bpy.types.Material:
    """Make an unlit material: a photo, or light orange."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):  # 5.0 and later always have a tree
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    if image is None:
        emission.inputs["Color"].default_value = (1.0, 0.42, 0.08, 1)
    else:
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = image
        tree.links.new(texture.outputs["Color"], emission.inputs["Color"])
    return material


def _frustum_corners(camera: bpy.types.Object, depth: float) -> list[Vector]:
    """Return the four corners of a camera's frame at a depth, in world space."""
    width, height = camera["da3_size"]
    K = np.array(camera["da3_K"][:9]).reshape(3, 3)
    corners = []
    for x, y in ((0, height), (width, height), (width, 0), (0, 0)):  # like the texture's corners
        local = Vector(((x - K[0, 2]) / K[0, 0], -(y - K[1, 2]) / K[1, 1], -1)) * depth
        corners.append(camera.matrix_world @ local)
    return corners


def _draw_frustum(camera: bpy.types.Object, depth: float, edge: bpy.types.Material) -> None:
    corners = _frustum_corners(camera, depth)
    plane = bpy.data.meshes.new("frame")
    plane.from_pydata([tuple(c) for c in corners], [], [(0, 1, 2, 3)])
    plane.uv_layers.new()
    plane.uv_layers[0].data.foreach_set("uv", [0, 0, 1, 0, 1, 1, 0, 1])
    backgrounds = camera.data.background_images
    plane.materials.append(_make_material("frame", backgrounds[0].image if backgrounds else None))
    curve = bpy.data.curves.new("edges", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", depth * 0.012
    apex = camera.matrix_world.translation
    for line in (*((apex, c) for c in corners), [*corners, corners[0]]):
        spline = curve.splines.new("POLY")
        spline.points.add(len(line) - 1)
        for point, place in zip(spline.points, line, strict=True):
            point.co = (*place, 1)
    curve.materials.append(edge)
    for data in (plane, curve):
        bpy.context.scene.collection.objects.link(bpy.data.objects.new(data.name, data))


@contextmanager
def _kept_scene() -> Iterator[None]:
    """Remove afterwards every object that is made meanwhile."""
    before = set(bpy.data.objects)
    camera = bpy.context.scene.camera
    try:
        yield
    finally:
        for ob in set(bpy.data.objects) - before:
            bpy.data.objects.remove(ob)
        bpy.context.scene.camera = camera


def draw_from_above(cameras: list[bpy.types.Object]) -> Image.Image:
    """Return the scene and its cameras, with their photos in them, from behind and above."""
    centres = np.array([camera.matrix_world.translation for camera in cameras])
    cloud = find_ours("points")[0]
    positions = np.empty(len(cloud.data.attributes["position"].data) * 3, np.float32)
    cloud.data.attributes["position"].data.foreach_get("vector", positions)
    local = np.median(positions.reshape(-1, 3), axis=0)
    middle = np.array(cloud.matrix_world @ Vector(local.tolist()))
    distance = float(np.linalg.norm(centres - middle, axis=1).mean())
    away = centres.mean(0) - middle
    away[2] = 0
    away /= max(float(np.linalg.norm(away)), 1e-6)
    reach = distance + np.linalg.norm(centres - centres.mean(0), axis=1).max()
    eye = middle + away * reach * 1.05 + np.array([0, 0, 1.0]) * reach * 0.85
    with _kept_scene():
        edge = _make_material("edges", None)
        for camera in cameras:
            _draw_frustum(camera, distance * FRUSTUM, edge)
        data = bpy.data.cameras.new("above")
        data.lens = 32
        above = bpy.data.objects.new("above", data)
        bpy.context.scene.collection.objects.link(above)
        target = Vector((middle * 0.7 + centres.mean(0) * 0.3).tolist())
        turn = (target - Vector(eye.tolist())).to_track_quat("-Z", "Y")
        above.matrix_world = Matrix.LocRotScale(Vector(eye.tolist()), turn, None)
        bpy.context.scene.camera = above
        bpy.context.view_layer.update()
        shown = [c for camera in cameras for c in _frustum_corners(camera, distance * FRUSTUM)]
        shown += [camera.matrix_world.translation for camera in cameras]
        low, high = np.percentile(positions.reshape(-1, 3), [0.5, 99.5], axis=0)
        box = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
        shown += [cloud.matrix_world @ Vector(corner.tolist()) for corner in box]
        scene = bpy.context.scene
        scene.render.resolution_x, scene.render.resolution_y = round(HEIGHT * 1.3), HEIGHT
        depsgraph = bpy.context.evaluated_depsgraph_get()
        place, _ = above.camera_fit_coords(depsgraph, [x for corner in shown for x in corner])
        margin = above.matrix_world.to_3x3() @ Vector((0, 0, 1))
        above.location = place + margin * 0.2 * (place - target).length
        points = _render(round(HEIGHT * 1.3), HEIGHT)
    picture = Image.new("RGB", points.size, BACKGROUND)
    picture.paste(points, mask=points.getchannel("A"))
    return picture


def draw_overview(path: Path) -> None:
    """Write both pictures side by side."""
    cameras = sorted(find_ours("camera"), key=lambda camera: camera.name)
    left = draw_over_photo(cameras[len(cameras) // 2])
    right = draw_from_above(cameras)
    gap = 8
    sheet = Image.new("RGB", (left.width + gap + right.width, HEIGHT), (255, 255, 255))
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + gap, 0))
    sheet.save(path, optimize=True)
