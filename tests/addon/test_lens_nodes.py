# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ST-maps in the compositor: what they say is what a render shows."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

WIDTH, HEIGHT = 64, 48
SHIFT = 8  # pixels to the right that the map looks


def save_exr(path, pixels):
    """Write (H, W, 4) float32, the first row below, as 32-bit EXR."""
    image = bpy.data.images.new("map", WIDTH, HEIGHT, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0 and later
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR", "32"
    settings.exr_codec = "ZIP"
    image.save_render(str(path), scene=bpy.context.scene)
    bpy.data.images.remove(image)


def make_map(shift):
    x = (np.arange(WIDTH) + 0.5 + shift) / WIDTH
    y = (np.arange(HEIGHT) + 0.5) / HEIGHT
    s, t = np.meshgrid(x, y)
    return np.stack([s, t, np.zeros_like(s), np.ones_like(s)], axis=-1)


@pytest.fixture
def add(extension, scene):
    scene.view_settings.view_transform = "Raw"
    module = extension("da3_blender.scene.lens_nodes")
    errors = extension("da3_blender.contract.errors")
    return module.add_lens_nodes, errors.EngineError


def test_a_render_through_the_map_shows_what_the_map_says(add, scene, extension, tmp_path):
    add_lens_nodes, _ = add
    save_exr(tmp_path / "redistort.exr", make_map(SHIFT))
    ramp = np.zeros((HEIGHT, WIDTH, 4))
    ramp[..., 0] = (np.arange(WIDTH) + 0.5) / WIDTH
    ramp[..., 1] = ((np.arange(HEIGHT) + 0.5) / HEIGHT)[:, None]
    ramp[..., 3] = 1
    save_exr(tmp_path / "ramp.exr", ramp)
    (node,) = add_lens_nodes(scene, tmp_path)
    compat = extension("da3_blender.scene.compat")
    tree = compat.find_compositor_tree(scene)
    picture = tree.nodes.new("CompositorNodeImage")
    picture.image = bpy.data.images.load(str(tmp_path / "ramp.exr"))
    picture.image.colorspace_settings.name = "Non-Color"
    output = next(
        n for n in tree.nodes if n.bl_idname in ("NodeGroupOutput", "CompositorNodeComposite")
    )
    tree.links.new(picture.outputs[0], node.inputs[0])
    tree.links.new(node.outputs[0], output.inputs[0])
    camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.render.use_compositing = True
    scene.render.filepath = str(tmp_path / "out.exr")
    bpy.ops.render.render(write_still=True)
    found = bpy.data.images.load(str(tmp_path / "out.exr"))
    found.colorspace_settings.name = "Non-Color"
    pixels = np.empty(WIDTH * HEIGHT * 4, np.float32)
    found.pixels.foreach_get(pixels)
    pixels = pixels.reshape(HEIGHT, WIDTH, 4)
    inside = np.s_[4:-4, 4 : WIDTH - SHIFT - 4]
    expected = ramp[:, SHIFT:, :2][inside[0], 4 : WIDTH - SHIFT - 4]
    # a twentieth of a pixel
    assert np.abs(pixels[inside][..., :2] - expected).max() < 0.05 / HEIGHT


def test_both_maps_make_one_group_each_and_again_the_same(add, scene, tmp_path):
    add_lens_nodes, _ = add
    save_exr(tmp_path / "undistort.exr", make_map(0))
    save_exr(tmp_path / "redistort.exr", make_map(1))
    first = [node.name for node in add_lens_nodes(scene, tmp_path)]
    groups = len(bpy.data.node_groups)
    assert first == ["DA3 Undistort", "DA3 Redistort"]
    assert [node.name for node in add_lens_nodes(scene, tmp_path)] == first
    assert len(bpy.data.node_groups) == groups


def test_a_folder_without_maps_is_refused_with_a_remedy(add, scene, tmp_path):
    add_lens_nodes, refused = add
    with pytest.raises(refused) as caught:
        add_lens_nodes(scene, tmp_path)
    assert "Export ST-Maps" in caught.value.hint
