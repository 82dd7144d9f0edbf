# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera flights: where they go, how they are updated, and the videos that Blender renders."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Euler, Matrix, Vector  # noqa: E402 - bpy first

from tests.addon.recording_layout import draw_panel  # noqa: E402
from tests.addon.results import SIZE, make_K, make_points, make_w2c, write_result  # noqa: E402

TURNED = Matrix.LocRotScale(Vector((3, -2, 1)), Euler((0.3, 0.5, 2.0)), Vector((2.5, 2.5, 2.5)))


@pytest.fixture
def settings(scene):
    return scene.da3.flight


@pytest.fixture
def photos(scene, build, tmp_path):
    """Five still cameras around a cloud."""
    build(write_result(tmp_path / "house", [{} for _ in range(5)], w2c=make_w2c(5)))
    return of_role("root")[0]


def of_role(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def fly(settings, **choices):
    """Choose, press the button, return the flight."""
    for name, value in choices.items():
        setattr(settings, name, value)
    assert bpy.ops.da3.add_flight() == {"FINISHED"}
    bpy.context.view_layer.update()
    (flight,) = of_role("flight")
    return flight


def read_curves(block):
    """Return the keys of a data-block by path: (F, C + 1), the frame first."""
    if block.animation_data is None:
        return {}
    found = {}
    for curve in block.animation_data.action.layers[0].strips[0].channelbags[0].fcurves:
        assert {key.interpolation for key in curve.keyframe_points} == {"LINEAR"}
        co = np.array([key.co for key in curve.keyframe_points])
        found.setdefault(curve.data_path, [co[:, 0]]).append(co[:, 1])
    return {path: np.stack(columns, axis=1) for path, columns in found.items()}


def read_world(ob, frame):
    """Return (4, 4) camera to world without scale."""
    bpy.context.scene.frame_set(frame)
    location, rotation, _ = ob.matrix_world.decompose()
    return np.array(Matrix.LocRotScale(location, rotation, None))


def test_the_original_flight_is_at_every_view_wherever_the_root_is(photos, scene, settings):
    photos.matrix_world = TURNED
    flight = fly(settings, mode="original", start_frame=11)
    assert flight.parent == photos
    assert scene.camera == flight
    assert (scene.frame_start, scene.frame_end) == (11, 15)
    assert (scene.render.fps, scene.render.fps_base) == (24, 1)
    assert (scene.render.resolution_x, scene.render.resolution_y) == SIZE
    for index, camera in enumerate(of_role("camera")):
        difference = read_world(flight, 11 + index) - read_world(camera, 11 + index)
        assert np.abs(difference).max() < 1e-5
        assert flight.data.lens == pytest.approx(camera.data.lens)


def test_the_flight_follows_cameras_that_are_hidden_or_were_moved(photos, settings):
    cameras = of_role("camera")
    for camera in cameras:
        camera.hide_set(state=True)
    bpy.context.view_layer.update()
    photos.matrix_world = TURNED  # hidden cameras are not evaluated after this
    cameras[2].location.z += 1.5
    flight = fly(settings, mode="original")
    wanted = photos.matrix_world @ cameras[2].matrix_basis
    found = read_world(flight, 3)
    assert np.abs(found[:3, 3] - np.array(wanted.translation)).max() < 1e-5


def test_the_lens_and_shift_of_each_view_are_flown_through(scene, build, settings, tmp_path):
    K = np.stack([make_K(*SIZE, fx=60.0 + 5 * n, fy=60.0 + 5 * n, cx=30.0 + n) for n in range(4)])
    build(write_result(tmp_path / "r", [{} for _ in range(4)], K=K))
    flight = fly(settings, mode="original")
    curves = read_curves(flight.data)
    assert np.allclose(curves["lens"][:, 1], [36 * (60 + 5 * n) / 64 for n in range(4)])
    assert np.allclose(curves["shift_x"][:, 1], [(32 - 30 - n) / 64 for n in range(4)], atol=1e-6)
    assert "shift_y" not in curves


@pytest.mark.parametrize("loop", ["NONE", "BACK", "RING"])
@pytest.mark.parametrize("mode", ["interpolate_smooth", "extend", "original"])
def test_rotations_never_jump(scene, build, settings, tmp_path, mode, loop):
    """Also where a ring turns the quaternion to its other sign."""
    build(write_result(tmp_path / "r", [{} for _ in range(12)], w2c=make_w2c(12, turns=11 / 12)))
    flight = fly(settings, mode=mode, loop=loop, timing="SECONDS", seconds=6.0)
    curves = read_curves(flight)
    turns = curves["rotation_quaternion"][:, 1:]
    assert len(turns) == 144
    assert np.allclose(np.linalg.norm(turns, axis=1), 1, atol=1e-5)
    dots = (turns[1:] * turns[:-1]).sum(axis=1)
    assert dots.min() > math.cos(math.radians(20) / 2)
    if loop != "NONE":  # the last frame leads on to the first one
        way = curves["location"][:, 1:]
        steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
        assert np.linalg.norm(way[0] - way[-1]) < 1.5 * steps.max()
        assert abs(turns[0] @ turns[-1]) > math.cos(math.radians(20) / 2)


def test_lens_keys_come_and_go_with_the_mode(photos, settings):
    flight = fly(settings, mode="dolly_zoom")
    assert set(read_curves(flight.data)) == {"lens"}
    assert set(read_curves(flight)) == {"location", "rotation_quaternion"}
    fly(settings, mode="wander")
    assert flight.data.animation_data is None
    assert len(bpy.data.actions) == 1


def test_a_second_run_changes_the_same_camera_and_nothing_of_the_users(photos, settings):
    flight = fly(settings, mode="wander")
    flight.name = "my flight"
    flight.data.dof.use_dof = True
    flight.data.clip_end = 77
    other = fly(settings, mode="interpolate")
    assert other == flight
    assert other.name == "my flight"
    assert (other.data.dof.use_dof, other.data.clip_end) == (True, 77)
    assert len(bpy.data.actions) == 1
    assert len(of_role("camera")) == 5


def test_keys_that_the_user_has_edited_are_kept_in_their_action(photos, settings):
    flight = fly(settings, mode="interpolate")
    action = flight.animation_data.action
    curve = action.layers[0].strips[0].channelbags[0].fcurves[0]
    curve.keyframe_points[3].co.y = 42
    fly(settings, mode="wander")
    assert action.use_fake_user
    assert curve.keyframe_points[3].co.y == 42
    assert flight.animation_data.action != action
    assert len(read_curves(flight)["location"]) == 122


def test_it_can_be_undone(photos, settings):
    bpy.ops.ed.undo_push(message="Before")
    settings.mode = "wander"
    bpy.ops.da3.add_flight()
    bpy.ops.ed.undo_push(message="Flight")
    assert of_role("flight")
    bpy.ops.ed.undo()
    assert not of_role("flight")
    assert len(of_role("camera")) == 5


def test_a_single_view_is_wandered_around_and_said_so(scene, build, extension, settings, tmp_path):
    build(write_result(tmp_path / "r", [{}]))
    settings.mode = "extend"
    make = extension("da3_blender.scene.flight_camera").make_flight
    report = make(bpy.context, of_role("root")[0], settings)
    assert any("one view only" in note for note in report.notes)
    camera = of_role("camera")[0]
    assert np.abs(read_world(report.camera, 1) - read_world(camera, 1)).max() < 1e-5
    assert report.last == 122


def test_a_video_is_flown_through_frame_by_frame(scene, build, settings, tmp_path):
    w2c = make_w2c(6, turns=0.8)
    frames = [10, 12, 15, 16, 20, 30]
    views = [{"name": f"clip.mp4#{n:06d}", "frame": n} for n in frames]
    source = {"kind": "video", "path": "clip.mp4", "fps": 25.0}
    K = np.stack([make_K(*SIZE, fx=60.0 + n, fy=60.0 + n) for n in range(6)])
    folder = write_result(tmp_path / "r", views, w2c=w2c, K=K, manifest={"source": source})
    build(folder, show_photos=False)
    (camera,) = of_role("camera")
    shown = [(read_world(camera, frame), camera.data.lens) for frame in frames]
    flight = fly(settings, mode="original")
    for index, (place, lens) in enumerate(shown):
        assert np.abs(read_world(flight, 1 + index) - place).max() < 1e-5
        assert flight.data.lens == pytest.approx(lens)
    assert scene.frame_end == 6


def test_a_dolly_zoom_keeps_the_size_of_what_lies_at_the_median_depth(photos, settings):
    camera = of_role("camera")[1]
    points = np.c_[make_points(500), np.ones(500)] @ make_w2c(5)[1].T
    depth = np.median(points[:, 2])
    flight = fly(settings, mode="dolly_zoom", around=camera, travel=0.5)
    start = np.array(camera.matrix_basis.translation)
    way = read_curves(flight)["location"][:, 1:]
    moved = np.linalg.norm(way - start, axis=1)
    assert moved.max() == pytest.approx(depth / 2, rel=0.01)
    size = read_curves(flight.data)["lens"][:, 1] / (depth + moved)
    assert np.allclose(size, size[0], rtol=1e-4)


def test_the_releases_lengths_are_an_option(photos, settings):
    flight = fly(settings, mode="dolly_zoom", depth_from="RELEASE")
    start = np.array(of_role("camera")[0].matrix_basis.translation)
    moved = np.linalg.norm(read_curves(flight)["location"][:, 1:] - start, axis=1)
    assert moved.max() == pytest.approx(2, rel=0.01)
    size = read_curves(flight.data)["lens"][:, 1] / (30 + moved)
    assert np.allclose(size, size[0], rtol=1e-4)


def test_wandering_suits_the_depth(photos, settings):
    """The picture moves by 24 of the 504 pixels that the network sees, at the chosen distance."""
    flight = fly(settings, mode="wander", depth_from="OWN", depth=8.0)
    camera = of_role("camera")[0]
    right = np.array(camera.matrix_basis)[:3, 0]
    offset = read_curves(flight)["location"][:, 1:] - np.array(camera.matrix_basis.translation)
    assert np.abs(offset @ right).max() * 1.2 / 8.0 == pytest.approx(24 / 504, rel=1e-3)


def test_seconds_and_frames_per_view_tell_the_length(photos, scene, settings):
    fly(settings, mode="interpolate", timing="SECONDS", seconds=3.0, start_frame=5)
    assert (scene.frame_start, scene.frame_end) == (5, 76)
    flight = fly(settings, timing="GAP", frames_per_gap=20, start_frame=1)
    assert scene.frame_end == 81
    for index, camera in enumerate(of_role("camera")):
        frame = 1 + 20 * index
        assert np.abs(read_world(flight, frame) - read_world(camera, frame)).max() < 1e-4


def test_backwards_begins_at_the_last_view(photos, settings):
    flight = fly(settings, mode="interpolate", is_reversed=True)
    last = of_role("camera")[-1]
    assert np.abs(read_world(flight, 1) - read_world(last, 1)).max() < 1e-4


def test_without_points_the_reason_is_told(scene, build, extension, settings, tmp_path):
    build(write_result(tmp_path / "r", [{}, {}]), make_points=False)
    settings.mode = "dolly_zoom"
    make = extension("da3_blender.scene.flight_camera").make_flight
    report = make(bpy.context, of_role("root")[0], settings)
    assert any("no points to measure" in note for note in report.notes)


def test_without_cameras_it_says_what_to_do(scene, build, settings, tmp_path):
    build(write_result(tmp_path / "r", [{}, {}]), make_cameras=False)
    with pytest.raises(RuntimeError, match=r"has no cameras\. Turn Cameras on"):
        bpy.ops.da3.add_flight()


def test_without_a_reconstruction_the_buttons_are_grey(scene):
    assert not bpy.ops.da3.add_flight.poll()
    assert not bpy.ops.da3.render_flight.poll()


def read_settings(scene):
    """Return everything of a scene that a render could leave changed, as plain values."""
    found = {}
    for owner in (
        scene,
        scene.render,
        scene.render.image_settings,
        scene.render.ffmpeg,
        scene.view_settings,
    ):
        for item in owner.bl_rna.properties:
            if item.identifier == "use_nodes":  # 5.0 and later warn when it is read
                continue
            if item.type in ("INT", "FLOAT", "BOOLEAN", "STRING", "ENUM"):
                value = getattr(owner, item.identifier)
                found[f"{owner.bl_rna.identifier}.{item.identifier}"] = (
                    tuple(value) if getattr(item, "is_array", False) else value
                )
    found["camera"], found["world"] = scene.camera.name, scene.world.name
    found["markers"] = [
        (m.name, m.frame, m.camera.name) for m in scene.timeline_markers if m.camera
    ]
    found["override"] = scene.view_layers[0].material_override
    found["hidden"] = [ob.hide_render for ob in scene.objects]
    return found


def find_changes(scene, before):
    """Return what is no longer as it was: name, before, now."""
    now = read_settings(scene)
    return [(name, value, now[name]) for name, value in before.items() if now[name] != value]


@pytest.fixture
def quick(photos, scene, settings, tmp_path):
    """A flight of four frames and a render that takes no time."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.cycles.use_denoising = 1, "CPU", False
    fly(settings, mode="interpolate", timing="SECONDS", seconds=4 / 24, set_timeline=False)
    settings.size, settings.width, settings.height = "OWN", 49, 37
    settings.filepath = str(tmp_path / "out" / "video.mp4")
    photo = of_role("camera")[0]
    scene.camera = photo
    scene.world = bpy.data.worlds.new("mine")
    scene.timeline_markers.new("cut", frame=2).camera = photo
    scene.frame_start, scene.frame_end, scene.render.fps = 7, 9, 30
    scene.render.filepath = str(tmp_path / "mine")
    scene.frame_set(8)
    return settings


@pytest.mark.parametrize("quality", ["LOW", "MEDIUM", "HIGH"])
def test_a_video_is_rendered_and_the_users_settings_come_back(quick, scene, tmp_path, quality):
    quick.quality = quality
    before = read_settings(scene)
    seen = []
    watch = lambda _scene, *_: seen.append(_scene.camera)  # noqa: E731
    bpy.app.handlers.render_pre.append(watch)
    assert bpy.ops.da3.render_flight() == {"FINISHED"}
    bpy.app.handlers.render_pre.remove(watch)
    assert seen == of_role("flight") * 4  # the marker's camera did not take its place
    assert not find_changes(scene, before)
    path = tmp_path / "out" / "video.mp4"
    assert list(path.parent.iterdir()) == [path]
    assert quick.last_video == str(path)
    clip = bpy.data.movieclips.load(str(path))
    assert tuple(clip.size) == (48, 36)  # even, or H.264 could not hold it
    assert (clip.frame_duration, clip.fps) == (4, 24)
    data = path.read_bytes()
    has_numbers = hasattr(scene.render.ffmpeg, "custom_constant_rate_factor")
    factor = {"LOW": 28 if has_numbers else 29, "MEDIUM": 23, "HIGH": 18 if has_numbers else 17}
    assert f"crf={factor[quality]}.0".encode() in data  # x264 writes its options into the stream
    profile = data[data.index(b"avcC") + 5]
    assert profile in (66, 77, 100)  # baseline, main, high: all of them are yuv420p


def test_a_render_that_fails_leaves_the_settings_as_they_were(quick, scene, tmp_path):
    before = read_settings(scene)

    def spoil(spoiled, *_arguments):
        spoiled.camera = None

    bpy.app.handlers.render_init.append(spoil)
    with pytest.raises(RuntimeError, match=r"could not render the flight: .*no camera"):
        bpy.ops.da3.render_flight()
    bpy.app.handlers.render_init.remove(spoil)
    assert not find_changes(scene, before)
    assert not list((tmp_path / "out").iterdir())


def test_a_stopped_render_never_harms_the_video_of_before(quick, scene, extension, tmp_path):
    render = extension("da3_blender.scene.flight_render")
    path = tmp_path / "out" / "video.mp4"
    path.parent.mkdir()
    path.write_bytes(b"the old one")
    before = read_settings(scene)
    render.prepare(scene, of_role("root")[0], of_role("flight")[0], quick)
    (tmp_path / "out" / "video.part.mp4").write_bytes(b"half a new one")
    render._on_write()
    render._on_cancel()
    kept = render.finish(scene)
    assert kept.name == "video stopped.mp4"
    assert path.read_bytes() == b"the old one"
    assert not find_changes(scene, before)


def test_settings_come_back_from_a_file_that_was_saved_while_it_rendered(
    quick, scene, extension, tmp_path
):
    before = read_settings(scene)
    render = extension("da3_blender.scene.flight_render")
    render.prepare(scene, of_role("root")[0], of_role("flight")[0], quick)
    assert find_changes(scene, before)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    del before["Scene.session_uid"]  # another one after loading
    assert not find_changes(bpy.context.scene, before)
    assert bpy.ops.da3.render_flight.poll()


def test_a_folder_that_cannot_be_written_is_told_before_anything_changes(quick, scene, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    quick.filepath = str(blocked / "video.mp4")
    before = read_settings(scene)
    with pytest.raises(RuntimeError, match=r"cannot be written.*Choose another File"):
        bpy.ops.da3.render_flight()
    assert not find_changes(scene, before)


def test_without_a_name_no_video_is_replaced(quick, extension, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    quick.filepath = ""
    choose = extension("da3_blender.scene.flight_render").choose_file
    root = of_role("root")[0]
    first = choose(root, quick)
    assert first == tmp_path / "house flight.mp4"
    first.touch()
    assert choose(root, quick).name == "house flight 2.mp4"


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_depth_video_is_grey_by_the_logarithm_of_depth(
    quick, photos, scene, extension, tmp_path, scale
):
    """A wall of the user's own at a known depth, read from a picture with the video's settings."""
    photos.scale = (scale, scale, scale)
    flight = of_role("flight")[0]
    depth = 4.0 * scale
    bpy.context.view_layer.update()
    scene.frame_set(1)
    bpy.ops.mesh.primitive_plane_add(size=100 * scale)
    wall = bpy.context.active_object
    place, turn, _ = flight.matrix_world.decompose()
    wall.matrix_world = Matrix.LocRotScale(place + turn @ Vector((0, 0, -depth)), turn, None)
    of_role("points")[0].hide_viewport = True
    quick.content = "DEPTH"
    before = read_settings(scene)
    render = extension("da3_blender.scene.flight_render")
    render.prepare(scene, photos, flight, quick)
    of_role("points")[0].hide_render = True  # the wall alone
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "depth.png")
    scene.frame_set(1)
    bpy.ops.render.render(write_still=True)
    material = scene.view_layers[0].material_override
    (ends,) = [node for node in material.node_tree.nodes if node.type == "MAP_RANGE"]
    far, near = (math.exp(ends.inputs[n].default_value) for n in ("From Min", "From Max"))
    assert 2.9 * scale < near < 4 * scale < far < 5.2 * scale
    picture = bpy.data.images.load(str(tmp_path / "depth.png"))
    picture.colorspace_settings.name = "Non-Color"
    shown = np.array(picture.pixels[:]).reshape(36, 48, 4)[18, 24, :3]
    wanted = math.log(far / depth) / math.log(far / near)
    assert shown == pytest.approx([wanted] * 3, abs=2 / 255)
    render.finish(scene)
    assert not find_changes(scene, before)


def test_the_panel_shows_each_state(scene, build, extension, settings, tmp_path):
    panel = extension("panels.flight").DA3_PT_flight
    assert not panel.poll(bpy.context)
    build(write_result(tmp_path / "r", [{}, {}, {}]))
    assert panel.poll(bpy.context)
    modes = [item.identifier for item in settings.bl_rna.properties["mode"].enum_items]
    for settings.mode in modes:
        for settings.timing in ("RELEASE", "SECONDS", "GAP"):
            for settings.depth_from in ("SCENE", "OWN", "RELEASE"):
                assert "da3.add_flight" in draw_panel(panel).operators
    settings.timing = "RELEASE"
    fly(settings)
    settings.size, settings.last_video = "OWN", "/films/house.mp4"
    drawn = draw_panel(panel)
    assert "width" in drawn.list_kind("prop")
    assert "/films/house.mp4" in drawn.text
