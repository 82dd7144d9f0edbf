# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand-over: files, read by the libraries of other programs, show fixed points as the scene does.

The truth is Blender's own `world_to_camera_view`, with a root that was moved, turned and scaled.
"""

import json

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402 - bpy first
from mathutils import Vector  # noqa: E402

from tests.addon.results import make_K, make_w2c, write_photo, write_result  # noqa: E402
from tests.contract.nuke_model import project_like_nuke, read_knob  # noqa: E402

SIZE = (640, 480)
FRAMES = [1001, 1002, 1003, 1005]  # the camera goes on between 1003 and 1005
EVERY = [1001, 1002, 1003, 1004, 1005]
CLOSE_PX = 0.05
SHOT = {"lens": 0, "width": SIZE[0], "height": SIZE[1]}


def build_shot(build, folder, *, zoom=0.0, aspect=1.0, is_centred=False, fps=24.0, **parts):
    """Build a moving camera below a root that the user has moved, turned and scaled."""
    centre = {} if is_centred else {"cx": 331.5, "cy": 222.25}
    K = np.stack(
        [
            make_K(*SIZE, fx=700 + zoom * i, fy=(700 + zoom * i) / aspect, **centre)
            for i in range(len(FRAMES))
        ]
    )
    names = [f"shot_{frame}.png" for frame in FRAMES]
    plate = folder.with_name("plate")
    views = [
        {**SHOT, "name": n, "frame": f, "photo": str(plate / n)}
        for n, f in zip(names, FRAMES, strict=True)
    ]
    manifest = {"source": {"kind": "sequence", "path": str(plate), "fps": fps}}
    manifest |= parts.pop("manifest", {})
    write_result(folder, views, w2c=make_w2c(4, 0.4), K=K, manifest=manifest, **parts)
    build(folder, show_photos=False)
    root = next(ob for ob in bpy.data.objects if ob.get("da3_role") == "root")
    root.scale = (2.5, 2.5, 2.5)
    root.rotation_euler = (0.3, 0.2, 0.5)
    root.location = (1, 2, 3)
    bpy.context.view_layer.update()
    return root


def make_points():
    """Return fixed points of Blender's world, in front of the cameras."""
    return np.random.default_rng(0).uniform(-2, 2, (40, 3)) + [1, 2, 3]


def project_by_blender(camera, frames, shift=0.0):
    """Return (F, M, 2) pixels from the top left corner."""
    scene, found = bpy.context.scene, []
    for frame in frames:
        scene.frame_set(int(frame + shift))
        found.append([world_to_camera_view(scene, camera, Vector(p))[:2] for p in make_points()])
    pixels = np.array(found)
    pixels[..., 1] = 1 - pixels[..., 1]
    return pixels * SIZE


def only_camera():
    (camera,) = [ob for ob in bpy.data.objects if ob.type == "CAMERA"]
    return camera


def hand_over(folder, *formats, **options):
    answer = bpy.ops.da3.hand_over(
        directory=str(folder), formats=set(formats), shot="sh010", **options
    )
    assert answer == {"FINISHED"}
    return {path.name: path for path in folder.iterdir()}


def import_again(importer, path, **options):
    """Import a file beside what is there; return the new objects."""
    before = set(bpy.data.objects)
    importer(filepath=str(path), **options)
    return [ob for ob in bpy.data.objects if ob not in before]


def read_positions(ob):
    """Return (M, 3) positions of vertices or points in the world."""
    data = ob.data.attributes["position"].data
    positions = np.empty((len(data), 3), np.float32)
    data.foreach_get("vector", positions.ravel())
    matrix = np.array(ob.matrix_world)
    return positions @ matrix[:3, :3].T + matrix[:3, 3]


def assert_same_cloud(objects, expected):
    (cloud,) = [ob for ob in objects if ob.type in ("MESH", "POINTCLOUD")]
    bpy.context.view_layer.update()
    assert np.abs(read_positions(cloud) - expected).max() < 1e-4


def find_cloud():
    return next(ob for ob in bpy.data.objects if ob.get("da3_role") == "points")


@pytest.mark.parametrize("aspect", [1.0, 1.02, 0.97])
def test_alembic_keeps_camera_and_cloud(scene, build, tmp_path, aspect):
    # 4.5 writes the focal length of every frame too, but its importer reads the first only
    zoom = 30.0 if bpy.app.version >= (5, 0, 0) else 0.0
    build_shot(build, tmp_path / "r", zoom=zoom, aspect=aspect)
    expected, cloud = project_by_blender(only_camera(), EVERY), read_positions(find_cloud())
    files = hand_over(tmp_path / "out", "ABC")
    assert list(files) == ["sh010_scene_v001.abc"]
    new = import_again(bpy.ops.wm.alembic_import, *files.values(), as_background_job=False)
    (camera,) = [ob for ob in new if ob.type == "CAMERA"]
    assert np.abs(project_by_blender(camera, EVERY) - expected).max() < CLOSE_PX
    # the film back has the shape of the picture, for programs that look at both sides
    assert camera.data.sensor_height == pytest.approx(36 * 0.75 * aspect)
    assert_same_cloud(new, cloud)


