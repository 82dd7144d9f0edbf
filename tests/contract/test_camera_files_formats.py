# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera files of other programs: fixed points land where they should, and come back."""

import json

import numpy as np
import pytest

from da3_blender.camera_files import detect_and_read
from da3_blender.camera_files.colmap import read_colmap, write_colmap
from da3_blender.camera_files.nuke_chan import read_chan, write_chan
from da3_blender.camera_files.nuke_frame import angles_to_matrix, matrix_to_angles
from da3_blender.camera_files.nuke_script import (
    NukeExtras,
    NukePlate,
    read_nuke_camera,
    write_nuke_script,
)
from da3_blender.camera_files.transforms_json import read_transforms, write_transforms
from da3_blender.contract.camera_file import CameraFile, CameraView, write_camera_file
from da3_blender.contract.cameras import to_blender_points
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.lens import Lens
from da3_blender.contract.projection import project
from tests.contract.camera_truth import (
    SIZE,
    make_cameras,
    make_points,
    make_tracks,
    project_all,
)
from tests.contract.nuke_model import project_like_nuke, read_knob

Y_UP = (1, -1, -1)  # of OpenCV's world
CLOSE_PX = 1e-3  # the formats hold at least nine digits; the brief allows fifty times more


def assert_projects_alike(found, expected, points):
    for index in range(len(expected.views)):
        there = project_all(found, index, points)
        here = project_all(expected, index, points)
        assert np.abs(there - here).max() < CLOSE_PX


@pytest.mark.parametrize("is_text", [False, True])
def test_colmap_comes_back_with_lenses_and_tracks(tmp_path, is_text):
    cameras = make_cameras(lens=True)
    tracks = make_tracks(cameras)
    write_colmap(tmp_path, cameras, tracks, is_text=is_text)
    back = read_colmap(tmp_path)
    assert [view.name for view in back.cameras.views] == [view.name for view in cameras.views]
    assert [view.frame for view in back.cameras.views] == [view.frame for view in cameras.views]
    assert_projects_alike(back.cameras, cameras, make_points())
    expected = tracks.sort()
    np.testing.assert_array_equal(back.tracks.points, expected.points)
    np.testing.assert_array_equal(back.tracks.colours, expected.colours)
    np.testing.assert_allclose(back.tracks.error_px, expected.error_px)
    np.testing.assert_array_equal(back.tracks.view, expected.view)
    np.testing.assert_array_equal(back.tracks.track, expected.track)
    np.testing.assert_array_equal(back.tracks.px, expected.px)


def test_views_of_one_lens_share_a_colmap_camera(tmp_path):
    write_colmap(tmp_path, make_cameras(lens=True), is_text=True)
    lines = (tmp_path / "cameras.txt").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 1


def test_transforms_project_by_their_own_formula(tmp_path):
    """OpenGL: c2w with y up, z backward; pixels with the OPENCV model, in a world with z up."""
    cameras = make_cameras(lens=True)
    path = tmp_path / "transforms.json"
    write_transforms(path, cameras, "images")
    content = json.loads(path.read_text(encoding="utf-8"))
    points = make_points()
    for index, frame in enumerate(content["frames"]):
        entry = {**content, **frame}
        c2w = np.array(entry["transform_matrix"])
        local = np.c_[to_blender_points(points), np.ones(len(points))] @ np.linalg.inv(c2w).T
        x, y = local[:, 0] / -local[:, 2], -local[:, 1] / -local[:, 2]
        r2 = x * x + y * y
        radial = 1 + entry["k1"] * r2 + entry["k2"] * r2 * r2
        p1, p2 = entry["p1"], entry["p2"]
        u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        found = np.stack([u * entry["fl_x"] + entry["cx"], v * entry["fl_y"] + entry["cy"]], axis=1)
        assert np.abs(found - project_all(cameras, index, points)).max() < CLOSE_PX
        assert entry["file_path"] == f"images/{cameras.views[index].name}"
    back = read_transforms(path)
    assert back.fps == 24
    assert_projects_alike(back, cameras, points)


def test_transforms_with_a_zoom_have_numbers_per_frame(tmp_path):
    cameras = make_cameras(zoom=True)
    write_transforms(tmp_path / "transforms.json", cameras)
    content = json.loads((tmp_path / "transforms.json").read_text(encoding="utf-8"))
    assert "fl_x" not in content
    assert content["w"] == SIZE[0]
    assert_projects_alike(detect_and_read(tmp_path), cameras, make_points())


def test_angles_turn_like_nuke_and_never_jump():
    """Ry Rx Rz by three plain matrices, through several turns and over the top."""
    steps = np.linspace(0, 1, 200)
    wanted = np.stack([170 * steps - 60, 800 * steps, -500 * steps], axis=1)
    matrix = angles_to_matrix(wanted)
    for angles, found in zip(wanted, matrix, strict=True):
        x, y, z = np.deg2rad(angles)
        rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
        ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
        rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
        assert np.abs(ry @ rx @ rz - found).max() < 1e-12
    back = matrix_to_angles(matrix)
    assert np.abs(np.diff(back, axis=0)).max() < 8  # wanted changes by at most 4.1 a step
    assert np.abs(angles_to_matrix(back) - matrix).max() < 1e-9


