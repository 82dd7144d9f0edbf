# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes: the choices in the panel, and results in which only some frames have depth."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.cameras import from_blender_matrix  # noqa: E402 - bpy first
from tests.addon.recording_layout import draw_panel  # noqa: E402
from tests.addon.results import SIZE, make_w2c, write_result  # noqa: E402

FRAMES = list(range(5, 15))
KEYS = [0, 4, 9]
GRID = (16, 12)


def write_keyframes(folder, keys=KEYS):
    """A sequence of ten frames, three of which have a depth map: walls at depth 4, 5 and 6."""
    depth = np.stack([np.full(GRID[::-1], 4 + n, np.float32) for n in range(len(keys))])
    grid = np.tile(np.diag([GRID[0] / SIZE[0], GRID[1] / SIZE[1], 1.0]), (len(keys), 1, 1))
    views = [
        {"name": f"shot_{n:04d}.png", "frame": n, "photo": f"photos/shot_{n:04d}.png"}
        for n in FRAMES
    ]
    write_result(
        folder,
        views,
        manifest={"source": {"kind": "sequence", "path": str(folder), "fps": 24.0}},
        w2c=make_w2c(len(FRAMES)),
        depth=depth,
        depth_confidence=np.ones_like(depth),
        grid_from_photo=grid,
        depth_view=np.array(keys, np.int32),
    )
    return folder


def test_every_frame_is_a_key_of_the_camera(scene, build, tmp_path):
    report = build(write_keyframes(tmp_path / "r"), show_photos=False)
    assert (report.cameras, report.frames) == (1, len(FRAMES))
    (camera,) = [ob for ob in bpy.data.objects if ob.type == "CAMERA"]
    for frame, expected in zip(FRAMES, make_w2c(len(FRAMES)), strict=True):
        scene.frame_set(frame)
        found = from_blender_matrix(np.array(camera.matrix_world))
        assert np.abs(found - expected).max() < 1e-5


def test_keyframes_have_surfaces_that_show_until_the_next_one(scene, build, tmp_path):
    report = build(
        write_keyframes(tmp_path / "r"),
        show_photos=False,
        make_mesh=True,
        mesh_step=1,
        mesh_drop_percent=0,
    )
    assert report.meshes == 3
    (surface,) = [ob for ob in bpy.data.objects if ob.get("da3_role") == "mesh"]
    for frame in FRAMES:
        scene.frame_set(frame)
        row = sum(frame >= FRAMES[key] for key in KEYS) - 1
        evaluated = surface.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        points = np.array([v.co for v in mesh.vertices], np.float64)
        evaluated.to_mesh_clear()
        # the map lies before the camera of its own frame
        world = points[:, [0, 2, 1]] * [1, -1, 1]
        w2c = make_w2c(len(FRAMES))[KEYS[row]]
        assert np.allclose(world @ w2c[2, :3] + w2c[2, 3], 4 + row, atol=1e-4)


@pytest.mark.parametrize("keys", [[0, 4, 10], [4, 0, 9], [-1, 0, 4]])
def test_maps_of_views_that_are_not_there_are_refused(scene, extension, build, tmp_path, keys):
    errors = extension("da3_blender.contract.errors")
    with pytest.raises(errors.EngineError) as caught:
        build(write_keyframes(tmp_path / "r", keys))
    assert caught.value.code is errors.ErrorCode.RESULT_BROKEN


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        ("OFF", set()),
        ("AUTO", {"keyframe_motion", "pose_between"}),
        ("COUNT", {"keyframe_count", "pose_between"}),
    ],
)
def test_the_panel_shows_what_belongs_to_the_choice(scene, extension, choice, shown):
    scene.da3.keyframes = choice
    props = set(draw_panel(extension("panels.sequence").DA3_PT_sequence).list_kind("prop"))
    assert "keyframes" in props
    assert props & {"keyframe_motion", "keyframe_count", "pose_between"} == shown