@pytest.mark.parametrize("fps", [24.0, 24000 / 1001])
def test_usd_is_read_by_its_own_library(scene, build, tmp_path, fps):
    build_shot(build, tmp_path / "r", zoom=30.0, aspect=1.02, fps=fps)
    expected, cloud = project_by_blender(only_camera(), EVERY), read_positions(find_cloud())
    (path,) = hand_over(tmp_path / "out", "USD").values()
    bpy.utils.expose_bundled_modules()
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (1001, 1005)
    assert stage.GetTimeCodesPerSecond() == pytest.approx(fps, rel=1e-5)
    (camera,) = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Camera)]
    y_up = make_points()[:, [0, 2, 1]] * [1, 1, -1]
    for frame, pixels in zip(EVERY, expected, strict=True):
        frustum = UsdGeom.Camera(camera).GetCamera(frame).frustum
        matrix = np.array(frustum.ComputeViewMatrix()) @ np.array(frustum.ComputeProjectionMatrix())
        clip = np.c_[y_up, np.ones(len(y_up))] @ matrix
        ndc = clip[:, :2] / clip[:, 3:]
        found = (ndc * [0.5, -0.5] + 0.5) * SIZE
        assert np.abs(found - pixels).max() < CLOSE_PX
    (points,) = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Points)]
    place = np.array(UsdGeom.XformCache(1001).GetLocalToWorldTransform(points))
    positions = np.array(points.GetAttribute("points").Get(1001))
    world = positions @ place[:3, :3] + place[3, :3]
    assert np.abs(world - cloud[:, [0, 2, 1]] * [1, 1, -1]).max() < 1e-4
    colours = UsdGeom.PrimvarsAPI(points).GetPrimvar("displayColor").Get(1001)
    assert len(colours) == len(cloud)


def test_fbx_keeps_the_frames(scene, build, tmp_path):
    build_shot(build, tmp_path / "r", zoom=30.0)
    expected, cloud = project_by_blender(only_camera(), EVERY), read_positions(find_cloud())
    (path,) = hand_over(tmp_path / "out", "FBX").values()
    # time 0 of an FBX is frame 0 of the program that reads it; Blender adds one unless told
    new = import_again(bpy.ops.import_scene.fbx, path, anim_offset=0.0)
    (camera,) = [ob for ob in new if ob.type == "CAMERA"]
    assert np.abs(project_by_blender(camera, EVERY) - expected).max() < CLOSE_PX
    assert_same_cloud(new, cloud)
    for ob in new:
        bpy.data.objects.remove(ob)
    new = import_again(bpy.ops.wm.fbx_import, path, anim_offset=0.0)
    (camera,) = [ob for ob in new if ob.type == "CAMERA"]
    assert np.abs(project_by_blender(camera, EVERY) - expected).max() < CLOSE_PX


def test_nuke_scripts_show_the_scene(scene, build, tmp_path):
    root = build_shot(build, tmp_path / "r", zoom=30.0, aspect=1.02)
    only_camera().data.sensor_fit = "AUTO"
    expected = project_by_blender(only_camera(), EVERY)
    files = hand_over(tmp_path / "out", "NUKE", "ABC")
    text = files["sh010_nuke_v001.nk"].read_text(encoding="utf-8")
    y_up = make_points()[:, [0, 2, 1]] * [1, 1, -1]
    for frame, pixels in zip(EVERY, expected, strict=True):
        names = ("translate", "rotate", "win_translate", "win_scale", "focal", "haperture")
        camera = {name: read_knob(text, name, frame) for name in names}
        camera["focal"], camera["haperture"] = camera["focal"][0], camera["haperture"][0]
        assert np.abs(project_like_nuke(camera, y_up, SIZE) - pixels).max() < CLOSE_PX
    plate = tmp_path / "plate" / "shot_%04d.png"
    assert f'file "{plate.as_posix()}"' in text
    assert f'file "{files["sh010_scene_v001.abc"].as_posix()}"' in text
    assert "first_frame 1001" in text
    assert "last_frame 1005" in text
    assert root.scale.x == 2.5


