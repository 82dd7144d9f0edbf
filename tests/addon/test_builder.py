# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a results folder to objects: counts, names, numbers, undo and failure."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from tests.addon.results import (  # noqa: E402 - bpy first
    SIZE,
    make_colours,
    make_K,
    make_points,
    make_w2c,
    write_photo,
    write_photos_result,
    write_result,
)


def of_role(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def count_ids():
    kinds = ("objects", "collections", "cameras", "meshes", "pointclouds", "images")
    kinds += ("actions", "materials", "node_groups")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def test_photos_become_cameras_points_and_a_root(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "house")
    report = build(folder)
    assert (report.cameras, report.frames, report.points, report.photos) == (4, 4, 500, 4)
    (root,) = of_role("root")
    assert root.name == "house"
    assert root["da3_result"] == str(folder)
    assert [c.name for c in scene.collection.children] == ["house"]
    cameras, (cloud,) = of_role("camera"), of_role("points")
    assert {ob.name for ob in cameras} == {"000.jpg", "001.jpg", "002.jpg", "003.jpg"}
    assert all(ob.parent == root for ob in [*cameras, cloud])
    assert all(ob.users_collection[0].name == "house" for ob in [root, *cameras, cloud])
    assert scene.camera.name == "000.jpg"
    assert (scene.render.resolution_x, scene.render.resolution_y) == SIZE
    assert bpy.context.view_layer.objects.active == root


def test_cameras_carry_what_scripts_need(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    build(folder)
    for index, w2c in enumerate(make_w2c(4)):
        ob = bpy.data.objects[f"{index:03d}.jpg"]
        assert ob["da3_image"] == f"{index:03d}.jpg"
        assert list(ob["da3_w2c"]) == w2c.ravel().tolist()
        assert list(ob["da3_K"]) == make_K(*SIZE).ravel().tolist()
        assert list(ob["da3_size"]) == list(SIZE)
        (background,) = ob.data.background_images
        assert bpy.path.abspath(background.image.filepath) == str(
            folder / "photos" / f"{index:03d}.jpg"
        )
        assert (background.frame_method, background.display_depth) == ("STRETCH", "BACK")
        assert ob.data.show_background_images


def test_points_keep_every_byte_and_every_number(scene, build, tmp_path):
    build(write_photos_result(tmp_path / "r", count=4))
    (cloud,) = of_role("points")
    attributes = cloud.data.attributes
    stored = np.empty(4 * 500, np.float32)
    attributes["Col"].data.foreach_get("color_srgb", stored)
    stored = stored.reshape(-1, 4)
    assert attributes["Col"].data_type == "BYTE_COLOR"
    assert (np.rint(stored[:, :3] * 255).astype(np.uint8) == make_colours(500)).all()
    positions = np.empty(3 * 500, np.float32)
    attributes["position"].data.foreach_get("vector", positions)
    x, y, z = make_points(500).T
    assert (positions.reshape(-1, 3) == np.stack([x, z, -y], axis=1)).all()
    confidence = np.empty(500, np.float32)
    attributes["confidence"].data.foreach_get("value", confidence)
    assert (confidence == np.linspace(1, 3, 500, dtype=np.float32)).all()
    view = np.empty(500, np.int32)
    attributes["view"].data.foreach_get("value", view)
    assert (view == np.arange(500) % 4).all()


@pytest.mark.parametrize("display", ["MESH", "POINTCLOUD"])
def test_the_modifier_makes_points_and_hides_the_unsure(scene, build, tmp_path, extension, display):
    compat = extension("da3_blender.scene.compat")
    build(write_photos_result(tmp_path / "r"), point_display=display, point_size=2.0)
    (cloud,) = of_role("points")
    assert cloud.type == display
    (modifier,) = cloud.modifiers

    def evaluate():
        cloud.update_tag()
        bpy.context.view_layer.update()
        graph = bpy.context.evaluated_depsgraph_get()
        return cloud.evaluated_get(graph).evaluated_geometry()

    shown = evaluate()
    assert len(shown.pointcloud.points) == 500
    assert shown.mesh is None or len(shown.mesh.vertices) == 0
    radius = compat.get_modifier_input(modifier, "Radius", None)
    assert shown.pointcloud.points[0].radius == pytest.approx(radius)
    compat.set_modifier_input(modifier, "Radius", 0.25)
    compat.set_modifier_input(modifier, "Min Confidence", 2.0)
    shown = evaluate()
    assert len(shown.pointcloud.points) == 250
    assert shown.pointcloud.points[0].radius == 0.25
    assert shown.pointcloud.materials[0].name == "DA3 Points"


def test_a_second_build_adds_and_shares(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    build(folder)
    second = build(folder, update=False)
    assert second.collection == "r.001"
    assert len(of_role("root")) == 2
    assert len(bpy.data.materials) == len(bpy.data.node_groups) == 1
    assert len(bpy.data.images) == 4


def test_an_older_recipe_is_kept_beside_the_new_one(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    build(folder)
    old_material, old_nodes = bpy.data.materials[0], bpy.data.node_groups[0]
    old_material["da3_version"] = old_nodes["da3_version"] = 0
    build(folder, update=False)
    assert (old_material.name, old_nodes.name) == ("DA3 Points (recipe 0)",) * 2
    assert bpy.data.materials["DA3 Points"] is not None
    assert of_role("points")[1].modifiers[0].node_group == bpy.data.node_groups["DA3 Points"]


def test_mixed_sizes_are_kept_per_camera(scene, build, tmp_path):
    views = [{"width": 64, "height": 48}, {"width": 48, "height": 64}]
    report = build(write_result(tmp_path / "r", views), show_photos=False)
    assert any("2 sizes" in note for note in report.notes)
    bpy.ops.da3.look_through(camera="001.jpg")
    assert (scene.render.resolution_x, scene.render.resolution_y) == (48, 64)
    assert scene.camera.name == "001.jpg"


def test_missing_photos_are_told(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    (folder / "photos" / "002.jpg").unlink()
    report = build(folder)
    assert report.photos == 3
    assert any("1 cameras have no photo" in note and "002.jpg" in note for note in report.notes)


def test_a_result_without_points_still_has_cameras(scene, build, tmp_path):
    nothing = {"points": None, "colours": None, "confidence": None, "point_view": None}
    report = build(write_result(tmp_path / "r", [{}, {}], **nothing), show_photos=False)
    assert (report.cameras, report.points) == (2, 0)
    assert of_role("points") == []


def test_points_that_are_nowhere_are_left_out(scene, build, tmp_path):
    points = make_points(500)
    points[3, 1] = np.nan
    report = build(write_result(tmp_path / "r", [{}], points=points), show_photos=False)
    assert report.points == 499
    assert any("1 of 500 points" in note for note in report.notes)


def test_one_undo_removes_everything(scene, extension, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    bpy.ops.ed.undo_push(message="Before")
    before = count_ids()
    size = (scene.render.resolution_x, scene.render.resolution_y)
    assert bpy.ops.da3.build_scene("EXEC_DEFAULT", True, folder=str(folder)) == {"FINISHED"}  # noqa: FBT003
    assert len(of_role("camera")) == 4
    bpy.ops.ed.undo()
    assert count_ids() == before
    render = bpy.context.scene.render
    assert (render.resolution_x, render.resolution_y) == size
    assert bpy.context.scene.camera is None
    bpy.ops.ed.redo()
    assert len(of_role("camera")) == 4


@pytest.mark.parametrize("part", ["make_points", "_set_up_scene", "_select_only"])
def test_a_failure_leaves_the_scene_as_it_was(scene, build, extension, tmp_path, monkeypatch, part):
    folder = write_photos_result(tmp_path / "r")
    cube = bpy.data.objects.new("mine", bpy.data.meshes.new("mine"))
    scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    cube.select_set(True)  # noqa: FBT003
    before, size = count_ids(), (scene.render.resolution_x, scene.render.resolution_y)
    builder = extension("da3_blender.scene.builder")
    original = getattr(builder, part)

    def run_out_of_memory(*arguments):
        original(*arguments)
        raise MemoryError

    monkeypatch.setattr(builder, part, run_out_of_memory)
    errors = extension("da3_blender.contract.errors")
    with pytest.raises(errors.EngineError, match="not enough memory for 500 points"):
        build(folder)
    assert count_ids() == before
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    assert scene.view_settings.view_transform == "AgX"
    assert scene.camera is None
    assert bpy.context.view_layer.objects.active == cube
    assert cube.select_get()


BROKEN = {
    "no folder": (lambda _folder: None, "manifest.json is missing"),
    "K too short": (
        lambda folder: write_result(folder, [{}, {}], K=np.eye(3)[None]),
        "K has shape",
    ),
    "camera not finite": (
        lambda folder: write_result(folder, [{}], w2c=np.full((1, 4, 4), np.nan)),
        "not finite",
    ),
    "no focal length": (
        lambda folder: write_result(folder, [{}], K=np.zeros((1, 3, 3))),
        "focal length is not positive",
    ),
    "colours too short": (
        lambda folder: write_result(folder, [{}], colours=np.zeros((3, 3), np.uint8)),
        "colours has shape",
    ),
    "no views": (lambda folder: write_result(folder, [{}], manifest={"views": []}), "no cameras"),
    "view without size": (
        lambda folder: write_result(folder, [{}], manifest={"views": [{"name": "a"}]}),
        "view 0 of the manifest",
    ),
    "view is a number": (
        lambda folder: write_result(folder, [{}], manifest={"views": [7]}),
        "view 0 of the manifest",
    ),
    "no source": (lambda folder: write_result(folder, [{}], manifest={"source": 1}), "no source"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_results_are_refused_with_a_sentence(scene, extension, tmp_path, case):
    write, words = BROKEN[case]
    write(tmp_path / "r")
    before = count_ids()
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.da3.build_scene(folder=str(tmp_path / "r"))
    assert count_ids() == before
    notice = bpy.context.window_manager.da3
    assert words in notice.message
    assert notice.code == "result_broken"


def test_a_million_points(scene, build, tmp_path):
    report = build(write_result(tmp_path / "big", [{}], count=1_000_000), show_photos=False)
    (cloud,) = of_role("points")
    assert report.points == len(cloud.data.vertices) == 1_000_000


def test_photo_paths_are_relative_in_a_saved_file(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    build(folder)
    assert {image.filepath for image in bpy.data.images} == {
        f"//r/photos/{index:03d}.jpg" for index in range(4)
    }


def test_standard_view_only_where_nothing_else_changes(scene, build, tmp_path):
    folder = write_photos_result(tmp_path / "r")
    other = bpy.data.objects.new("mine", bpy.data.meshes.new("mine"))
    scene.collection.objects.link(other)
    build(folder)
    assert scene.view_settings.view_transform == "AgX"
    bpy.data.objects.remove(other)
    build(folder)
    assert scene.view_settings.view_transform == "Standard"


def test_nothing_is_set_when_nothing_is_wished(scene, build, tmp_path):
    wishes = {"set_render_size": False, "set_frame_range": False, "standard_view": False}
    build(write_photos_result(tmp_path / "r"), show_photos=False, **wishes)
    assert scene.camera is None
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1920, 1080)
    assert scene.view_settings.view_transform == "AgX"
    assert len(bpy.data.images) == 0


def test_cameras_are_smaller_than_their_distance(scene, build, tmp_path):
    build(write_result(tmp_path / "r", [{} for _ in range(40)]), show_photos=False)
    centres = [np.array(ob.matrix_world.translation) for ob in of_role("camera")]
    nearest = np.linalg.norm(centres[0] - centres[1])
    sizes = {round(ob.data.display_size, 6) for ob in of_role("camera")}
    assert len(sizes) == 1
    assert 0.1 * nearest < sizes.pop() < nearest


def test_a_photo_can_be_shared_with_other_users(scene, build, tmp_path):
    path = write_photo(tmp_path / "r_photos" / "000.jpg")
    mine = bpy.data.images.load(str(path))
    build(write_result(tmp_path / "r", [{"photo": str(path)}]))
    (camera,) = of_role("camera")
    assert camera.data.background_images[0].image == mine


def test_outliers_change_neither_the_sizes_nor_the_view(scene, build, extension, tmp_path):
    compat = extension("da3_blender.scene.compat")
    points = make_points(2000)
    clean = build(write_result(tmp_path / "a", [{}], points=points, count=2000), show_photos=False)
    points[:5] *= 1000
    dirty = build(write_result(tmp_path / "b", [{}], points=points, count=2000), show_photos=False)
    assert dirty.size == pytest.approx(clean.size, rel=0.02)
    assert dirty.centre == pytest.approx(clean.centre, abs=0.02)
    radii = [compat.get_modifier_input(ob.modifiers[0], "Radius", 0) for ob in of_role("points")]
    assert radii[1] == pytest.approx(radii[0], rel=0.05)
    for ob in of_role("camera"):
        assert ob.data.clip_start < 0.1


def test_denser_clouds_have_smaller_points(scene, build, extension, tmp_path):
    """On a sphere of radius 1 the pitch of M points is sqrt(4 pi / M); discs just close it."""
    compat = extension("da3_blender.scene.compat")
    for count in (100_000, 400_000):
        build(write_result(tmp_path / str(count), [{}], count=count), show_photos=False)
        ob = bpy.data.objects[f"{count} points"]
        pitch = np.sqrt(4 * np.pi / count)
        radius = compat.get_modifier_input(ob.modifiers[0], "Radius", 0)
        assert 0.5 * pitch < radius < 1.5 * pitch
