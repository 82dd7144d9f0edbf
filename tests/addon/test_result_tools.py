# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild, run views again, look through cameras, show and hide, meshes of depth maps."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.cameras import from_blender_matrix  # noqa: E402 - bpy first
from da3_blender.contract.depth_edges import find_whole_quads  # noqa: E402
from da3_blender.contract.projection import project  # noqa: E402
from tests.addon.results import SIZE, make_K, make_w2c, write_photo, write_result  # noqa: E402

GRID = (32, 24)


def of_role(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def only(role):
    (ob,) = of_role(role)
    return ob


def write_deep(folder, count=3, **parts):
    """Write a result with depth maps: a wall at depth 5, its left third at depth 2."""
    depth = np.full((count, GRID[1], GRID[0]), 5, np.float32)
    depth[:, :, : GRID[0] // 3] = 2
    grid = np.tile(np.diag([GRID[0] / SIZE[0], GRID[1] / SIZE[1], 1.0]), (count, 1, 1))
    views = parts.pop("views", [{} for _ in range(count)])
    settings = {"inputs": [str(folder)], "drop_percent": 40.0, "edge_step": 0.05}
    manifest = {"settings": {**settings, "max_points": 1_000_000}, **parts.pop("manifest", {})}
    maps = {"depth": depth, "depth_confidence": np.ones_like(depth), "grid_from_photo": grid}
    write_result(folder, views, manifest=manifest, **{**maps, **parts})
    for index in range(count):
        write_photo(folder / "photos" / f"{index:03d}.jpg")
    return folder


def test_a_depth_map_becomes_a_surface_that_is_cut_at_the_jump(scene, build, tmp_path):
    report = build(write_deep(tmp_path / "r"), make_mesh=True, mesh_step=1, mesh_drop_percent=0)
    assert report.meshes == 3
    ob = bpy.data.objects["001.jpg mesh"]
    mesh = ob.data
    whole = (GRID[0] - 1) * (GRID[1] - 1)
    assert len(mesh.polygons) == whole - (GRID[1] - 1)  # one column of cells is cut
    assert len(mesh.vertices) == GRID[0] * GRID[1]
    assert ob.parent == only("root")
    points = np.array([vertex.co for vertex in mesh.vertices], np.float64)
    world = points[:, [0, 2, 1]] * [1, -1, 1]  # Blender's world to OpenCV's
    pixels, z = project(world, make_K(*SIZE), make_w2c(3)[1])
    assert set(np.round(z, 4)) == {2.0, 5.0}
    camera = bpy.data.objects["001.jpg"]
    assert np.allclose(
        from_blender_matrix(np.array(camera.matrix_world)), make_w2c(3)[1], atol=1e-5
    )
    # Each corner shows the very pixel of the photo on which it is seen.
    layer = mesh.uv_layers.active.uv
    for loop in range(0, len(mesh.loops), 97):
        u, v = layer[loop].vector
        seen = pixels[mesh.loops[loop].vertex_index] / SIZE
        assert (u, 1 - v) == pytest.approx(tuple(seen), abs=1e-5)
    towards = np.array(camera.matrix_world.translation) - np.array(mesh.polygons[5].center)
    assert np.array(mesh.polygons[5].normal) @ towards > 0


def test_meshes_are_coarser_and_dropped_on_request(scene, build, tmp_path):
    confidence = np.tile(np.linspace(1, 2, GRID[0], dtype=np.float32), (3, GRID[1], 1))
    folder = write_deep(tmp_path / "r", depth_confidence=confidence)
    build(folder, make_mesh=True, mesh_step=2, mesh_drop_percent=0, mesh_cut=0)
    mesh = bpy.data.objects["000.jpg mesh"].data
    assert len(mesh.vertices) == (GRID[0] // 2) * (GRID[1] // 2)
    build(folder, make_mesh=True, mesh_step=1, mesh_drop_percent=50)
    mesh = bpy.data.objects["000.jpg mesh"].data
    assert len(mesh.vertices) == pytest.approx(GRID[0] * GRID[1] / 2, rel=0.1)


def test_a_mesh_has_its_photo_and_keeps_the_users_material(scene, build, tmp_path):
    folder = write_deep(tmp_path / "r")
    build(folder, make_mesh=True)
    ob = bpy.data.objects["002.jpg mesh"]
    (picture,) = [n for n in ob.data.materials[0].node_tree.nodes if n.type == "TEX_IMAGE"]
    assert bpy.path.abspath(picture.image.filepath) == str(folder / "photos" / "002.jpg")
    mine = bpy.data.materials.new("mine")
    ob.data.materials[0] = mine
    ob.modifiers.new("Smooth", "SMOOTH")
    report = build(folder, make_mesh=True, mesh_step=4)
    assert report.is_update
    assert ob.data.materials[0] == mine
    assert [m.name for m in ob.modifiers] == ["Smooth"]
    assert len(ob.data.vertices) <= (GRID[0] // 4) * (GRID[1] // 4)
    assert len(bpy.data.meshes) == 4  # three surfaces and the points
    assert only("points").data.materials[0].name == "DA3 Points"


def test_without_depth_there_is_a_sentence_and_no_mesh(scene, build, tmp_path):
    report = build(write_result(tmp_path / "r", [{}, {}]), make_mesh=True, show_photos=False)
    assert report.meshes == 0
    assert any("no depth maps" in note for note in report.notes)


def test_surfaces_of_a_shot_are_one_object_that_shows_the_current_frame(scene, build, tmp_path):
    names = [f"s_{n:03d}.jpg" for n in (10, 12, 14)]
    views = [
        {"frame": n, "photo": str(tmp_path / name)}
        for n, name in zip((10, 12, 14), names, strict=True)
    ]
    for name in names:
        write_photo(tmp_path / name)
    source = {"source": {"kind": "sequence", "path": "", "fps": 25.0}}
    folder = write_deep(tmp_path / "r", views=views, manifest=source)
    report = build(folder, make_mesh=True, mesh_step=1, mesh_drop_percent=0)
    assert report.meshes == 3
    surface = only("mesh")
    for frame, shown in ((5, 0), (10, 0), (11, 0), (12, 1), (13, 1), (14, 2), (30, 2)):
        scene.frame_set(frame)
        points = read_shown(surface)
        assert len(points) == GRID[0] * GRID[1]
        world = points[:, [0, 2, 1]] * [1, -1, 1]
        _, z = project(world, make_K(*SIZE), make_w2c(3)[shown])
        assert set(np.round(z, 4)) == {2.0, 5.0}, frame
    # the picture on it is that of the surface, also between them
    (material,) = surface.data.materials
    picture = next(n for n in material.node_tree.nodes if n.type == "TEX_IMAGE")
    for frame, shown in ((10, 10), (11, 10), (12, 12), (13, 12), (14, 14)):
        scene.frame_set(frame)
        user = picture.image_user
        assert frame - user.frame_start + 1 + user.frame_offset == shown
    # built again it stays the same object
    build(folder, make_mesh=True, mesh_step=2)
    assert only("mesh") == surface
    assert len(read_shown(surface)) < GRID[0] * GRID[1] / 3


def test_surfaces_of_many_frames_get_coarser(extension, scene, build, tmp_path, monkeypatch):
    module = extension("da3_blender.scene.moving_surface")
    monkeypatch.setattr(module, "MOST_VERTICES", 3 * GRID[0] * GRID[1] // 10)
    views = [{"frame": n} for n in (1, 2, 3)]
    source = {"source": {"kind": "sequence", "path": "", "fps": 25.0}}
    folder = write_deep(tmp_path / "r", views=views, manifest=source)
    report = build(folder, make_mesh=True, mesh_step=1, mesh_drop_percent=0)
    assert len(only("mesh").data.vertices) <= 3 * GRID[0] * GRID[1] // 10
    assert any("every 4th pixel" in note for note in report.notes)
    # files that are not numbered like the frames: each surface has its own picture
    assert len(only("mesh").data.materials) == 3


def read_shown(ob):
    """Return (V, 3), what an object shows now, in its own space."""
    bpy.context.view_layer.update()
    evaluated = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = np.array([vertex.co for vertex in mesh.vertices], np.float64).reshape(-1, 3)
    evaluated.to_mesh_clear()
    return points


def test_a_floor_seen_at_a_grazing_angle_stays_whole():
    row = 1 / np.linspace(1, 0.05, 60)  # depth 1 to 20: large steps, but smooth ones
    floor = np.tile(row[:, None], (1, 40)).astype(np.float32)
    assert find_whole_quads(floor, 0.05).all()
    floor[30:, 10:20] = 0.7  # a post in front
    whole = find_whole_quads(floor, 0.05)
    assert not whole[40, 9]
    assert not whole[40, 19]
    assert whole[40, 12:18].all()
    assert whole[40, 25:].all()


def start(extension):
    return extension("da3_blender.client.session").current_job()


def test_rebuild_uses_new_choices_without_the_engine(scene, build, extension, tmp_path):
    """Nothing is set for an engine here, so a run would fail."""
    build(write_deep(tmp_path / "r"))
    extension("operators.extension").get_preferences(bpy.context).engine_python = "/nowhere"
    before = {ob.name: ob.session_uid for ob in bpy.data.objects}
    scene.da3.point_display, scene.da3.make_mesh = "POINTCLOUD", True
    assert bpy.ops.da3.rebuild() == {"FINISHED"}
    extension("operators.extension").get_preferences(bpy.context).engine_python = ""
    assert only("points").type == "POINTCLOUD"
    assert len(of_role("mesh")) == 3
    kept = {n: u for n, u in before.items() if n != "r points"}
    assert kept.items() <= {ob.name: ob.session_uid for ob in bpy.data.objects}.items()


def test_a_result_that_moved_with_its_file_is_found_again(scene, build, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    build(write_deep(old / "da3_results" / "wall"))
    bpy.ops.wm.save_as_mainfile(filepath=str(old / "scene.blend"))
    old.rename(new)
    bpy.ops.wm.open_mainfile(filepath=str(new / "scene.blend"))
    bpy.context.scene.da3.make_mesh = True
    assert bpy.ops.da3.rebuild() == {"FINISHED"}
    assert len(of_role("mesh")) == 3
    assert only("root")["da3_result"] == str(new / "da3_results" / "wall")
    (background,) = bpy.data.objects["001.jpg"].data.background_images
    picture = bpy.path.abspath(background.image.filepath)
    assert picture == str(new / "da3_results" / "wall" / "photos" / "001.jpg")


def test_rebuild_lets_the_engine_make_a_new_cloud(scene, build, engine, extension, tmp_path):
    folder = write_deep(tmp_path / "wall")
    build(folder)
    scene.da3.drop_percent = 10.0
    assert bpy.ops.da3.rebuild() == {"FINISHED"}
    job = extension("da3_blender.client.session").current_job()
    assert job.settings.reuse == job.settings.output == str(folder)
    assert job.settings.only_views == ()
    assert job.settings.drop_percent == 10.0
    assert only("root")["da3_result"] == str(folder)


def test_selected_views_are_run_again(scene, build, engine, extension, tmp_path):
    folder = write_deep(tmp_path / "wall")
    build(folder)
    assert not bpy.ops.da3.rerun_views.poll()
    bpy.data.objects["001.jpg"].select_set(True)  # noqa: FBT003
    assert bpy.ops.da3.rerun_views(renew_cameras=True) == {"FINISHED"}
    job = extension("da3_blender.client.session").current_job()
    assert (job.settings.only_views, job.settings.renew_cameras) == (("001.jpg",), True)
    assert job.settings.reuse == str(folder)


def test_a_sparse_result_has_nothing_to_run_again(scene, build, tmp_path):
    build(write_result(tmp_path / "r", [{}, {}]), show_photos=False)
    bpy.data.objects["001.jpg"].select_set(True)  # noqa: FBT003
    assert not bpy.ops.da3.rerun_views.poll()


def test_stepping_through_cameras(scene, build, tmp_path):
    views = [{"width": 64 + n} for n in range(4)]
    views[1]["doubt"] = views[3]["doubt"] = "odd"
    build(write_result(tmp_path / "r", views), show_photos=False)
    names = []
    for step in (1, 1, 1, 1, -1):
        bpy.ops.da3.step_camera(step=step)
        names.append(scene.camera.name)
        assert scene.render.resolution_x == 64 + int(scene.camera.name[:3])
    assert names == ["001.jpg", "002.jpg", "003.jpg", "000.jpg", "003.jpg"]
    bpy.ops.da3.step_camera(step=1, only_doubtful=True)
    assert scene.camera.name == "001.jpg"
    bpy.ops.da3.select_doubtful()
    assert {ob.name for ob in bpy.context.selected_objects} == {"001.jpg", "003.jpg"}


def test_parts_are_hidden_and_shown(scene, build, tmp_path):
    build(write_deep(tmp_path / "r"), make_mesh=True)
    for part, role in (("camera", "camera"), ("points", "points"), ("mesh", "mesh")):
        for hidden in (True, False):
            assert bpy.ops.da3.show_parts(part=part) == {"FINISHED"}
            assert {ob.hide_get() for ob in of_role(role)} == {hidden}
    for shown in (False, True):
        bpy.ops.da3.show_parts(part="photos")
        assert {ob.data.show_background_images for ob in of_role("camera")} == {shown}


def test_only_what_is_wanted_is_made(scene, build, tmp_path):
    report = build(
        write_deep(tmp_path / "r"), make_cameras=False, make_points=False, make_mesh=True
    )
    assert (report.cameras, report.points, report.meshes) == (0, 0, 3)
    assert of_role("camera") == of_role("points") == []