def test_a_camera_that_looks_straight_down_keeps_its_rotation():
    matrix = angles_to_matrix(np.array([[90.0, 30.0, 10.0], [-90.0, 20.0, 0.0]]))
    assert np.abs(angles_to_matrix(matrix_to_angles(matrix)) - matrix).max() < 1e-9


@pytest.mark.parametrize("zoom", [False, True])
def test_a_nuke_script_projects_like_nuke_does(tmp_path, zoom):
    cameras = make_cameras(zoom=zoom)
    path = tmp_path / "shot.nk"
    extras = NukeExtras(
        "Shot Camera",
        NukePlate("D:/plates/s [v2]/shot_%04d.png", 1001, 1006),
        ("geo/cloud.abc", "geo/mesh.abc"),
    )
    write_nuke_script(path, cameras, extras)
    text = path.read_text(encoding="utf-8")
    assert "rot_order ZXY" in text
    points = make_points()
    for index, view in enumerate(cameras.views):
        names = ("translate", "rotate", "win_translate", "win_scale", "focal", "haperture")
        camera = {name: read_knob(text, name, view.frame) for name in names}
        camera["focal"], camera["haperture"] = camera["focal"][0], camera["haperture"][0]
        found = project_like_nuke(camera, points * Y_UP, SIZE)
        expected = project(points, cameras.K[index], cameras.w2c[index])[0]
        assert np.abs(found - expected).max() < CLOSE_PX
    assert text.count("ReadGeo2 {") == 2
    assert ("focal {{curve" in text) or ("focal {curve" in text) or not zoom
    back = read_nuke_camera(path)
    assert [view.frame for view in back.views] == [view.frame for view in cameras.views]
    assert back.views[0].name == "shot_1001.png"
    assert back.fps == 24
    assert_projects_alike(back, cameras, points)


def test_a_distorted_plate_has_a_note_in_the_script(tmp_path):
    cameras = make_cameras(lens=True)
    write_nuke_script(tmp_path / "a.nk", cameras, NukeExtras())
    text = (tmp_path / "a.nk").read_text(encoding="utf-8")
    assert "StickyNote" in text
    assert "k1 = -0.12" in text
    write_nuke_script(tmp_path / "b.nk", make_cameras(), NukeExtras())
    assert "StickyNote" not in (tmp_path / "b.nk").read_text(encoding="utf-8")


SCRIPT_BY_NUKE = """\
#! /usr/local/Nuke14.0/libnuke.so -nx
version 14.0 v2
Root {
 inputs 0
 name "/tmp/a {b}.nk"
 frame 4
 first_frame 2
 last_frame 4
 format "640 480 0 0 640 480 1 PC_Video"
}
Camera3 {
 inputs 0
 useMatrix true
 matrix {
     {1 0 0 {curve x2 0.5 1.5 2.5}}
     {0 1 0 0.25}
     {0 0 1 -3}
     {0 0 0 1}
   }
 focal {{curve L x2 40 x4 50}}
 haperture 40
 vaperture 30
 name "Camera \\"1\\""
 selected true
}
"""


def test_a_script_that_nuke_has_written_is_read(tmp_path):
    path = tmp_path / "nuke.nk"
    path.write_text(SCRIPT_BY_NUKE, encoding="utf-8")
    found = read_nuke_camera(path)
    assert [view.frame for view in found.views] == [2, 3, 4]
    np.testing.assert_allclose(found.K[:, 0, 0], [640, 720, 800])
    # at (0.5, 0.25, -3), looking along -z with y up: 5 in front of it is z = -8 there
    centre = np.array([[0.5, -0.25, 8.0]])
    pixels, depth = project(centre, found.K[0], found.w2c[0])
    np.testing.assert_allclose(pixels[0], [320, 240])
    assert depth[0] == pytest.approx(5)


def test_chan_projects_by_blenders_and_nukes_formula(tmp_path):
    cameras = make_cameras(is_centred=True)
    path = tmp_path / "shot.chan"
    write_chan(path, cameras)
    points = make_points()
    for index, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        frame, *numbers, vfov = (float(word) for word in line.split())
        assert frame == cameras.views[index].frame
        haperture = 36.0
        vaperture = haperture * SIZE[1] / SIZE[0]
        camera = {
            "translate": numbers[:3],
            "rotate": numbers[3:],
            "focal": vaperture / 2 / np.tan(np.deg2rad(vfov) / 2),
            "haperture": haperture,
            "win_translate": (0, 0),
            "win_scale": (1, 1),
        }
        found = project_like_nuke(camera, points * Y_UP, SIZE)
        expected = project(points, cameras.K[index], cameras.w2c[index])[0]
        assert np.abs(found - expected).max() < CLOSE_PX
    assert_projects_alike(read_chan(path, SIZE), cameras, points)
    assert_projects_alike(detect_and_read(path, SIZE), cameras, points)


