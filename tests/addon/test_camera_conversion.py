# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras against real Blender: known points must land on the pixels that OpenCV says."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402 - bpy first
from mathutils import Vector  # noqa: E402

from da3_blender.contract.cameras import to_blender_points  # noqa: E402
from da3_blender.contract.projection import project  # noqa: E402
from tests.addon.results import make_K, make_w2c, write_result  # noqa: E402

# Floats of Blender are 32 bit: half a part in ten million of 1920 px, over a few operations.
TOLERANCE_PX = 0.01
CASES = {
    "landscape": (1920, 1080, {}),
    "portrait": (1080, 1920, {}),
    "off-centre": (1920, 1080, {"cx": 700.25, "cy": 810.5}),
    "fx > fy": (1920, 1080, {"fx": 2500.0, "fy": 1800.0, "cx": 1000.0, "cy": 500.0}),
    "fx < fy": (1920, 1280, {"fx": 1500.0, "fy": 2200.0, "cx": 900.0, "cy": 700.0}),
    "portrait, fx < fy, off-centre": (
        1080,
        1920,
        {"fx": 1400.0, "fy": 1700.0, "cx": 300.0, "cy": 1500.0},
    ),
    "tele": (1920, 1080, {"fx": 20000.0, "fy": 20000.0, "cx": 100.0, "cy": 1000.0}),
    "wide": (1920, 1080, {"fx": 600.0, "fy": 600.0}),
}


def place_points(K, w2c, width, height):
    """Return (M, 3) OpenCV world points that lie in the picture, at depths from 1 to 7."""
    rng = np.random.default_rng(1)
    pixels = np.column_stack([rng.uniform(0, width, 40), rng.uniform(0, height, 40), np.ones(40)])
    camera = (pixels @ np.linalg.inv(K).T) * rng.uniform(1, 7, (40, 1))
    return (camera - w2c[:3, 3]) @ w2c[:3, :3]


def project_in_blender(scene, camera, points, width, height):
    seen = [world_to_camera_view(scene, camera, Vector(p)) for p in to_blender_points(points)]
    return np.array([[x * width, (1 - y) * height] for x, y, _ in seen])


@pytest.mark.parametrize("case", CASES)
def test_built_cameras_project_like_opencv(scene, build, tmp_path, case):
    width, height, changes = CASES[case]
    w2c = make_w2c(3, turns=0.9)
    K = np.stack([make_K(width, height, **changes)] * 3)
    views = [{"width": width, "height": height} for _ in w2c]
    build(write_result(tmp_path / "r", views, w2c=w2c, K=K), show_photos=False)
    for index in range(3):
        camera = bpy.data.objects[f"{index:03d}.jpg"]
        bpy.ops.da3.look_through(camera=camera.name)
        points = place_points(K[index], w2c[index], width, height)
        expected, depth = project(points, K[index], w2c[index])
        assert (depth > 0).all()
        found = project_in_blender(scene, camera, points, width, height)
        assert np.abs(found - expected).max() < TOLERANCE_PX


def test_a_moved_root_moves_cameras_and_points_together(scene, build, tmp_path):
    w2c = make_w2c(2)
    build(write_result(tmp_path / "r", [{}, {}], w2c=w2c), show_photos=False)
    root, camera = bpy.data.objects["r"], bpy.data.objects["001.jpg"]
    before = project_in_blender(scene, camera, np.eye(3), 64, 48)
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.3, 0.2, 0.1), (2, 2, 2)
    bpy.context.view_layer.update()
    moved = [root.matrix_world @ Vector(p) for p in to_blender_points(np.eye(3))]
    seen = [world_to_camera_view(scene, camera, p) for p in moved]
    after = np.array([[x * 64, (1 - y) * 48] for x, y, _ in seen])
    assert np.abs(before - after).max() < TOLERANCE_PX


@pytest.mark.parametrize("case", ["off-centre", "portrait, fx < fy, off-centre"])
def test_rendered_spheres_lie_where_opencv_says(scene, build, tmp_path, case):
    """The renderer itself agrees, not only Blender's formula; noise of sampling is 0.1 px."""
    width, height, changes = CASES[case]
    width, height = width // 8, height // 8
    K = make_K(width, height, **{name: value / 8 for name, value in changes.items()})
    w2c = make_w2c(2)[1]
    rng = np.random.default_rng(3)
    grid = np.array([(0.2, 0.25), (0.8, 0.3), (0.5, 0.7), (0.15, 0.8)])
    pixels = np.column_stack([grid * (width, height), np.ones(4)])
    camera_points = (pixels @ np.linalg.inv(K).T) * rng.uniform(2, 5, (4, 1))
    points = (camera_points - w2c[:3, 3]) @ w2c[:3, :3]
    view = {"width": width, "height": height}
    folder = write_result(
        tmp_path / "r",
        [view],
        w2c=w2c[None],
        K=K[None],
        points=points.astype(np.float32),
        colours=np.full((4, 3), 255, np.uint8),
        confidence=np.ones(4, np.float32),
        point_view=np.zeros(4, np.int32),
    )
    build(folder, show_photos=False)
    picture = render_red(scene, tmp_path / "spheres.png")
    expected, _ = project(points, K, w2c)
    rows, columns = np.mgrid[:height, :width] + 0.5
    for x, y in expected:
        near = picture * ((columns - x) ** 2 + (rows - y) ** 2 < 12**2)
        centre = np.array([(near * columns).sum(), (near * rows).sum()]) / near.sum()
        assert np.abs(centre - (x, y)).max() < 0.1


def render_red(scene, path):
    """Give the points a few pixels of size, render by Cycles; return (H, W) red, top row first."""
    cloud = next(ob for ob in bpy.data.objects if ob.get("da3_role") == "points")
    group = cloud.modifiers[0].node_group
    for node in group.nodes:
        if node.bl_idname == "GeometryNodeMeshToPoints":
            group.links.remove(node.inputs["Radius"].links[0])
            node.inputs["Radius"].default_value = 0.05
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 64
    scene.cycles.use_denoising = False
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)[::-1, :, 0]
