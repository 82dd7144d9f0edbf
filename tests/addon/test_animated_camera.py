# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences and videos: one camera that moves, with the right picture at each frame."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.cameras import from_blender_matrix  # noqa: E402 - bpy first
from tests.addon.results import SIZE, make_K, make_w2c, write_photo, write_result  # noqa: E402

FRAMES = [12, 15, 18, 21, 24, 27, 30, 33]


def write_sequence(folder, frames, photos=None, **parts):
    """Write a result whose views are numbered frames; photos that exist are plain grey."""
    photos = photos or folder / "photos"
    views = [
        {"name": f"shot_{n:04d}.png", "frame": n, "photo": str(photos / f"shot_{n:04d}.png")}
        for n in frames
    ]
    source = {"kind": "sequence", "path": str(photos), "fps": 24000 / 1001}
    write_result(folder, views, manifest={"source": source}, **parts)
    return folder


def only_camera():
    (camera,) = [ob for ob in bpy.data.objects if ob.type == "CAMERA"]
    return camera


def read_frame(user, image, frame):
    """Return the number of the file that the image user shows at a frame, as Blender counts.

    Behind cameras Blender shows nothing outside the range of a sequence (seen in its window).
    """
    bpy.context.scene.frame_set(frame)
    place = frame - user.frame_start + 1
    assert image.source == "MOVIE" or 1 <= place <= user.frame_duration
    return min(max(place, 1), user.frame_duration) + user.frame_offset


def test_the_camera_is_where_it_should_be_at_every_key(scene, build, tmp_path):
    w2c = make_w2c(8, turns=1.3)
    report = build(write_sequence(tmp_path / "r", FRAMES, w2c=w2c), show_photos=False)
    assert (report.cameras, report.frames) == (1, 8)
    camera = only_camera()
    for frame, expected in zip(FRAMES, w2c, strict=True):
        scene.frame_set(frame)
        found = from_blender_matrix(np.array(camera.matrix_world))
        assert np.abs(found - expected).max() < 1e-5
    assert (scene.frame_start, scene.frame_end) == (12, 33)
    assert (scene.render.fps, scene.render.fps_base) == (24, pytest.approx(1.001))


def test_the_camera_never_takes_the_long_way_round(scene, build, tmp_path):
    """Halfway between keys the rotation lies between them, also where the angle passes 180."""
    count = 30
    w2c = make_w2c(count, turns=2.5)
    frames = list(range(1, 2 * count, 2))
    build(write_sequence(tmp_path / "r", frames, w2c=w2c), show_photos=False)
    camera = only_camera()
    step = 2.5 * 360 / (count - 1)
    previous = None
    for frame in range(1, 2 * count):
        scene.frame_set(frame)
        rotation = camera.matrix_world.to_quaternion()
        if previous is not None:
            turned = np.degrees(previous.rotation_difference(rotation).angle)
            assert min(turned, 360 - turned) == pytest.approx(step / 2, rel=0.02)
        previous = rotation


def test_keys_are_straight_and_only_where_something_changes(scene, build, tmp_path):
    build(write_sequence(tmp_path / "r", FRAMES), show_photos=False)
    camera = only_camera()
    (bag,) = camera.animation_data.action.layers[0].strips[0].channelbags
    curves = {(c.data_path, c.array_index): c for c in bag.fcurves}
    assert len(curves) == 7
    assert {k.interpolation for c in curves.values() for k in c.keyframe_points} == {"LINEAR"}
    assert camera.data.animation_data is None
    assert len(bpy.data.actions) == 1


def test_a_zoom_is_animated(scene, build, tmp_path):
    K = np.stack([make_K(*SIZE, fx=60.0 + n, fy=60.0 + n, cx=30 + n / 4) for n in range(8)])
    build(write_sequence(tmp_path / "r", FRAMES, K=K), show_photos=False)
    camera = only_camera()
    for index, frame in enumerate(FRAMES):
        scene.frame_set(frame)
        assert camera.data.lens == pytest.approx((60 + index) / 64 * 36)
        assert camera.data.shift_x == pytest.approx((32 - 30 - index / 4) / 64)
    assert len(camera.data.animation_data.action.layers[0].strips[0].channelbags[0].fcurves) == 2


