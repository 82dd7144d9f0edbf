# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact tracks through distorted lenses, solved by Blender: its error tells if all agree."""

import shutil

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Matrix  # noqa: E402 - bpy first

from da3_blender.contract.camera_file import read_camera_file  # noqa: E402
from da3_blender.contract.cameras import invert_rigid, to_blender_matrix  # noqa: E402
from da3_blender.contract.lens import Lens  # noqa: E402
from da3_blender.contract.pose_alignment import align_poses, measure_residual  # noqa: E402
from tests.addon.results import write_photo, write_result  # noqa: E402

SIZE = (640, 360)
FRAMES = range(101, 121)
LENSES = {
    "pinhole": Lens("SIMPLE_PINHOLE", (600.0, 320.0, 180.0), *SIZE),
    "off_centre": Lens("SIMPLE_PINHOLE", (600.0, 350.0, 150.0), *SIZE),
    "anamorphic": Lens("PINHOLE", (520.0, 640.0, 330.0, 170.0), *SIZE),
    "radial": Lens("RADIAL", (600.0, 330.0, 170.0, -0.2, 0.06), *SIZE),
    "opencv": Lens("OPENCV", (600.0, 600.0, 330.0, 170.0, -0.15, 0.04, 0.01, -0.008), *SIZE),
    "division": Lens("SIMPLE_DIVISION", (600.0, 330.0, 170.0, -0.3), *SIZE),
}


def make_cameras():
    """Return (N, 4, 4) on an arc around points 6 ahead, handheld."""
    random = np.random.default_rng(4)
    w2c = np.tile(np.eye(4), (len(FRAMES), 1, 1))
    for index, pose in enumerate(w2c):
        angle = -0.35 + 0.7 * index / (len(FRAMES) - 1)
        centre = [6 * np.sin(angle), 0.3 * np.sin(5 * angle), 6 - 6 * np.cos(angle)]
        forward = np.array([0, 0, 6.0]) - centre + random.normal(0, 0.05, 3)
        forward /= np.linalg.norm(forward)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        pose[:3, :3] = [right, np.cross(forward, right), forward]
        pose[:3, 3] = -pose[:3, :3] @ centre
    return w2c


def make_points(count=260):
    random = np.random.default_rng(5)
    return random.uniform((-2.2, -1.2, 4.5), (2.2, 1.2, 8.5), (count, 3)).astype(np.float32)


def observe(lens, w2c, points):
    """Return views, tracks and pixels of all that is in the picture; some gaps in time."""
    rows = []
    for view, pose in enumerate(w2c):
        local = points.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
        pixels = local @ lens.K.T
        seen = lens.pinhole_to_photo(pixels[:, :2] / pixels[:, 2:])
        inside = (seen > 0).all(1) & (seen < SIZE).all(1)
        tracks = np.flatnonzero(inside & ((np.arange(len(points)) + view) % 11 != 0))
        rows.append((np.full(len(tracks), view), tracks, seen[tracks]))
    return (np.concatenate(part) for part in zip(*rows, strict=True))


@pytest.fixture
def make_shot(scene, build, tmp_path):
    """Write and build a shot with exact tracks; returns its folder."""

    def make(lens, w2c=None, kind="sequence", **changes):
        plates = tmp_path / "plate"
        first = write_photo(plates / f"sh.{FRAMES[0]:04d}.png", SIZE)
        for n in FRAMES[1:]:
            shutil.copy(first, plates / f"sh.{n:04d}.png")
        w2c = make_cameras() if w2c is None else w2c
        points = make_points()
        view, track, px = observe(lens, w2c, points)
        views = [
            {
                "name": f"sh.{n:04d}.png",
                "frame": n,
                "width": SIZE[0],
                "height": SIZE[1],
                "path": str(plates / f"sh.{n:04d}.png"),
                "photo": str(plates / f"sh.{n:04d}.png"),
            }
            for n in FRAMES
        ]
        parts = {
            "w2c": w2c,
            "K": np.stack([lens.K] * len(views)),
            "track_points": points,
            "observation_view": view.astype(np.int32),
            "observation_track": track.astype(np.int32),
            "observation_px": px.astype(np.float32),
            **changes,
        }
        manifest = {
            "source": {"kind": kind, "path": str(plates), "fps": 25.0},
            "lenses": [{**lens.to_json(), "undistorted": lens.needs_undistortion}],
        }
        folder = write_result(tmp_path / "shot", views, manifest=manifest, **parts)
        build(folder)
        return folder

    return make


@pytest.fixture
def write(extension):
    """Write tracks of a folder: write(folder, count, solve=...) -> report."""
    load = extension("da3_blender.contract.result_folder").load_result
    module = extension("da3_blender.scene.clip_tracks")
    return lambda folder, count=120, *, solve=False: module.write_clip_tracks(
        bpy.context, load(folder), count, solve=solve
    )


