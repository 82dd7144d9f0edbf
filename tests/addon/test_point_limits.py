# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that act at once: views that agree, and what moves only at its own frame."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.result_folder import load_result  # noqa: E402 - bpy first
from tests.addon.results import write_result  # noqa: E402

VIEWS = 4
COUNT = 80


@pytest.fixture
def cloud(extension, scene, tmp_path):
    """Build 80 points, 20 of each frame 10, 12, 14 and 16; every fifth moves."""
    moving = np.arange(COUNT) % 5 == 0
    frames = [{"frame": 10 + 2 * view, "name": f"{view}.jpg"} for view in range(VIEWS)]
    folder = write_result(
        tmp_path / "shot",
        frames,
        count=COUNT,
        point_view_count=np.repeat([1, 2, 3, 4], 20).astype(np.uint16),
        point_moving=moving,
        manifest={"source": {"kind": "sequence", "path": "", "fps": 24.0}},
    )
    options = extension("da3_blender.scene.build_options").BuildOptions()
    extension("da3_blender.scene.builder").build_scene(bpy.context, load_result(folder), options)
    return next(ob for ob in bpy.data.objects if ob.get("da3_role") == "points")


@pytest.fixture
def set_input(extension, cloud):
    compat = extension("da3_blender.scene.compat")

    def change(name, value):
        compat.set_modifier_input(cloud.modifiers[0], name, value)
        cloud.update_tag()
        bpy.context.view_layer.update()

    return change


def count_shown(ob):
    """Return how many points the modifier lets through."""
    graph = bpy.context.evaluated_depsgraph_get()
    geometry = ob.evaluated_get(graph).evaluated_geometry()
    return 0 if geometry.pointcloud is None else len(geometry.pointcloud.points)


def test_points_carry_their_votes(cloud):
    values = np.empty(COUNT, np.int32)
    cloud.data.attributes["views"].data.foreach_get("value", values)
    assert values.tolist() == np.repeat([1, 2, 3, 4], 20).tolist()
    cloud.data.attributes["frame_end"].data.foreach_get("value", values)
    assert sorted(set(values.tolist())) == [12, 14, 16, 17]


def test_what_moves_is_hidden_until_it_is_wanted(cloud, set_input):
    assert count_shown(cloud) == 64
    set_input("Show Moving", value=True)
    set_input("Moving at Its Frame", value=False)
    assert count_shown(cloud) == COUNT


def test_what_moves_shows_at_its_frame(cloud, set_input):
    set_input("Show Moving", value=True)
    of_view = np.arange(COUNT) % VIEWS
    for frame, view in ((10, 0), (11, 0), (12, 1), (16, 3), (17, None)):
        bpy.context.scene.frame_set(frame)
        here = 0 if view is None else int((of_view[::5] == view).sum())
        assert count_shown(cloud) == 64 + here


def test_points_of_few_views_are_hidden(cloud, set_input):
    set_input("Fewest Views", 3)
    assert count_shown(cloud) == 32
    set_input("Min Confidence", 2.9)
    assert count_shown(cloud) < 32


@pytest.mark.parametrize("frame", [None, 10, 13, 16])
def test_the_solid_view_draws_what_the_modifier_shows(extension, cloud, set_input, frame):
    drawing = extension("da3_blender.scene.point_drawing")
    set_input("Fewest Views", 2)
    set_input("Show Moving", frame is not None)
    bpy.context.scene.frame_set(frame or 10)
    shown = drawing.choose_shown(cloud.data, drawing.Limits(2, frame is not None, frame))
    assert shown.sum() == count_shown(cloud)
    assert len(drawing.read_cloud(cloud.data, 1000, shown)[0]) == shown.sum()


def test_older_results_have_no_limits_on_votes(extension, scene, tmp_path):
    folder = write_result(tmp_path / "old", [{}, {}], count=50)
    options = extension("da3_blender.scene.build_options").BuildOptions(min_views=3)
    extension("da3_blender.scene.builder").build_scene(bpy.context, load_result(folder), options)
    old = next(ob for ob in bpy.data.objects if ob.get("da3_role") == "points")
    assert count_shown(old) == 50
