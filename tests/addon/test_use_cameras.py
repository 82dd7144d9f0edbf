# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of the scene in a file: they see what Blender sees, to a thousandth of a pixel."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402 - bpy first
from mathutils import Euler, Matrix, Vector  # noqa: E402

from da3_blender.contract.camera_file import read_camera_file  # noqa: E402
from da3_blender.contract.cameras import from_blender_points  # noqa: E402
from tests.addon.results import write_photo, write_photos_result, write_result  # noqa: E402

POINTS = np.random.default_rng(0).uniform((-2, 3, -2), (2, 9, 2), (12, 3))  # before +y
LEVEL = Euler((np.pi / 2, 0, 0))
# Blender keeps matrices and lenses in single precision: 1e-7 of 2000 pixels, some times over.
TOLERANCE_PX = 2e-3


def add_camera(name="cam", place=(0.3, -2, 0.2), turn=(1.5, 0.1, 0.05)):
    ob = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    bpy.context.scene.collection.objects.link(ob)
    ob.location, ob.rotation_euler = place, turn
    return ob


def take(*cameras, **choices):
    """Select cameras, press the button, return what is in the file."""
    for ob in bpy.context.scene.objects:
        ob.select_set(ob in cameras)
    assert bpy.ops.da3.use_cameras(**choices) == {"FINISHED"}
    from pathlib import Path

    return read_camera_file(Path(bpy.context.scene.da3.known_cameras))


def project(cameras, index):
    """Return (M, 2) pixels, y down, where a camera of the file sees the points."""
    points = from_blender_points(POINTS)
    w2c = cameras.w2c[index]
    local = points @ w2c[:3, :3].T + w2c[:3, 3]
    pixels = local @ cameras.K[index].T
    return pixels[:, :2] / pixels[:, 2:]


def project_in_blender(ob, size):
    bpy.context.view_layer.update()
    scene = bpy.context.scene
    shares = [world_to_camera_view(scene, ob, Vector(point)) for point in POINTS]
    return np.array([(s.x * size[0], (1 - s.y) * size[1]) for s in shares])


