# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours in solid view: drawn off screen with the same shader, batches and projection."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.results import make_K, make_w2c, write_photos_result, write_result  # noqa: E402

COLOURS = np.array([[200, 30, 60], [18, 120, 240], [128, 128, 128], [250, 240, 10]], np.uint8)
WIDTH, HEIGHT = 80, 60
PIXELS = np.array([(20, 15), (60, 15), (20, 45), (60, 45)])


@pytest.fixture
def drawing(scene, extension):
    """Give the drawing module, with a GPU context."""
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 16
    camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    try:
        bpy.ops.render.render()  # in background mode this makes the context
    except (RuntimeError, SystemError) as error:
        pytest.skip(f"no software OpenGL here: {error}")
    bpy.data.cameras.remove(camera.data)
    module = extension("da3_blender.scene.point_drawing")
    module.forget_batches()
    yield module
    module.forget_batches()


def write_four_points(folder, confidence=(1, 1, 1, 1)):
    K, w2c = make_K(WIDTH, HEIGHT), make_w2c(1)
    camera = 4 * np.column_stack([PIXELS, np.ones(4)]) @ np.linalg.inv(K).T
    return write_result(
        folder,
        [{"width": WIDTH, "height": HEIGHT}],
        w2c=w2c,
        K=K[None],
        points=((camera - w2c[0, :3, 3]) @ w2c[0, :3, :3]).astype(np.float32),
        colours=COLOURS,
        confidence=np.array(confidence, np.float32),
        point_view=np.zeros(4, np.int32),
    )


def of_role_points():
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == "points"]


def draw(module, limit=1000):
    """Draw the scene's camera view; return (drawn points, (H, W, 3) sRGB bytes, top row first)."""
    import gpu

    camera = bpy.context.scene.camera
    graph = bpy.context.evaluated_depsgraph_get()
    projection = camera.calc_matrix_camera(graph, x=WIDTH, y=HEIGHT)
    screen = gpu.types.GPUOffScreen(WIDTH, HEIGHT, format="RGBA16F")
    with screen.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(0, 0, 0, 0), depth=1.0)
        gpu.state.viewport_set(0, 0, WIDTH, HEIGHT)
        view = camera.matrix_world.inverted()
        count = module.draw_clouds(of_role_points(), projection, view, limit)
        buffer = frame.read_color(0, 0, WIDTH, HEIGHT, 4, 0, "FLOAT")
        buffer.dimensions = WIDTH * HEIGHT * 4
    screen.free()
    drawn = np.array(buffer, np.float32).reshape(HEIGHT, WIDTH, 4)[::-1, :, :3]
    return count, np.rint(drawn ** (1 / 2.2) * 255)  # Blender shows overlays with this exponent


def measure_disc(picture):
    """Return the number of pixels that are not black in the first quarter."""
    return int((picture[: HEIGHT // 2, : WIDTH // 2].sum(-1) > 0).sum())


@pytest.mark.parametrize("display", ["MESH", "POINTCLOUD"])
def test_points_are_drawn_in_their_place_with_their_colour(drawing, build, tmp_path, display):
    build(write_four_points(tmp_path / "r"), show_photos=False, point_display=display)
    count, picture = draw(drawing)
    assert count == 4
    for (x, y), colour in zip(PIXELS, COLOURS, strict=True):
        patch = picture[y - 1 : y + 1, x - 1 : x + 1].reshape(-1, 3)
        assert np.abs(patch - colour).max() <= 1
    assert (picture.sum(-1) > 0).sum() == 16


def test_discs_are_as_large_as_the_modifier_says(drawing, build, extension, tmp_path):
    compat = extension("da3_blender.scene.compat")
    build(write_four_points(tmp_path / "r"), show_photos=False)
    (cloud,) = of_role_points()
    radius = 0.4
    compat.set_modifier_input(cloud.modifiers[0], "Radius", radius)
    _, picture = draw(drawing)
    radius_px = 1.2 * WIDTH * radius / 4
    assert measure_disc(picture) == pytest.approx(np.pi * radius_px**2, rel=0.05)
    cloud.parent.scale = (0.5, 0.5, 0.5)
    cloud.parent.location = bpy.context.scene.camera.matrix_world.translation * 0.5
    camera = bpy.context.scene.camera
    matrix = camera.matrix_world.copy()
    camera.parent = None
    camera.matrix_world = matrix
    bpy.context.view_layer.update()
    _, picture = draw(drawing)
    # Half as large at half the distance.
    assert measure_disc(picture) == pytest.approx(np.pi * radius_px**2, rel=0.05)


def test_unsure_points_are_not_drawn(drawing, build, extension, tmp_path):
    compat = extension("da3_blender.scene.compat")
    folder = write_four_points(tmp_path / "r", confidence=(1, 2, 3, 4))
    build(folder, show_photos=False)
    compat.set_modifier_input(of_role_points()[0].modifiers[0], "Min Confidence", 2.5)
    _, picture = draw(drawing)
    shown = [picture[y, x].sum() > 0 for x, y in PIXELS]
    assert shown == [False, False, True, True]


def test_the_budget_is_shared(drawing, build, tmp_path):
    build(write_photos_result(tmp_path / "a"))
    build(write_photos_result(tmp_path / "b"))
    assert draw(drawing, limit=1000)[0] == 1000
    assert draw(drawing, limit=300)[0] == 300
    assert drawing.count_batches() == 2


def test_changed_points_are_drawn_anew(drawing, build, tmp_path):
    build(write_four_points(tmp_path / "r"), show_photos=False)
    _, before = draw(drawing)
    (cloud,) = of_role_points()
    for entry in cloud.data.attributes["Col"].data:
        entry.color_srgb = (0, 1, 0, 1)
    cloud.data.update()
    bpy.context.view_layer.update()
    _, after = draw(drawing)
    x, y = PIXELS[0]
    assert before[y, x].tolist() == COLOURS[0].tolist()
    assert after[y, x].tolist() == [0, 255, 0]


def test_buffers_of_removed_clouds_are_dropped(drawing, build, tmp_path):
    build(write_four_points(tmp_path / "r"), show_photos=False)
    draw(drawing)
    assert drawing.count_batches() == 1
    bpy.data.objects.remove(of_role_points()[0])
    drawing.forget_unused()
    assert drawing.count_batches() == 0
    build(write_four_points(tmp_path / "s"), show_photos=False)
    draw(drawing)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert drawing.count_batches() == 0


def test_a_cloud_without_colours_is_white(drawing, build, tmp_path):
    build(write_four_points(tmp_path / "r"), show_photos=False)
    (cloud,) = of_role_points()
    cloud.data.attributes.remove(cloud.data.attributes["Col"])
    _, picture = draw(drawing)
    x, y = PIXELS[0]
    assert picture[y, x].tolist() == [255, 255, 255]
