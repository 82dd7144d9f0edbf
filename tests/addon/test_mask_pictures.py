# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mask of the Mask editor becomes the masks of a run."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")


def make_mask(corners):
    mask = bpy.data.masks.new("walker")
    spline = mask.layers.new(name="outline").splines.new()
    spline.points.add(len(corners) - 1)
    spline.use_cyclic = True
    for point, corner in zip(spline.points, corners, strict=True):
        point.co, point.handle_type = corner, "VECTOR"
    return mask


def read_grey(path):
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(4 * width * height, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1, :, 0]  # first row on top


def test_a_mask_is_written_and_taken(scene, extension, tmp_path):
    make_mask([(0.25, 0.25), (0.75, 0.25), (0.75, 0.5), (0.25, 0.5)])
    scene.render.resolution_x, scene.render.resolution_y = 320, 160
    scene.da3.output_folder = str(tmp_path / "über uns")
    scenes, groups, current = len(bpy.data.scenes), len(bpy.data.node_groups), scene.frame_current
    assert bpy.ops.da3.write_mask(mask="walker", frame_start=3, frame_end=5) == {"FINISHED"}
    folder = Path(scene.da3.masks)
    assert folder == tmp_path / "über uns" / "masks" / "walker"
    files = sorted(path.name for path in folder.iterdir())
    assert files == [f"mask_{frame:06d}.png" for frame in (3, 4, 5)]
    assert scene.da3.masks_inverted  # what is inside is left out
    grey = read_grey(folder / files[0])
    # masks lie in the square around the plate: x 0.25 to 0.75 of 320, y up from the middle
    inside = np.zeros((160, 320), bool)
    inside[160 - (160 - 80) : 160 - (80 - 80), 80:240] = True
    assert grey.shape == inside.shape
    assert np.mean((grey > 0.5) == inside) > 0.99
    # nothing of the drawing is left, and the user's scene is as it was
    assert (len(bpy.data.scenes), len(bpy.data.node_groups)) == (scenes, groups)
    assert scene.frame_current == current


def test_without_a_mask_the_button_says_why(scene, extension):
    assert not bpy.data.masks
    assert not bpy.ops.da3.write_mask.poll()


def test_a_folder_that_cannot_be_made_is_a_sentence(scene, extension, tmp_path):
    make_mask([(0.2, 0.2), (0.6, 0.2), (0.6, 0.7)])
    (tmp_path / "file").write_text("", encoding="utf-8")
    scene.da3.output_folder = str(tmp_path / "file")
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.da3.write_mask(mask="walker", frame_start=1, frame_end=1)
    assert not scene.da3.masks