def test_a_chan_shows_the_scene(scene, build, tmp_path):
    build_shot(build, tmp_path / "r", zoom=30.0, is_centred=True)
    expected = project_by_blender(only_camera(), EVERY)
    (path,) = hand_over(tmp_path / "out", "CHAN").values()
    y_up = make_points()[:, [0, 2, 1]] * [1, 1, -1]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [int(line.split()[0]) for line in lines] == EVERY
    for line, pixels in zip(lines, expected, strict=True):
        _, *numbers, vfov = (float(word) for word in line.split())
        camera = {
            "translate": numbers[:3],
            "rotate": numbers[3:],
            "focal": 13.5 / np.tan(np.deg2rad(vfov) / 2),
            "haperture": 36.0,
            "win_translate": (0, 0),
            "win_scale": (1, 1),
        }
        assert np.abs(project_like_nuke(camera, y_up, SIZE) - pixels).max() < CLOSE_PX


def test_transforms_colmap_and_our_own_file_have_the_frames_with_pictures(
    scene, build, extension, tmp_path
):
    build_shot(build, tmp_path / "r", zoom=30.0, aspect=1.02)
    expected = project_by_blender(only_camera(), FRAMES)
    cloud = read_positions(find_cloud())
    files = hand_over(tmp_path / "out", "TRANSFORMS", "COLMAP", "COLMAP_TEXT", "CAMERAS")
    assert sorted(files) == [
        "sh010_cameras_v001.json",
        "sh010_colmap-text_v001",
        "sh010_colmap_v001",
        "sh010_points_v001.ply",
        "sh010_transforms_v001.json",
    ]
    content = json.loads(files["sh010_transforms_v001.json"].read_text(encoding="utf-8"))
    photos = [(tmp_path / "plate" / f"shot_{frame}.png").as_posix() for frame in FRAMES]
    assert [frame["file_path"] for frame in content["frames"]] == photos
    assert content["ply_file_path"] == "sh010_points_v001.ply"
    for frame, pixels in zip(content["frames"], expected, strict=True):
        entry = {**content, **frame}
        local = np.c_[make_points(), np.ones(40)] @ np.linalg.inv(entry["transform_matrix"]).T
        x = local[:, 0] / -local[:, 2] * entry["fl_x"] + entry["cx"]
        y = local[:, 1] / local[:, 2] * entry["fl_y"] + entry["cy"]
        assert np.abs(np.stack([x, y], 1) - pixels).max() < CLOSE_PX
    head, _, body = files["sh010_points_v001.ply"].read_bytes().partition(b"end_header\n")
    rows = np.frombuffer(body, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    assert f"element vertex {len(cloud)}".encode() in head
    assert np.abs(rows["xyz"] - cloud).max() < 1e-4
    detect = extension("da3_blender.camera_files").detect_and_read
    project = extension("da3_blender.contract.projection").project
    opencv = make_points()[:, [0, 2, 1]] * [1, -1, 1]
    for name in ("sh010_cameras_v001.json", "sh010_colmap-text_v001", "sh010_colmap_v001"):
        found = detect(files[name])
        assert [view.frame for view in found.views] == FRAMES
        assert [view.name for view in found.views] == [f"shot_{frame}.png" for frame in FRAMES]
        for index, pixels in enumerate(expected):
            at = project(opencv, found.K[index], found.w2c[index])[0]
            assert np.abs(at - pixels).max() < CLOSE_PX


def write_tracked(build, folder, **changes):
    """Build a shot whose result has a lens and tracks."""
    lens = {"model": "OPENCV", "params": [700, 700, 331.5, 222.25, -0.1, 0.02, 0, 0]}
    return build_shot(
        build,
        folder,
        manifest={"lenses": [{**lens, "width": SIZE[0], "height": SIZE[1]}]},
        track_points=np.array([[0, 0, 0], [0.5, 0.2, 0.1], [0, 0.3, 0]], np.float32),
        track_colours=np.full((3, 3), 99, np.uint8),
        track_error_px=np.full(3, 0.5, np.float32),
        observation_view=np.array([0, 1, 3, 0, 2], np.int32),
        observation_track=np.array([0, 0, 0, 1, 1], np.int32),
        observation_px=np.arange(10, dtype=np.float32).reshape(5, 2),
        **changes,
    )


def test_colmap_gets_lens_and_tracks_of_the_result(scene, build, extension, tmp_path):
    root = write_tracked(build, tmp_path / "r")
    files = hand_over(tmp_path / "out", "COLMAP")
    found = extension("da3_blender.camera_files.colmap").read_colmap(files["sh010_colmap_v001"])
    assert found.cameras.lenses[0].model == "OPENCV"
    assert found.tracks.view.tolist() == [0, 1, 3, 0, 2]
    assert found.tracks.track.tolist() == [0, 0, 0, 1, 1]
    assert found.tracks.px[1].tolist() == [2, 3]
    moved = root.matrix_world @ Vector((0.5, 0.1, -0.2))
    found_there = found.tracks.points[1][[0, 2, 1]] * [1, 1, -1]
    np.testing.assert_allclose(found_there, moved, atol=1e-5)


def test_a_lens_that_the_user_has_changed_is_a_pinhole_without_tracks_of_moved_cameras(
    scene, build, extension, tmp_path
):
    write_tracked(build, tmp_path / "r")
    camera = only_camera()
    camera.data.lens *= 1.1
    camera.delta_location.x = 0.5
    files = hand_over(tmp_path / "out", "COLMAP")
    found = extension("da3_blender.camera_files.colmap").read_colmap(files["sh010_colmap_v001"])
    assert found.cameras.lenses[0].model == "PINHOLE"
    assert found.cameras.K[0, 0, 0] == pytest.approx(770)
    assert len(found.tracks.view) == 0
    assert len(found.tracks.points) == 500


def photograph(root):
    """Return what a hand-over could have changed."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    render = scene.render
    return (
        [ob.name for ob in bpy.data.objects],
        [len(getattr(bpy.data, kind)) for kind in ("meshes", "pointclouds", "cameras", "actions")],
        sorted(ob.name for ob in layer.objects if ob.select_get()),
        sorted(ob.name for ob in layer.objects if ob.hide_get()),
        layer.objects.active.name,
        (scene.frame_current, scene.frame_start, scene.frame_end, scene.camera.name),
        (render.resolution_x, render.resolution_y, render.pixel_aspect_x),
        [ob.data.sensor_height for ob in bpy.data.objects if ob.type == "CAMERA"],
        [len(ob.modifiers) for ob in bpy.data.objects],
        [name.name for name in find_cloud().data.attributes],
    )


def test_nothing_in_the_scene_is_different_afterwards(scene, build, tmp_path):
    root = build_shot(build, tmp_path / "r", aspect=1.02)
    find_cloud().hide_set(state=True)
    scene.frame_set(1003)
    scene.frame_end = 1234
    scene.render.resolution_x = 99
    before = photograph(root)
    hand_over(tmp_path / "out", "ABC", "USD", "FBX", "NUKE", "CAMERAS")
    assert photograph(root) == before


def test_versions_count_up_and_a_chosen_one_is_replaced(scene, build, tmp_path):
    build_shot(build, tmp_path / "r", is_centred=True)
    out = tmp_path / "out"
    hand_over(out, "CHAN", "COLMAP")
    hand_over(out, "CHAN")
    files = hand_over(out, "COLMAP")
    assert sorted(files) == [
        "sh010_camera_v001.chan",
        "sh010_camera_v002.chan",
        "sh010_colmap_v001",
        "sh010_colmap_v002",
    ]
    files["sh010_camera_v002.chan"].write_text("old", encoding="utf-8")
    hand_over(out, "CHAN", "COLMAP", version=2, template="{shot}_{what}_v{version:03d}")
    assert len(list(out.iterdir())) == 4
    assert files["sh010_camera_v002.chan"].read_text(encoding="utf-8") != "old"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"template": "{shot}_v{version}"}, "what"),
        ({"template": "{shot}_{what}_{date}"}, "date"),
        ({"template": "a/{what}"}, "letters"),
    ],
)
def test_templates_that_give_no_names_are_refused(scene, build, tmp_path, options, says):
    build_shot(build, tmp_path / "r")
    with pytest.raises(RuntimeError, match=says):
        hand_over(tmp_path / "out", "CAMERAS", **options)
    assert not (tmp_path / "out").exists()


def test_photos_go_where_photos_can_and_nothing_is_left_of_a_failure(scene, build, tmp_path):
    views = [{**SHOT, "name": f"p{i}.jpg", "photo": f"photos/p{i}.jpg"} for i in range(3)]
    write_result(tmp_path / "r", views, w2c=make_w2c(3, 0.2))
    for view in views:
        write_photo(tmp_path / "r" / view["photo"])
    build(tmp_path / "r")
    files = hand_over(tmp_path / "out", "TRANSFORMS", "CHAN", "ABC", with_cloud=False)
    assert sorted(files) == ["sh010_scene_v001.abc", "sh010_transforms_v001.json"]
    content = json.loads(files["sh010_transforms_v001.json"].read_text(encoding="utf-8"))
    photo = tmp_path / "r" / "photos" / "p1.jpg"
    assert content["frames"][1]["file_path"] == photo.as_posix()
    new = import_again(
        bpy.ops.wm.alembic_import, files["sh010_scene_v001.abc"], as_background_job=False
    )
    assert len([ob for ob in new if ob.type == "CAMERA"]) == 3
    assert not [ob for ob in new if ob.type == "MESH"]
    with pytest.raises(RuntimeError, match="moving camera"):
        hand_over(tmp_path / "none", "CHAN", "NUKE")
    assert not (tmp_path / "none").exists()