@pytest.mark.parametrize("name", LENSES)
def test_blender_solves_exact_tracks_through_every_lens(make_shot, write, name, tmp_path):
    lens = LENSES[name]
    report = write(make_shot(lens), solve=True)
    assert report.our_error_px < 1e-3
    assert report.blender_error_px < 0.05
    assert not report.notes
    # the clip's camera is read back as the camera that made the tracks
    path = tmp_path / "clip.json"
    assert bpy.ops.da3.use_cameras(source="CLIP", filepath=str(path)) == {"FINISHED"}
    cameras = read_camera_file(path)
    assert [view.frame for view in cameras.views] == list(FRAMES)
    assert [view.name for view in cameras.views] == [f"sh.{n:04d}.png" for n in FRAMES]
    assert np.abs(cameras.K - lens.K).max() < 1e-3
    found = cameras.lens_of(0)
    corner = np.array([[30.0, 20.0], [600.0, 340.0], [610.0, 30.0]])
    difference = found.pinhole_to_photo(corner) - lens.pinhole_to_photo(corner)
    # Blender's division is by the other radius: near, but not the same
    assert np.abs(difference).max() < (0.01 if name == "division" else 1e-3)
    ours, theirs = invert_rigid(make_cameras()), invert_rigid(cameras.w2c)
    distance, angle = measure_residual(theirs, ours, align_poses(theirs, ours))
    assert distance < 2e-3  # of an arc of 4
    # Blender rounds the height of a picture whose pixels are not square
    assert angle < (0.1 if name == "anamorphic" else 2e-3)


def test_a_solved_clip_stands_where_its_camera_stands(make_shot, write, scene, tmp_path):
    """Moved, turned and scaled as one orients a solved scene, with a parent."""
    clip = write(make_shot(LENSES["radial"]), solve=True).clip
    rig = bpy.data.objects.new("rig", None)
    ob = bpy.data.objects.new("solved", bpy.data.cameras.new("solved"))
    for item in (rig, ob):
        scene.collection.objects.link(item)
    rig.location, rig.rotation_euler = (1, -2, 3), (0.1, 0.2, 0.9)
    ob.parent = rig
    ob.location, ob.rotation_euler, ob.scale = (4, 5, 6), (1.2, 0.1, -0.4), (3, 3, 3)
    solver = ob.constraints.new("CAMERA_SOLVER")
    solver.use_active_clip, solver.clip = False, clip
    path = tmp_path / "clip.json"
    bpy.ops.da3.use_cameras(source="CLIP", filepath=str(path))
    cameras = read_camera_file(path)
    for index, frame in enumerate(FRAMES):
        scene.frame_set(frame)
        location, rotation, _ = ob.matrix_world.decompose()
        truth = np.array(Matrix.LocRotScale(location, rotation, None))
        assert np.abs(to_blender_matrix(cameras.w2c[index]) - truth).max() < 1e-5


def test_more_terms_than_ours_are_matched_and_told(make_shot, write, extension):
    clip = write(make_shot(LENSES["radial"]), solve=True).clip
    read = extension("da3_blender.scene.clip_lens").read_clip_lens
    camera = clip.tracking.camera
    camera.k1, camera.k2, camera.k3 = -0.2, 0.06, -0.02
    lens, note = read(clip)
    pinhole = np.array([[40.0, 30.0], [500.0, 300.0], [320.0, 20.0]])
    x = (pinhole - (330, 170)) / 600
    square = (x**2).sum(axis=1, keepdims=True)
    truth = x * (1 - 0.2 * square + 0.06 * square**2 - 0.02 * square**3) * 600 + (330, 170)
    assert np.abs(lens.pinhole_to_photo(pinhole) - truth).max() < 0.1
    assert note == ""
    camera.k3 = -1.0
    assert "fewer terms of distortion" in read(clip)[1]
    camera.distortion_model = "NUKE"
    with pytest.raises(Exception, match="lens model Nuke"):
        read(clip)


def test_a_wrong_lens_would_be_seen(make_shot, write, extension):
    """The test above can fail: the same tracks without the distortion do not fit."""
    report = write(make_shot(LENSES["radial"]), solve=True)
    report.clip.tracking.camera.k1 = 0
    extension("da3_blender.scene.clip_editor").solve_clip(bpy.context, report.clip, (1, 20))
    assert extension("da3_blender.scene.clip_lens").read_error_px(report.clip) > 0.2


def test_markers_are_where_the_photo_shows_the_points(make_shot, write):
    lens = LENSES["opencv"]
    report = write(make_shot(lens), 60)
    tracks = report.clip.tracking.objects[0].tracks
    assert len(tracks) == report.tracks == 60
    points, w2c = make_points(), make_cameras()
    count = 0
    for track in tracks:
        point = points[int(track.name.split()[1])]
        for marker in track.markers:
            if marker.mute:
                continue
            local = w2c[marker.frame - 1] @ np.append(point, 1)
            pixel = lens.K @ local[:3]
            x, y = lens.pinhole_to_photo(pixel[:2] / pixel[2])
            assert marker.co[0] * SIZE[0] == pytest.approx(x, abs=1e-3)
            assert (1 - marker.co[1]) * SIZE[1] == pytest.approx(y, abs=1e-3)
            count += 1
    assert count == report.markers


