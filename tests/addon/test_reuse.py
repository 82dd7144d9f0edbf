# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building again: the same objects get new numbers, and what the user did to them stays."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Matrix  # noqa: E402 - bpy first

from da3_blender.contract.cameras import to_blender_matrix  # noqa: E402
from tests.addon.results import SIZE, make_K, make_w2c, write_photo, write_result  # noqa: E402
from tests.addon.test_animated_camera import FRAMES, only_camera, write_sequence  # noqa: E402

INPUT = {"settings": {"inputs": ["/photos/house"]}}


def of_role(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def only(role):
    (ob,) = of_role(role)
    return ob


def list_ids():
    return {ob.name: ob.session_uid for ob in bpy.data.objects}


def write_house(folder, views=4, points=500, **parts):
    entries = [{} for _ in range(views)]
    write_result(
        folder, entries, count=points, manifest={**INPUT, **parts.pop("manifest", {})}, **parts
    )
    for index in range(views):
        write_photo(folder / "photos" / f"{index:03d}.jpg")
    return folder


@pytest.fixture
def again(scene, build, tmp_path):
    """Build a house; give a function that builds a later result of the same photos."""
    build(write_house(tmp_path / "house"))
    numbers = iter(range(100))

    def build_later(options=None, **parts):
        return build(write_house(tmp_path / f"later_{next(numbers)}", **parts), **(options or {}))

    return build_later


def test_a_later_result_of_the_same_input_updates_the_same_objects(again, tmp_path):
    before = list_ids()
    w2c = make_w2c(4, turns=0.3)
    report = again(w2c=w2c, points=700)
    assert report.is_update
    assert list_ids() == before
    assert only("root")["da3_result"] == str(tmp_path / "later_0")
    assert len(only("points").data.vertices) == 700
    camera = bpy.data.objects["002.jpg"]
    assert list(camera["da3_w2c"]) == w2c[2].ravel().tolist()
    assert np.allclose(camera.matrix_basis, to_blender_matrix(w2c[2]), atol=1e-6)
    assert len(bpy.data.meshes) == 1
    assert len(bpy.data.cameras) == 4
    (background,) = camera.data.background_images
    assert "later_0" in background.image.filepath


def test_the_users_modifier_material_and_properties_stay(again):
    cloud = only("points")
    mine = bpy.data.materials.new("mine")
    cloud.data.materials[0] = mine
    cloud.modifiers.new("Mine", "CAST").factor = 0.125
    cloud["note"], cloud.data["kept"] = "keep me", 5
    cloud.name, cloud.data.name = "My cloud", "My points"
    bpy.data.objects["001.jpg"]["shot"] = 7
    again(points=300)
    assert only("points") == cloud
    assert (cloud.name, cloud.data.name) == ("My cloud", "My points")
    assert len(cloud.data.vertices) == 300
    assert cloud.data.materials[0] == mine
    assert [m.name for m in cloud.modifiers] == ["DA3 Points", "Mine"]
    assert cloud.modifiers["Mine"].factor == 0.125
    assert (cloud["note"], cloud.data["kept"]) == ("keep me", 5)
    assert bpy.data.objects["001.jpg"]["shot"] == 7


def test_what_the_user_moved_is_moved_again(again):
    root, cloud, camera = only("root"), only("points"), bpy.data.objects["001.jpg"]
    root.location, root.scale = (1, 2, 3), (2, 2, 2)
    cloud.location = (0, 0, 5)
    move = Matrix.Translation((0.25, 0, 0)) @ Matrix.Rotation(0.1, 4, "Z")
    camera.matrix_basis = move @ camera.matrix_basis
    for turns in (0.3, 0.4, 0.2):
        w2c = make_w2c(4, turns=turns)
        again(w2c=w2c)
        expected = np.array(move) @ to_blender_matrix(w2c[1])
        assert np.allclose(camera.matrix_basis, expected, atol=1e-4)
        untouched = bpy.data.objects["002.jpg"]
        assert np.allclose(untouched.matrix_basis, to_blender_matrix(w2c[2]), atol=1e-6)
    assert tuple(root.location) == (1, 2, 3)
    assert tuple(root.scale) == (2, 2, 2)
    assert tuple(cloud.location) == (0, 0, 5)


def test_settings_that_the_user_changed_stay_and_others_follow(again, extension):
    compat = extension("da3_blender.scene.compat")
    cloud, camera = only("points"), bpy.data.objects["000.jpg"]
    modifier = cloud.modifiers[0]
    compat.set_modifier_input(modifier, "Radius", 0.5)
    camera.data.lens = 85.0
    other = bpy.data.objects["001.jpg"].data
    K = np.stack([make_K(*SIZE, fx=100.0, fy=100.0)] * 4)
    again(options={"min_confidence": 1.5, "point_size": 3.0, "camera_size": 4.0}, K=K)
    assert compat.get_modifier_input(modifier, "Radius", 0) == 0.5
    assert compat.get_modifier_input(modifier, "Min Confidence", 0) == 1.5
    assert camera.data.lens == 85.0
    assert other.lens == pytest.approx(100 / 64 * 36)
    assert camera.data.display_size == other.display_size


def test_what_the_user_removed_from_objects_stays_away(again):
    cloud, camera = only("points"), bpy.data.objects["000.jpg"]
    cloud.modifiers.clear()
    camera.data.background_images.clear()
    again()
    assert len(cloud.modifiers) == 0
    assert len(camera.data.background_images) == 0
    assert len(bpy.data.objects["001.jpg"].data.background_images) == 1


def test_photos_come_and_go_with_the_choice(again):
    for shown in (False, True, False):
        again(options={"show_photos": shown})
        counts = {len(ob.data.background_images) for ob in of_role("camera")}
        assert counts == {int(shown)}


def remove_half(mesh):
    """Delete every second vertex, as in edit mode."""
    import bmesh

    work = bmesh.new()
    work.from_mesh(mesh)
    bmesh.ops.delete(work, geom=[v for v in work.verts if v.index % 2], context="VERTS")
    work.to_mesh(mesh)
    work.free()


def test_points_edited_by_hand_stay_unless_told_otherwise(again):
    cloud = only("points")
    remove_half(cloud.data)
    report = again(points=300)
    assert len(cloud.data.vertices) == 250
    assert any("edited by hand" in note for note in report.notes)
    again(points=300, options={"keep_edits": False})
    assert len(cloud.data.vertices) == 300
    report = again(points=200)
    assert len(cloud.data.vertices) == 200
    assert report.notes == ()


@pytest.mark.parametrize("kind", ["MESH", "POINTCLOUD"])
def test_the_kind_of_cloud_can_change_and_back(again, extension, kind):
    compat = extension("da3_blender.scene.compat")
    cloud = only("points")
    cloud.location.x = 2
    cloud["note"] = "mine"
    child = bpy.data.objects.new("child", None)
    bpy.context.scene.collection.objects.link(child)
    child.parent = cloud
    compat.set_modifier_input(cloud.modifiers[0], "Radius", 0.25)
    nodes = cloud.modifiers.new("Nodes", "NODES")
    nodes.node_group = cloud.modifiers[0].node_group
    compat.set_modifier_input(nodes, "Min Confidence", 2.5)
    mine = bpy.data.materials.new("mine")
    cloud.data.materials[0] = mine
    again(options={"point_display": "POINTCLOUD"})
    again(options={"point_display": kind})
    cloud = only("points")
    assert cloud.type == kind
    assert (cloud.name, cloud.location.x, cloud["note"]) == ("house points", 2, "mine")
    assert child.parent == cloud
    assert [m.name for m in cloud.modifiers] == ["DA3 Points", "Nodes"]
    assert compat.get_modifier_input(cloud.modifiers[0], "Radius", 0) == 0.25
    assert compat.get_modifier_input(cloud.modifiers[1], "Min Confidence", 0) == 2.5
    assert cloud.data.materials[0] == mine
    assert len(bpy.data.meshes) + len(bpy.data.pointclouds) == 1


def test_cameras_that_are_lost_go_but_those_in_use_stay(again):
    bpy.data.objects["003.jpg"].constraints.new("TRACK_TO")
    report = again(views=2)
    assert {ob.name for ob in of_role("camera")} == {"000.jpg", "001.jpg", "003.jpg"}
    assert any("no longer has 003.jpg" in note for note in report.notes)
    again(views=4)
    assert {ob.name for ob in of_role("camera")} == {f"{n:03d}.jpg" for n in range(4)}


def test_only_chosen_views_are_touched(scene, build, extension, tmp_path):
    build(write_house(tmp_path / "house"))
    builder = extension("da3_blender.scene.builder")
    folders = extension("da3_blender.contract.result_folder")
    options = extension("da3_blender.scene.build_options").BuildOptions()
    before = {ob.name: np.array(ob.matrix_basis) for ob in of_role("camera")}
    folder = write_house(tmp_path / "again", w2c=make_w2c(4, turns=0.5))
    result = folders.load_result(folder)
    builder.build_scene(bpy.context, result, options, only={"001.jpg"})
    for ob in of_role("camera"):
        is_same = np.array_equal(ob.matrix_basis, before[ob.name])
        assert is_same == (ob.name != "001.jpg"), ob.name


def test_the_cameras_become_one_that_moves_and_many_again(again):
    again(options={"camera_mode": "ANIMATED"})
    assert [ob.name for ob in of_role("camera")] == ["later_0"]
    again(options={"camera_mode": "EACH"})
    assert {ob.name for ob in of_role("camera")} == {f"{n:03d}.jpg" for n in range(4)}
    assert len(bpy.data.cameras) == 4


def test_a_path_is_written_again_unless_it_was_edited(scene, build, tmp_path):
    build(write_sequence(tmp_path / "a", FRAMES), show_photos=False)
    camera = only_camera()
    only("root")["da3_input"] = "the shot"
    w2c = make_w2c(8, turns=0.7)

    def write(name, poses):
        folder = write_sequence(tmp_path / name, FRAMES, w2c=poses)
        text = (folder / "manifest.json").read_text(encoding="utf-8")
        text = text.replace('"settings": {}', '"settings": {"inputs": ["the shot"]}')
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        return folder

    build(write("b", w2c), show_photos=False)
    assert only_camera() == camera
    scene.frame_set(FRAMES[3])
    assert np.allclose(camera.matrix_basis, to_blender_matrix(w2c[3]), atol=1e-5)
    (bag,) = camera.animation_data.action.layers[0].strips[0].channelbags
    bag.fcurves[0].keyframe_points[3].co.y += 1
    report = build(write("c", make_w2c(8, turns=0.1)), show_photos=False)
    assert any("path" in note and "edited by hand" in note for note in report.notes)
    scene.frame_set(FRAMES[4])
    assert np.allclose(camera.matrix_basis, to_blender_matrix(w2c[4]), atol=1e-5)


def test_an_update_is_one_undo_step(again, tmp_path):
    folder = write_house(tmp_path / "new", points=111, w2c=make_w2c(4, turns=0.4))
    before = np.array(bpy.data.objects["001.jpg"].matrix_basis)
    bpy.ops.ed.undo_push(message="Before")
    assert bpy.ops.da3.build_scene("EXEC_DEFAULT", True, folder=str(folder)) == {"FINISHED"}  # noqa: FBT003
    assert len(only("points").data.vertices) == 111
    pose = np.array(bpy.data.objects["001.jpg"].matrix_basis)
    assert not np.allclose(pose, before)
    bpy.ops.ed.undo()
    assert len(only("points").data.vertices) == 500
    assert np.array_equal(bpy.data.objects["001.jpg"].matrix_basis, before)


def test_a_failed_update_leaves_everything_as_it_was(again, extension, monkeypatch):
    builder = extension("da3_blender.scene.builder")
    before, poses = list_ids(), {ob.name: pose_of(ob) for ob in of_role("camera")}
    original = builder._set_up_scene

    def run_out_of_memory(*arguments):
        original(*arguments)
        raise MemoryError

    monkeypatch.setattr(builder, "_set_up_scene", run_out_of_memory)
    errors = extension("da3_blender.contract.errors")
    with pytest.raises(errors.EngineError, match="not enough memory"):
        again(w2c=make_w2c(4, turns=0.5), points=900)
    assert list_ids() == before
    assert len(only("points").data.vertices) == 500
    assert all(np.array_equal(pose_of(ob), poses[ob.name]) for ob in of_role("camera"))


def pose_of(ob):
    return np.array(ob.matrix_basis)


def test_the_facts_on_the_root_are_those_of_the_result(again):
    again(manifest={**INPUT, "is_metric": True, "model": "da3-base", "lost": ["x.jpg"]})
    facts = only("root")["da3_facts"].to_dict()
    assert (facts["cameras"], facts["points"], facts["is_metric"]) == (4, 500, 1)
    assert list(facts["lost"]) == ["x.jpg"]
    assert list(facts["doubtful"]) == []


def test_known_cameras_get_a_root_of_their_own_once_the_old_one_was_moved(again):
    known = {"settings": {**INPUT["settings"], "known_cameras": "/shot/cameras.json"}}
    first = only("root")
    assert again(manifest=known).is_update  # nothing was moved yet
    first.location.x = 2.0
    bpy.context.view_layer.update()
    assert again().is_update  # cameras that were found go where the user wants them
    report = again(manifest=known)
    assert not report.is_update
    roots = of_role("root")
    assert len(roots) == 2
    (fresh,) = [root for root in roots if root != first]
    assert np.array_equal(np.array(fresh.matrix_world), np.eye(4))


def test_the_panel_is_told_how_far_refined_points_are_off(again):
    again(manifest={"refinement": {"mean_px": 0.42}})
    assert only("root")["da3_facts"]["error_px"] == pytest.approx(0.42)
    again()
    assert "error_px" not in only("root")["da3_facts"].to_dict()
