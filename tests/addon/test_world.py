# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upright, floor, origin, axis, scale and joined shots, of reconstructions whose truth is known."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Euler, Matrix, Vector  # noqa: E402 - bpy first

from da3_blender.contract.similarity import Sim3  # noqa: E402
from tests.addon.recording_layout import draw_panel  # noqa: E402
from tests.addon.results import make_w2c, write_result  # noqa: E402

TILT = Matrix.LocRotScale(Vector((1, -2, 0.7)), Euler((0.2, -0.1, 0.5)), None)


def make_room(count=9000):
    """Return (M, 3) float32, OpenCV world: a floor at y = 1, and a wall at z = 3."""
    random = np.random.default_rng(1)
    floor = random.uniform((-3, 1, -3), (3, 1, 3), (count * 2 // 3, 3))
    wall = random.uniform((-3, -2, 3), (3, 1, 3), (count // 3, 3))
    return np.concatenate([floor, wall]).astype(np.float32)


def write_room(folder, count=6, move=None, **parts):
    points, w2c = make_room(), make_w2c(count, turns=0.7)
    if move is not None:
        points, w2c = move.apply_to_points(points), move.apply_to_w2c(w2c)
    return write_result(
        folder,
        [{} for _ in range(count)],
        count=len(points),
        points=points,
        w2c=w2c,
        **parts,
    )


@pytest.fixture
def room(scene, build, tmp_path):
    """A reconstruction that stands crooked; returns its root."""
    build(write_room(tmp_path / "room"), show_photos=False)
    root = find_roots()[0]
    root.matrix_world = TILT
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="Room")
    return root


def find_roots():
    return [ob for ob in bpy.context.scene.objects if ob.get("da3_role") == "root"]


def find_role(role, root=None):
    objects = bpy.context.scene.objects if root is None else root.children_recursive
    return [ob for ob in objects if ob.get("da3_role") == role]


def pick(*places):
    return [bpy.ops.da3.pick_point(location=place) for place in places]


def to_world(root, places):
    """Return places of the OpenCV world of the result, in the world of the scene."""
    bpy.context.view_layer.update()
    return [root.matrix_world @ Vector((x, z, -y)) for x, y, z in places]


def read_floor_heights(root):
    corners = [(-3, 1, -3), (3, 1, -3), (3, 1, 3), (-3, 1, 3)]
    return [place.z for place in to_world(root, corners)]


def select(*objects):
    for ob in bpy.context.scene.objects:
        ob.select_set(ob in objects)
    bpy.context.view_layer.objects.active = objects[-1] if objects else None


def test_a_crooked_room_is_stood_on_its_floor(room):
    bpy.ops.da3.propose_upright()
    assert read_floor_heights(room) == pytest.approx([0] * 4, abs=1e-3)
    cameras = find_role("camera")
    assert all(ob.matrix_world.translation.z > 1 for ob in cameras)
    text = room["da3_proposal"]["text"]
    tilt = np.degrees(np.arccos((TILT.to_3x3() @ Vector((0, 0, 1))).z))
    assert f"Turned by {tilt:.1f}°" in text
    share = float(text.split("; ")[1].split(" %")[0])
    assert share == pytest.approx(67, abs=3)


def test_turning_down_puts_it_back_exactly(room):
    room.rotation_mode = "XYZ"
    room.rotation_euler, room.scale = (0.3, 0.1, -0.2), (1.5, 1.5, 1.5)
    before = [tuple(getattr(room, n)) for n in ("location", "rotation_euler", "scale")]
    bpy.ops.da3.propose_upright()
    assert tuple(room.rotation_euler) != before[1]
    bpy.ops.da3.propose_upright()
    bpy.ops.da3.turn_down_upright()
    after = [tuple(getattr(room, n)) for n in ("location", "rotation_euler", "scale")]
    assert after == before
    assert "da3_proposal" not in room
    assert not bpy.ops.da3.turn_down_upright.poll()


def test_accepting_keeps_it(room):
    bpy.ops.da3.propose_upright()
    bpy.ops.da3.accept_upright()
    assert "da3_proposal" not in room
    assert read_floor_heights(room) == pytest.approx([0] * 4, abs=1e-3)
    assert not bpy.ops.da3.accept_upright.poll()


def test_a_proposal_is_one_undo_step(room):
    before = room.matrix_world.copy()
    bpy.ops.da3.propose_upright()
    bpy.ops.ed.undo_push(message="Upright")
    assert np.abs(np.array(room.matrix_world) - np.array(before)).max() > 0.1
    bpy.ops.ed.undo()
    root = find_roots()[0]
    bpy.context.view_layer.update()
    assert np.abs(np.array(root.matrix_world) - np.array(before)).max() < 1e-6
    assert "da3_proposal" not in root


def test_without_points_the_cameras_tell_up_and_it_says_so(scene, build, tmp_path):
    build(write_room(tmp_path / "room"), show_photos=False, make_points=False)
    root = find_roots()[0]
    root.matrix_world = TILT
    bpy.ops.da3.propose_upright()
    assert "show no floor" in root["da3_proposal"]["text"]
    bpy.context.view_layer.update()
    assert (root.matrix_world.to_3x3() @ Vector((0, 0, 1))).z == pytest.approx(1, abs=1e-3)


def test_three_picked_points_are_the_floor_and_the_cameras_stay_above(room):
    room.matrix_world = Matrix.Rotation(np.pi, 4, "X") @ TILT  # upside down
    pick(*to_world(room, [(-2, 1, -2), (2, 1, -2), (0, 1, 2.5)]))
    bpy.ops.da3.set_floor()
    assert read_floor_heights(room) == pytest.approx([0] * 4, abs=1e-5)
    assert all(ob.matrix_world.translation.z > 1 for ob in find_role("camera"))


def test_the_floor_by_the_cursor_is_only_lifted(room):
    room.matrix_world = Matrix.Translation((0, 0, 5))
    bpy.context.scene.cursor.location = (7, 7, 4)
    bpy.ops.da3.set_floor(use_cursor=True)
    assert (
        np.abs(np.array(room.matrix_world) - np.array(Matrix.Translation((0, 0, 1)))).max() < 1e-6
    )


def test_points_on_a_line_are_no_floor(room):
    pick((0, 0, 0), (1, 0, 0), (2, 0, 0))
    before = room.matrix_world.copy()
    with pytest.raises(RuntimeError, match="make no plane: all points are on one line"):
        bpy.ops.da3.set_floor()
    assert room.matrix_world == before


def test_selected_vertices_are_the_floor(room):
    (cloud,) = find_role("points")
    positions = np.empty(3 * len(cloud.data.vertices), np.float32)
    cloud.data.vertices.foreach_get("co", positions)
    heights = positions.reshape(-1, 3)[:, 2]
    cloud.data.vertices.foreach_set("select", np.abs(heights + 1) < 1e-4)
    select(cloud)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.da3.set_floor()
    assert bpy.context.mode == "OBJECT"
    assert read_floor_heights(room) == pytest.approx([0] * 4, abs=1e-4)


def test_selected_points_of_a_native_cloud_are_the_floor(scene, build, tmp_path):
    build(write_room(tmp_path / "room"), show_photos=False, point_display="POINTCLOUD")
    (root,), (cloud,) = find_roots(), find_role("points")
    root.matrix_world = TILT
    bpy.context.view_layer.update()
    select(cloud)
    bpy.ops.object.mode_set(mode="EDIT")
    if ".selection" not in cloud.data.attributes:
        cloud.data.attributes.new(".selection", "BOOLEAN", "POINT")
    chosen = np.isclose(make_room()[:, 1], 1, atol=1e-4)
    cloud.data.attributes[".selection"].data.foreach_set("value", chosen)
    bpy.ops.da3.set_floor()
    assert bpy.context.mode == "OBJECT"
    assert read_floor_heights(root) == pytest.approx([0] * 4, abs=1e-4)


def test_the_origin_is_the_middle_of_selected_objects(room):
    others = [bpy.data.objects.new(name, None) for name in "ab"]
    for ob, x in zip(others, (1, 3), strict=True):
        bpy.context.scene.collection.objects.link(ob)
        ob.location = (x, 2, 4)
    bpy.context.view_layer.update()
    select(*others)
    before = room.matrix_world.translation.copy()
    bpy.ops.da3.set_origin()
    assert room.matrix_world.translation - before == Vector((-2, -2, -4))
    bpy.ops.da3.set_origin(keep_height=True)
    assert (room.matrix_world.translation - before).z == pytest.approx(-4)


def test_a_line_goes_along_an_axis_and_the_floor_stays(room):
    bpy.ops.da3.propose_upright()
    pick(*to_world(room, [(-1, 1, 0), (2, 1, 1)]))
    bpy.ops.da3.set_axis(axis="X")
    start, end = to_world(room, [(-1, 1, 0), (2, 1, 1)])
    assert (end - start).normalized().x == pytest.approx(1, abs=1e-5)
    bpy.ops.da3.set_axis(axis="Y")
    start, end = to_world(room, [(-1, 1, 0), (2, 1, 1)])
    assert (end - start).normalized().y == pytest.approx(1, abs=1e-5)
    assert read_floor_heights(room) == pytest.approx([0] * 4, abs=1e-3)


def test_points_above_each_other_have_no_direction(room):
    pick((0, 0, 0), (0, 0, 2))
    with pytest.raises(RuntimeError, match="above each other"):
        bpy.ops.da3.set_axis()


def test_a_known_distance_scales_cameras_and_their_clipping(room):
    pick(*to_world(room, [(-1, 1, 0), (1, 1, 0)]))
    camera = find_role("camera")[0]
    sizes = np.array([camera.data.display_size, camera.data.clip_start, camera.data.clip_end])
    bpy.ops.da3.scale_by_distance(distance=6.0)
    start, end = to_world(room, [(-1, 1, 0), (1, 1, 0)])
    assert (end - start).length == pytest.approx(6, rel=1e-5)
    now = np.array([camera.data.display_size, camera.data.clip_start, camera.data.clip_end])
    assert now / sizes == pytest.approx([3, 3, 3], rel=1e-5)


def test_a_known_height_scales_about_the_origin(room):
    bpy.ops.da3.propose_upright()
    pick(*to_world(room, [(1, 1, 0), (1.1, -1, 0)]))
    bpy.ops.da3.scale_by_height(height=1.0)
    assert room.matrix_world.to_scale().x == pytest.approx(0.5, rel=1e-3)
    assert read_floor_heights(room) == pytest.approx([0] * 4, abs=1e-3)


def test_too_few_points_say_what_to_do(room):
    pick((0, 0, 0))
    with pytest.raises(RuntimeError, match=r"needs 2 points; .* 1 picked point\. Use Pick Point"):
        bpy.ops.da3.scale_by_distance(distance=2.0)


def test_picked_points_are_numbered_and_follow_the_root(room):
    pick((1, 2, 3), (4, 5, 6))
    points = find_role("point", room)
    assert [ob["da3_point"] for ob in points] == [1, 2]
    assert tuple(points[1].matrix_world.translation) == pytest.approx((4, 5, 6), abs=1e-5)
    bpy.context.scene.cursor.location = (4, 5, 6)
    bpy.ops.da3.set_origin(use_cursor=True)
    assert tuple(points[1].matrix_world.translation) == pytest.approx((0, 0, 0), abs=1e-5)


def test_the_mouse_finds_the_point_in_front(room, extension):
    """The wall and the floor lie behind each other; the nearer one is under the mouse."""
    picking = extension("da3_blender.scene.point_picking")
    room.matrix_world = Matrix.Identity(4)
    bpy.context.view_layer.update()
    camera = find_role("camera")[0]
    projection = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=640, y=480)
    view = camera.matrix_world.inverted()
    window = picking.Window(np.array(projection @ view), (640, 480))
    (cloud,) = find_role("points")
    positions = np.empty(3 * len(cloud.data.vertices), np.float32)
    cloud.data.vertices.foreach_get("co", positions)
    positions = positions.reshape(-1, 3)
    clip = np.c_[positions, np.ones(len(positions))] @ window.clip_from_world.T
    pixels = (clip[:, :2] / clip[:, 3:] + 1) / 2 * window.size
    seen = np.flatnonzero(((pixels > 20) & (pixels < (620, 460))).all(1) & (clip[:, 3] > 0))
    random = np.random.default_rng(0)
    for index in random.choice(seen, 20, replace=False):
        near = np.flatnonzero(np.linalg.norm(pixels - pixels[index], axis=1) < 12)
        front = near[clip[near, 3] <= clip[near, 3].min() * 1.03]
        found = picking.find_point(room, window, tuple(pixels[index]))
        assert np.abs(positions[front] - found).max(axis=1).min() < 1e-5
        if index in front:
            assert found == pytest.approx(positions[index], abs=1e-5)
    assert picking.find_point(room, window, (320.0, 5000.0)) is None  # above the wall


def test_marks_stand_where_the_view_shows_the_points(room, extension):
    """A view with a plain perspective; a point behind the viewer has no mark."""
    from types import SimpleNamespace

    drawing = extension("da3_blender.scene.picked_drawing")
    pick((0, 0, 0), (1, 0.5, -2), (0, 0, 9))
    matrix = Matrix(((2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 1, 0), (0, 0, -1, 4)))
    region = SimpleNamespace(width=800, height=600)
    marks = drawing.list_marks(bpy.context, region, SimpleNamespace(perspective_matrix=matrix))
    assert [mark.number for mark in marks] == [1, 2]
    assert marks[0][1:] == pytest.approx((400, 300))
    assert marks[1][1:] == pytest.approx((400 + 400 * 2 / 6, 300 + 300 * 1 / 6))
    find_role("point")[0].hide_set(state=True)
    marks = drawing.list_marks(bpy.context, region, SimpleNamespace(perspective_matrix=matrix))
    assert [mark.number for mark in marks] == [2]


def test_one_camera_is_put_where_another_object_is(room):
    camera = find_role("camera")[2]
    target = bpy.data.objects.new("witness", bpy.data.cameras.new("witness"))
    bpy.context.scene.collection.objects.link(target)
    target.matrix_world = Matrix.LocRotScale(Vector((3, 4, 5)), Euler((1, 0.2, 0.5)), None)
    bpy.context.view_layer.update()
    select(target, camera)
    bpy.ops.da3.align_to_object()
    assert np.abs(np.array(camera.matrix_world) - np.array(target.matrix_world)).max() < 1e-5


def test_several_cameras_set_the_scale_too(room):
    cameras = find_role("camera")[1:4]
    move = Matrix.LocRotScale(Vector((3, 4, 5)), Euler((1, 0.2, 0.5)), Vector((2, 2, 2)))
    targets = []
    for index, ob in enumerate(cameras):  # other order of names than ours, matched by name
        target = bpy.data.objects.new(f"{ob['da3_image'].split('.')[0]}", None)
        bpy.context.scene.collection.objects.link(target)
        target.matrix_world = (move @ ob.matrix_world).normalized()
        assert index < 3
        targets.append(target)
    bpy.context.view_layer.update()
    before = room.matrix_world.copy()
    select(*targets, *cameras)
    bpy.ops.da3.align_to_object()
    assert np.abs(np.array(room.matrix_world) - np.array(move @ before)).max() < 1e-4


def test_two_shots_are_joined_by_picked_points(scene, build, room, tmp_path):
    move = Sim3(0.4, np.array(Euler((0.3, 2, 1)).to_matrix()), np.array([5.0, 0, 1]))
    build(write_room(tmp_path / "other", move=move), show_photos=False, update=False)
    first, second = find_roots()
    places = np.array([(-2, 1, -2), (2, 1, -2), (0, 1, 2.5), (1, -1, 3)])
    for root, found in ((first, places), (second, move.apply_to_points(places))):
        select(root)
        pick(*to_world(root, found))
    select(first)
    bpy.ops.da3.join_shots()
    joined = np.array(to_world(second, move.apply_to_points(make_room()[::500])))
    assert np.abs(joined - np.array(to_world(first, make_room()[::500]))).max() < 1e-3


def test_two_shots_are_joined_by_photos_that_both_have(scene, build, tmp_path):
    move = Sim3(0.4, np.array(Euler((0.3, 2, 1)).to_matrix()), np.array([5.0, 0, 1]))
    photos = [{"photo": str(tmp_path / f"{n}.jpg")} for n in range(6)]
    for name, change in (("a", None), ("b", move)):
        folder = write_room(tmp_path / name, move=change)
        path = folder / "manifest.json"
        text = path.read_text()
        for index, photo in enumerate(photos):
            text = text.replace(f"photos/{index:03d}.jpg", photo["photo"])
        path.write_text(text)
        build(folder, show_photos=False, update=False)
    first, second = find_roots()
    select(first)
    bpy.ops.da3.join_shots()
    joined = np.array(to_world(second, move.apply_to_points(make_room()[::500])))
    assert np.abs(joined - np.array(to_world(first, make_room()[::500]))).max() < 1e-3


def test_shots_without_anything_in_common_say_so(scene, build, tmp_path):
    for name in "ab":
        build(write_room(tmp_path / name), show_photos=False, update=False)
    select(find_roots()[0])
    with pytest.raises(RuntimeError, match="0 picked points of equal numbers and 0 photos"):
        bpy.ops.da3.join_shots()


def test_the_panel_offers_the_tools_and_asks_about_a_proposal(room, extension):
    panel = extension("panels.world").DA3_PT_world
    drawn = draw_panel(panel)
    assert "da3.propose_upright" in drawn.operators
    assert "da3.accept_upright" not in drawn.operators
    bpy.ops.da3.propose_upright()
    drawn = draw_panel(panel)
    assert "da3.propose_upright" not in drawn.operators
    assert {"da3.accept_upright", "da3.turn_down_upright"} <= set(drawn.operators)
    assert "of the points are on the floor" in drawn.text
    bpy.context.scene.da3.world.thing = "OWN"
    assert "height" in draw_panel(panel).list_kind("prop")


def test_without_a_reconstruction_the_tools_are_grey(scene):
    for name in ("propose_upright", "set_floor", "set_origin", "set_axis", "pick_point"):
        assert not getattr(bpy.ops.da3, name).poll()


def write_sequence(folder, move=None):
    """Write a room seen by one camera in frames 5 to 10; photos are named alike in all folders."""
    views = [{"name": f"f.{n:04d}.png", "frame": n, "photo": f"/plates/f.{n:04d}.png"} for n in
             range(5, 11)]  # fmt: skip
    points, w2c = make_room(), make_w2c(6, turns=0.3)
    if move is not None:
        points, w2c = move.apply_to_points(points), move.apply_to_w2c(w2c)
    source = {"kind": "sequence", "path": "/plates", "fps": 25.0}
    parts = {"points": points, "w2c": w2c, "count": len(points)}
    return write_result(folder, views, manifest={"source": source}, **parts)


def test_a_moving_camera_is_aligned_with_another_programs(scene, build, tmp_path):
    build(write_sequence(tmp_path / "r"), show_photos=False)
    root, (camera,) = find_roots()[0], find_role("camera")
    move = Matrix.LocRotScale(Vector((3, 4, 5)), Euler((1, 0.2, 0.5)), Vector((2, 2, 2)))
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.collection.objects.link(other)
    other.rotation_mode = "QUATERNION"
    for frame in range(5, 11):
        scene.frame_set(frame)
        other.matrix_world = (move @ camera.matrix_world).normalized()
        other.keyframe_insert("location", frame=frame)
        other.keyframe_insert("rotation_quaternion", frame=frame)
    scene.frame_set(7)
    select(other, camera)
    bpy.ops.da3.align_to_object()
    assert scene.frame_current == 7
    assert np.abs(np.array(root.matrix_world) - np.array(move)).max() < 1e-4


def test_two_sequences_are_joined_by_their_frames(scene, build, tmp_path):
    move = Sim3(0.4, np.array(Euler((0.3, 2, 1)).to_matrix()), np.array([5.0, 0, 1]))
    build(write_sequence(tmp_path / "a"), show_photos=False, update=False)
    build(write_sequence(tmp_path / "b", move), show_photos=False, update=False)
    first, second = find_roots()
    select(first)
    bpy.ops.da3.join_shots()
    joined = np.array(to_world(second, move.apply_to_points(make_room()[::500])))
    assert np.abs(joined - np.array(to_world(first, make_room()[::500]))).max() < 1e-3