def test_where_a_point_is_not_seen_the_track_is_off(make_shot, write):
    report = write(make_shot(LENSES["pinhole"]), 60)
    for track in report.clip.tracking.objects[0].tracks:
        index = int(track.name.split()[1])
        for frame in range(1, len(FRAMES) + 1):
            if (index + frame - 1) % 11 == 0:
                marker = track.markers.find_frame(frame)
                assert marker is None or marker.mute
        before = [m for m in track.markers if not m.mute]
        assert len(before) >= 3


def test_the_clip_is_the_plate_with_its_numbers(make_shot, write, scene):
    report = write(make_shot(LENSES["pinhole"]))
    clip = report.clip
    assert clip.filepath.endswith("sh.0101.png")
    assert (clip.source, clip.frame_start, clip.frame_duration) == ("SEQUENCE", 101, 20)
    assert tuple(clip.size) == SIZE


def write_video(scene, path):
    """Render a video with Blender's own encoder."""
    settings, render = scene.render.image_settings, scene.render
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"  # 5.0 and later
    settings.file_format, render.ffmpeg.format = "FFMPEG", "MPEG4"
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x, render.resolution_y = SIZE
    scene.frame_start, scene.frame_end, render.fps = 1, len(FRAMES), 25
    render.filepath = str(path)
    scene.camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    scene.collection.objects.link(scene.camera)
    bpy.ops.render.render(animation=True)
    assert path.exists()


def test_the_clip_of_a_video_counts_its_frames(scene, build, write, tmp_path):
    path = tmp_path / "clip.mp4"
    lens = LENSES["pinhole"]
    write_video(scene, path)
    w2c, points = make_cameras(), make_points()
    view, track, px = observe(lens, w2c, points)
    views = [
        {"name": f"clip.mp4#{n:06d}", "frame": n, "width": SIZE[0], "height": SIZE[1]}
        | {"path": str(path), "photo": str(path)}
        for n in range(1, len(FRAMES) + 1)
    ]
    folder = write_result(
        tmp_path / "shot",
        views,
        manifest={
            "source": {"kind": "video", "path": str(path), "fps": 25.0},
            "lenses": [lens.to_json()],
        },
        w2c=w2c,
        K=np.stack([lens.K] * len(views)),
        track_points=points,
        observation_view=view.astype(np.int32),
        observation_track=track.astype(np.int32),
        observation_px=px.astype(np.float32),
    )
    build(folder)
    report = write(folder, solve=True)
    assert (report.clip.source, report.clip.frame_duration) == ("MOVIE", len(FRAMES))
    assert tuple(report.clip.size) == SIZE
    assert report.blender_error_px < 0.05
    solved = report.clip.tracking.objects[0].reconstruction.cameras
    assert [camera.frame for camera in solved] == list(range(1, len(FRAMES) + 1))


def test_again_it_replaces_its_own_tracks_and_keeps_the_users(make_shot, write):
    folder = make_shot(LENSES["pinhole"])
    clip = write(folder, 100).clip
    clip.tracking.objects[0].tracks.new(name="mine", frame=3)
    report = write(folder, 40)
    names = [track.name for track in report.clip.tracking.objects[0].tracks]
    assert report.clip == clip
    assert len(bpy.data.movieclips) == 1
    assert "mine" in names
    assert len(names) == report.tracks + 1 < 100


def test_a_zoom_is_told_and_the_middle_focal_length_is_set(make_shot, write):
    lens = LENSES["pinhole"]
    K = np.stack([lens.with_focal(500.0 + 10 * n).K for n in range(len(FRAMES))])
    report = write(make_shot(lens, K=K))
    assert "zooms from 500 to 690 px" in report.notes[0]
    assert report.clip.tracking.camera.focal_length_pixels == pytest.approx(600, abs=1)


def test_what_cannot_be_written_says_why(make_shot, extension, tmp_path):
    make_shot(LENSES["pinhole"], track_points=None)
    with pytest.raises(RuntimeError, match=r"has no tracks\. Turn Refine on"):
        bpy.ops.da3.tracks_to_clip()


def test_photos_are_no_shot(make_shot):
    make_shot(LENSES["pinhole"], kind="photos")
    with pytest.raises(RuntimeError, match="Single photos are no shot"):
        bpy.ops.da3.tracks_to_clip()


def test_a_missing_plate_is_told(make_shot, tmp_path):
    make_shot(LENSES["radial"])
    shutil.rmtree(tmp_path / "plate")
    with pytest.raises(RuntimeError, match="The plate is gone"):
        bpy.ops.da3.tracks_to_clip()


def test_the_operator_reports_both_errors(make_shot, scene, capfd):
    make_shot(LENSES["pinhole"])
    assert bpy.ops.da3.tracks_to_clip(count=60, solve=True) == {"FINISHED"}
    assert scene.active_clip is not None
    assert "our camera: 0.000 px, Blender's own: 0.0" in capfd.readouterr().out