def test_scripts_find_all_frames_on_the_camera(scene, build, tmp_path):
    w2c = make_w2c(8)
    shuffled = [3, 0, 7, 1, 2, 6, 5, 4]
    folder = write_sequence(tmp_path / "r", [FRAMES[i] for i in shuffled], w2c=w2c[shuffled])
    build(folder, show_photos=False)
    camera = only_camera()
    assert list(camera["da3_frame"]) == FRAMES
    assert (np.array(camera["da3_w2c"]).reshape(8, 4, 4) == w2c).all()
    assert np.array(camera["da3_K"]).shape == (72,)
    assert camera["da3_image"] == "r"


def test_a_whole_sequence_shows_frame_by_frame(scene, build, tmp_path):
    photos = tmp_path / "shots"
    for number in range(12, 34):
        write_photo(photos / f"shot_{number:04d}.png")
    report = build(write_sequence(tmp_path / "r", FRAMES, photos))
    assert report.photos == 8
    (background,) = only_camera().data.background_images
    assert background.image.source == "SEQUENCE"
    user = background.image_user
    shown = {frame: read_frame(user, background.image, frame) for frame in range(12, 34)}
    assert shown == {frame: frame for frame in range(12, 34)}


def test_a_sequence_with_gaps_holds_the_last_picture(scene, build, tmp_path):
    folder = write_sequence(tmp_path / "r", FRAMES)
    for number in FRAMES:
        write_photo(folder / "photos" / f"shot_{number:04d}.png")
    assert build(folder).photos == 8
    (background,) = only_camera().data.background_images
    user = background.image_user
    shown = [read_frame(user, background.image, frame) for frame in range(12, 34)]
    assert shown == [12 + 3 * (n // 3) for n in range(22)]


def test_each_frame_of_a_video_can_have_its_own_camera(scene, build, tmp_path):
    clip = tmp_path / "clip.mp4"
    write_video(scene, clip, 6)
    views = [
        {"name": f"clip.mp4#{n:06d}", "frame": n, "photo": str(clip), "width": 64, "height": 48}
        for n in (1, 3, 5)
    ]
    source = {"kind": "video", "path": str(clip), "fps": 25.0}
    folder = write_result(tmp_path / "r", views, manifest={"source": source})
    report = build(folder, camera_mode="EACH")
    assert (report.cameras, report.photos) == (3, 3)
    cameras = sorted((ob for ob in bpy.data.objects if ob.type == "CAMERA"), key=lambda o: o.name)
    for camera, number in zip(cameras, (1, 3, 5), strict=True):
        (background,) = camera.data.background_images
        assert background.image.source == "MOVIE"
        assert {read_frame(background.image_user, background.image, f) for f in (1, 4, 9)} == {
            number
        }
        assert camera["da3_frame"] == number


def test_a_video_runs_behind_the_animated_camera(scene, build, tmp_path):
    clip = tmp_path / "clip.mp4"
    write_video(scene, clip, 6)
    views = [{"name": f"clip.mp4#{n:06d}", "frame": n, "photo": str(clip)} for n in (2, 4, 6)]
    source = {"kind": "video", "path": str(clip), "fps": 25.0}
    report = build(write_result(tmp_path / "r", views, manifest={"source": source}))
    assert (report.cameras, report.photos) == (1, 3)
    (background,) = only_camera().data.background_images
    shown = [read_frame(background.image_user, background.image, f) for f in range(1, 7)]
    assert shown == [1, 2, 3, 4, 5, 6]
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (2, 6, 25)


def test_changing_pixel_aspect_is_told(scene, build, tmp_path):
    K = np.stack([make_K(*SIZE, fx=60.0 + n, fy=60.0) for n in range(8)])
    report = build(write_sequence(tmp_path / "r", FRAMES, K=K), show_photos=False)
    assert any("pixel aspect changes by 12 %" in note for note in report.notes)


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (24, (24, 1)),
        (25, (25, 1)),
        (30000 / 1001, (30, 1.001)),
        (23.98, (24, 1.001)),
        (59.94, (60, 1.001)),
        (12.5, (12, 0.96)),
        (0.5, (1, 2)),
    ],
)
def test_frame_rates_are_split_as_blender_does(extension, fps, expected):
    split = extension("da3_blender.scene.render_setup").split_fps
    assert split(fps) == (expected[0], pytest.approx(expected[1]))


def write_video(scene, path, frames):
    """Render a tiny video with Blender's own encoder."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"  # 5.0 and later
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format = "MPEG4"
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.frame_start, scene.frame_end, scene.render.fps = 1, frames, 25
    scene.render.filepath = str(path)
    camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.ops.render.render(animation=True)
    bpy.data.cameras.remove(camera.data)
    assert path.exists()