def compare(cameras, index, ob):
    view = cameras.views[index]
    size = (view.width, view.height)
    return np.abs(project(cameras, index) - project_in_blender(ob, size)).max()


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920)])
@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("aspect", [(1, 1), (2, 1), (1, 1.5)])
def test_any_sensor_fit_shift_and_pixel_aspect(scene, tmp_path, size, fit, aspect):
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 50
    render.pixel_aspect_x, render.pixel_aspect_y = aspect
    ob = add_camera()
    data = ob.data
    data.sensor_fit, data.sensor_width, data.sensor_height = fit, 30, 20
    data.lens, data.shift_x, data.shift_y = 28, 0.11, -0.07
    cameras = take(ob, filepath=str(tmp_path / "cameras.json"))
    assert [(v.name, v.frame, v.width, v.height) for v in cameras.views] == [
        ("cam", None, size[0] // 2, size[1] // 2)
    ]
    assert compare(cameras, 0, ob) < TOLERANCE_PX


def test_a_moving_camera_below_parents_and_constraints_with_a_zoom(scene, tmp_path):
    scene.frame_start, scene.frame_end, scene.render.fps = 5, 12, 30
    parent = bpy.data.objects.new("rig", None)
    scene.collection.objects.link(parent)
    parent.scale, parent.rotation_euler = (2, 2, 2), (0, 0, 0.3)
    target = bpy.data.objects.new("target", None)
    scene.collection.objects.link(target)
    target.location = (0.2, 6, 0.1)
    ob = add_camera()
    ob.parent = parent
    track = ob.constraints.new("TRACK_TO")
    track.target, track.track_axis, track.up_axis = target, "TRACK_NEGATIVE_Z", "UP_Y"
    for frame, x, lens in ((5, -0.5, 24), (12, 0.5, 60)):
        ob.location.x, ob.data.lens = x, lens
        ob.keyframe_insert("location", frame=frame)
        ob.data.keyframe_insert("lens", frame=frame)
    scene.frame_set(7)
    cameras = take(ob, filepath=str(tmp_path / "cameras.json"))
    assert scene.frame_current == 7
    assert [view.frame for view in cameras.views] == list(range(5, 13))
    assert cameras.fps == 30
    for index, frame in enumerate(range(5, 13)):
        scene.frame_set(frame)
        assert compare(cameras, index, ob) < TOLERANCE_PX


def test_still_cameras_are_named_like_their_pictures(scene, tmp_path):
    plain, witness = add_camera("plain"), add_camera("witness", place=(2, -3, 1))
    photo = write_photo(tmp_path / "IMG_0042.png")
    witness.data.background_images.new().image = bpy.data.images.load(str(photo))
    marker = scene.timeline_markers.new("cut", frame=31)
    marker.camera = plain
    cameras = take(plain, witness, filepath=str(tmp_path / "cameras.json"))
    assert [(v.name, v.frame) for v in cameras.views] == [("plain", 31), ("IMG_0042.png", None)]
    assert compare(cameras, 1, witness) < TOLERANCE_PX


def test_a_still_camera_before_a_moving_plate_has_all_frames(scene, tmp_path):
    scene.frame_start, scene.frame_end = 1, 4
    ob = add_camera()
    photo = write_photo(tmp_path / "plate.0001.png")
    image = bpy.data.images.load(str(photo))
    image.source = "SEQUENCE"
    ob.data.background_images.new().image = image
    cameras = take(ob, filepath=str(tmp_path / "cameras.json"))
    assert [view.frame for view in cameras.views] == [1, 2, 3, 4]
    assert np.ptp(cameras.w2c, axis=0).max() == 0


def test_cameras_of_a_reconstruction_are_its_photos_where_they_stand_now(scene, build, tmp_path):
    build(write_photos_result(tmp_path / "r", 3))
    root = next(ob for ob in scene.objects if ob.get("da3_role") == "root")
    root.matrix_world = Matrix.LocRotScale(Vector((1, 2, 3)), Euler((0.2, 0.1, 0.4)), (2, 2, 2))
    bpy.context.view_layer.update()
    ours = [ob for ob in scene.objects if ob.get("da3_role") == "camera"]
    scene.render.resolution_x = 999  # of something else
    cameras = take(*ours, filepath=str(tmp_path / "cameras.json"))
    assert [view.name for view in cameras.views] == ["000.jpg", "001.jpg", "002.jpg"]
    assert {(view.width, view.height) for view in cameras.views} == {(64, 48)}
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    for index, ob in enumerate(ours):
        assert compare(cameras, index, ob) < TOLERANCE_PX


def test_other_kinds_of_cameras_and_several_moving_ones_are_refused(scene, tmp_path):
    ob, other = add_camera("a"), add_camera("b")
    ob.data.type = "ORTHO"
    with pytest.raises(RuntimeError, match="a is not a perspective camera"):
        take(ob)
    ob.data.type = "PERSP"
    for frame in (1, 20):
        ob.location.x = frame
        ob.keyframe_insert("location", frame=frame)
    scene.frame_set(3)
    with pytest.raises(RuntimeError, match="a moves, and 2 cameras are selected"):
        take(ob, other)
    assert scene.frame_current == 3
    assert scene.da3.known_cameras == ""


def test_a_camera_from_usd_is_a_camera(scene, tmp_path):
    """As another program's camera comes: exported, deleted, imported, used."""
    scene.frame_start, scene.frame_end = 1, 6
    ob = add_camera("shotcam")
    for frame in (1, 6):
        ob.location.x, ob.data.lens = 0.1 * frame, 30 + frame
        ob.keyframe_insert("location", frame=frame)
        ob.data.keyframe_insert("lens", frame=frame)
    truth = take(ob, filepath=str(tmp_path / "truth.json"))
    path = tmp_path / "shot.usda"
    bpy.ops.wm.usd_export(filepath=str(path), export_animation=True)
    bpy.data.objects.remove(ob)
    bpy.ops.wm.usd_import(filepath=str(path), set_frame_range=False)
    (back,) = [ob for ob in scene.objects if ob.type == "CAMERA"]
    cameras = take(back, filepath=str(tmp_path / "back.json"))
    assert [view.frame for view in cameras.views] == [1, 2, 3, 4, 5, 6]
    for index in range(6):
        difference = project(cameras, index) - project(truth, index)
        # USD keeps the lens in tenths of a world unit, single precision
        assert np.abs(difference).max() < 0.01


def test_without_a_camera_the_button_is_grey(scene):
    assert not bpy.ops.da3.use_cameras.poll()


def test_it_is_written_beside_the_blend(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    ob = add_camera("my cam")
    cameras = take(ob)
    assert scene.da3.known_cameras == str(tmp_path / "my_cam_cameras.json")
    assert len(cameras.views) == 1


def test_a_result_with_these_cameras_stands_among_them(scene, build, tmp_path):
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    theirs = [add_camera("a"), add_camera("b", place=(2, -3, 1))]
    cameras = take(*theirs, filepath=str(tmp_path / "cameras.json"))
    folder = write_result(tmp_path / "r", [{}, {}], w2c=cameras.w2c, K=cameras.K)
    build(folder, show_photos=False)
    bpy.context.view_layer.update()
    ours = [ob for ob in scene.objects if ob.get("da3_role") == "camera"]
    for mine, known in zip(ours, theirs, strict=True):
        assert np.abs(np.array(mine.matrix_world) - np.array(known.matrix_world)).max() < 1e-5
        difference = project_in_blender(mine, (64, 48)) - project_in_blender(known, (64, 48))
        assert np.abs(difference).max() < TOLERANCE_PX
