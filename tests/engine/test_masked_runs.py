# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs with masks: what is masked has no depth, joins no chunks and makes no points.

The network has random weights: its depth means nothing, but it must be 0 where a mask says so.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.progress import Progress
from da3_blender.contract.result_folder import load_result
from da3_blender.contract.settings import RunSettings
from da3_blender.pipeline import create_pipeline
from tests.engine.test_pipeline_runs import make_checkpoint

FRAMES = 10
SIZE = (112, 84)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("weights") / "model.safetensors")


def run(folder, inputs, checkpoint, **changes):
    notes = []
    settings = RunSettings(
        inputs=(str(inputs),),
        output=str(folder / "out"),
        cameras="DA3",
        model="da3-small",
        checkpoint=str(checkpoint),
        process_resolution=84,
        drop_percent=0.0,
        edge_step=0.0,
        check_photos=False,
        **changes,
    )
    create_pipeline().run(settings, Progress(lambda *_: None, lambda: False, notes.append))
    return load_result(folder / "out"), notes


def draw(number):
    noise = np.random.default_rng(1).integers(0, 255, (6, 12, 3), dtype=np.uint8)
    wide = Image.fromarray(noise).resize((220, SIZE[1]), Image.Resampling.BICUBIC)
    return wide.crop((6 * number, 0, 6 * number + SIZE[0], SIZE[1]))


def check_left_quarter(result, views):
    """Only the left quarter of the views has no depth, but for the column that the border cuts."""
    depth = np.array(result.load("depth"))
    quarter = depth.shape[2] // 4
    for view in range(len(depth)):
        if view in views:
            assert (depth[view, :, :quarter] == 0).all()
        else:
            assert (depth[view, :, :quarter] > 0).any()
        assert (depth[view, :, quarter + 1 :] > 0).mean() > 0.9
    points, of_view = np.array(result.load("points")), np.array(result.load("point_view"))
    for view in views:
        w2c, K = result.load("w2c")[view], result.load("K")[view]
        local = points[of_view == view] @ w2c[:3, :3].T + w2c[:3, 3]
        # one lens for all frames moves the borders of those whose own lens was another
        assert ((local / local[:, 2:]) @ K.T)[:, 0].min() > 0.2 * SIZE[0]


def test_masks_of_a_long_sequence_act_in_every_chunk(tmp_path, checkpoint):
    shot, masks = tmp_path / "shot", tmp_path / "masks"
    shot.mkdir()
    masks.mkdir()
    shades = np.full((SIZE[1] // 2, SIZE[0] // 2), 255, np.uint8)  # of half the size
    shades[:, : SIZE[0] // 8] = 0
    for number in range(FRAMES):
        draw(number).save(shot / f"shot_{number + 1:04d}.png")
        if number % 3 == 0:
            Image.fromarray(shades).save(masks / f"roto.{number + 1:04d}.png")
    result, notes = run(
        tmp_path, shot, checkpoint, input_kind="SEQUENCE", chunk_frames=4, masks=str(masks)
    )
    assert any("chunks" in note for note in notes)
    assert any(note.startswith("6 photos or frames have no picture") for note in notes)
    check_left_quarter(result, {0, 3, 6, 9})


def test_transparent_parts_of_photos_make_no_points(tmp_path, checkpoint):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        picture = draw(number)
        if number == 1:
            opacity = Image.new("L", SIZE, 255)
            opacity.paste(0, (0, 0, SIZE[0] // 4, SIZE[1]))
            picture.putalpha(opacity)
        picture.save(photos / f"{number}.png")
    result, _ = run(tmp_path, photos, checkpoint, input_kind="PHOTOS")
    check_left_quarter(result, {1})
