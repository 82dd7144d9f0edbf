# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rendered point has the colour of the photo, in every engine that shows it."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.results import make_K, make_w2c, write_result  # noqa: E402 - bpy first

COLOURS = np.array([[200, 30, 60], [18, 120, 240], [128, 128, 128], [250, 240, 10]], np.uint8)
WIDTH, HEIGHT = 80, 60


def write_four_points(folder):
    """Write a result whose four points are large discs, one in each quarter of the picture."""
    K, w2c = make_K(WIDTH, HEIGHT), make_w2c(1)
    pixels = np.array([(20, 15, 1), (60, 15, 1), (20, 45, 1), (60, 45, 1)], np.float64)
    camera = 4 * pixels @ np.linalg.inv(K).T
    return write_result(
        folder,
        [{"width": WIDTH, "height": HEIGHT}],
        w2c=w2c,
        K=K[None],
        points=((camera - w2c[0, :3, 3]) @ w2c[0, :3, :3]).astype(np.float32),
        colours=COLOURS,
        confidence=np.ones(4, np.float32),
        point_view=np.zeros(4, np.int32),
    )


@pytest.mark.parametrize("display", ["MESH", "POINTCLOUD"])
@pytest.mark.parametrize("engine", ["CYCLES", "EEVEE"])
def test_rendered_colours_are_the_photos(scene, build, extension, tmp_path, engine, display):
    compat = extension("da3_blender.scene.compat")
    build(write_four_points(tmp_path / "r"), show_photos=False, point_display=display)
    cloud = next(ob for ob in bpy.data.objects if ob.get("da3_role") == "points")
    compat.set_modifier_input(cloud.modifiers[0], "Radius", 0.3)
    assert scene.view_settings.view_transform == "Standard"
    scene.render.engine = compat.get_eevee_engine() if engine == "EEVEE" else engine
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.eevee.taa_render_samples = 4
    scene.render.dither_intensity = 0
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "picture.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(4 * WIDTH * HEIGHT, np.float32)
    image.pixels.foreach_get(pixels)
    picture = np.rint(pixels.reshape(HEIGHT, WIDTH, 4)[::-1] * 255)
    found = picture[[15, 15, 45, 45], [20, 60, 20, 60], :3]
    assert np.abs(found - COLOURS).max() <= 2