def test_the_film_back_of_a_chan_decides_about_the_focal_length(tmp_path):
    path = tmp_path / "a.chan"
    path.write_text("7 0 0 0 0 0 0 60\n", encoding="utf-8")
    square = read_chan(path, SIZE).K[0, 0, 0]
    wide = read_chan(path, SIZE, (36.0, 36.0 * SIZE[1] / SIZE[0] * 2)).K[0, 0, 0]
    assert square == pytest.approx(SIZE[1] / 2 / np.tan(np.deg2rad(30)))
    assert wide == pytest.approx(2 * square)


def test_every_format_is_recognised(tmp_path):
    cameras = make_cameras(is_centred=True)
    write_colmap(tmp_path / "a" / "sparse" / "0", cameras)
    write_colmap(tmp_path / "b", cameras, is_text=True)
    write_transforms(tmp_path / "c" / "transforms.json", cameras)
    write_transforms(tmp_path / "other name.json", cameras)
    write_camera_file(tmp_path / "ours.json", cameras)
    write_chan(tmp_path / "shot.chan", cameras)
    write_nuke_script(tmp_path / "shot.nk", cameras, NukeExtras())
    names = ("a", "b", "c", "b/images.txt", "other name.json", "ours.json", "shot.chan", "shot.nk")
    for name in names:
        assert_projects_alike(detect_and_read(tmp_path / name, SIZE), cameras, make_points())


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.chan", "1 0 0 0 0 0 0\n", "field of view"),
        ("a.chan", "1 0 0 zero 0 0 0 30\n", "zero"),
        ("a.chan", "", "no lines"),
        ("a.nk", "Root {\n inputs 0\n", "never closed"),
        ("a.nk", "Root {\n inputs 0\n}\n", "no Camera node"),
        ("a.nk", "Camera {\n focal 30\n}\n", "no format"),
        ("a.nk", 'Root {\n format "4 4"\n}\nCamera {\n rot_order XYZ\n}\n', "XYZ"),
        ("a.nk", 'Root {\n format "4 4"\n}\nCamera {\n focal {{a.b}}\n}\n', "expressions"),
        ("transforms.json", '{"frames": []}', "no frames"),
        ("transforms.json", '{"frames": [{"file_path": "a"}]}', "lacks"),
        ("transforms.json", '{"frames": [{}], "camera_model": "OPENCV_FISHEYE"}', "FISHEYE"),
        ("a.json", "{", "Expecting"),
        ("a.fbx", "", ".fbx"),
        ("cameras.txt", "1 FOV 640 480 1 1 1 1 1\n", "FOV"),
        ("cameras.txt", "1 PINHOLE 640\n", "damaged"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path, name, text, says):
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.png\n\n", encoding="utf-8")
    with pytest.raises(EngineError) as caught:
        detect_and_read(tmp_path / name, SIZE)
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE
    assert says in str(caught.value)


def test_cut_off_colmap_models_are_refused(tmp_path):
    write_colmap(tmp_path, make_cameras(), make_tracks(make_cameras()))
    for name in ("cameras.bin", "images.bin", "points3D.bin"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-5])
        with pytest.raises(EngineError, match="damaged"):
            read_colmap(tmp_path)
        (tmp_path / name).write_bytes(whole)
    assert read_colmap(tmp_path).tracks is not None


def test_missing_files_say_so(tmp_path):
    for name in ("none.json", "none.nk", "none"):
        with pytest.raises(EngineError) as caught:
            detect_and_read(tmp_path / name)
        assert caught.value.code is ErrorCode.INPUT_MISSING


def test_chan_without_a_size_and_photos_without_frames_are_refused(tmp_path):
    cameras = make_cameras(is_centred=True)
    write_chan(tmp_path / "a.chan", cameras)
    with pytest.raises(EngineError, match="how large") as caught:
        detect_and_read(tmp_path / "a.chan")
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    photos = CameraFile(
        tuple(CameraView(view.name, None, *SIZE) for view in cameras.views), cameras.w2c, cameras.K
    )
    for write in (write_chan, lambda path, found: write_nuke_script(path, found, NukeExtras())):
        with pytest.raises(EngineError, match="frame numbers"):
            write(tmp_path / "b", photos)
    assert not (tmp_path / "b").exists()


def test_a_division_lens_is_colmaps_but_not_nerfstudios(tmp_path):
    cameras = make_cameras()
    lens = Lens("DIVISION", (700.0, 701.0, 320.0, 240.0, -0.1), *SIZE)
    views = tuple(CameraView(view.name, view.frame, *SIZE, 0) for view in cameras.views)
    bent = CameraFile(views, cameras.w2c, np.stack([lens.K] * len(views)), (lens,))
    write_colmap(tmp_path, bent)
    assert read_colmap(tmp_path).cameras.lenses == (lens,)
    with pytest.raises(EngineError, match="DIVISION"):
        write_transforms(tmp_path / "transforms.json", bent)
