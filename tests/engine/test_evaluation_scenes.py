# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes on disk: every way to give cameras and depth, and a clear sentence for what is wrong."""

from __future__ import annotations

import json
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")
pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")

import OpenEXR
from PIL import Image

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.rotations import matrix_to_quaternion
from da3_blender.evaluation.camera_files import read_cameras, write_cameras_json
from da3_blender.evaluation.measure_maps import measure_temporal
from da3_blender.evaluation.scene import LazyList, Scene
from da3_blender.evaluation.scene_facts import PROTOCOLS, SceneFacts, read_scene_facts
from da3_blender.evaluation.scene_folder import find_scenes, read_scene, write_scene
from da3_blender.exports.colmap_model import ColmapView, write_colmap_model
from tests.engine.truth import (
    HEIGHT,
    WIDTH,
    Oracle,
    make_lenses,
    make_scene,
    make_w2c,
)

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "courtyard"
COUNT = 4
NAMES = [f"{i:06d}.png" for i in range(COUNT)]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "room"
    write_scene(make_scene(COUNT), folder)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return Path(shutil.copytree(original, tmp_path / "room"))


def read_whole(folder):
    scene = read_scene(folder)
    for index in range(len(scene)):
        scene.read_true_depth(index)


def refuse(folder, *words, code=None):
    with pytest.raises(EngineError) as caught:
        read_whole(folder)
    text = f"{caught.value.message} {caught.value.hint}"
    assert all(word in text for word in words), text
    assert code is None or caught.value.code is code
    return text


def test_a_written_scene_comes_back(folder):
    made, scene = make_scene(COUNT), read_scene(folder)
    assert scene.name == "room"
    assert scene.frame_names == tuple(NAMES)
    assert scene.sizes == ((WIDTH, HEIGHT),) * COUNT
    assert scene.w2c == pytest.approx(made.w2c)
    assert pytest.approx(made.K) == scene.K
    for index in range(COUNT):
        assert (scene.images[index] == made.images[index]).all()
        assert (scene.read_true_depth(index) == made.depth[index]).all()
    assert scene.true_points is None
    assert scene.notes == ()


def test_the_samples_of_the_repository_are_a_scene():
    scene = read_scene(SAMPLES)
    assert len(scene) == 14
    assert scene.facts.units == "m"
    assert scene.images[0].shape == (672, 1008, 3)
    depth = scene.read_true_depth(0)
    assert depth.shape == (96, 144)
    assert 1 < np.nanmedian(depth) < 10
    # the true depth of each photo fits the next one's through the true cameras
    small = scene.choose_frames([0, 1, 2])
    size = np.diag([1 / 7, 1 / 7, 1])
    grid = Scene(
        "small",
        [np.zeros((96, 144, 3), np.uint8)] * 3,
        small.w2c,
        size @ small.K,
        depth=[np.nan_to_num(small.read_true_depth(i)) for i in range(3)],
    )
    found = Oracle().estimate(grid, lambda *_: None, lambda: False)
    object.__setattr__(grid, "depth", None)  # let its own agreement decide what is visible
    scores = measure_temporal(grid, found)
    assert scores["difference"] < 0.02
    assert scores["counted"] > 0.8


def test_pixels_may_be_counted_from_the_centre(folder):
    path = folder / "cameras.json"
    data = json.loads(path.read_text())
    data["pixel_origin"] = "centre"
    path.write_text(json.dumps(data))
    assert read_cameras(folder).K[:, :2, 2] == pytest.approx(make_lenses(COUNT)[:, :2, 2] + 0.5)


def write_colmap(folder, form):
    w2c, K = make_w2c(COUNT), make_lenses(COUNT)
    place = folder / "colmap" / "sparse" / "0"
    if form == "bin":
        views = [ColmapView(f"sub/{name}", WIDTH, HEIGHT) for name in NAMES]
        points = np.zeros((5, 3)) + [0, 0, 3]
        view_of_point = np.array([0, 0, 1, 2, 3])
        colours = np.zeros((5, 3), np.uint8)
        write_colmap_model(place, views, (K, w2c), points, colours, view_of_point)
        return place
    place.mkdir(parents=True)
    fx, cx, cy = K[0, 0, 0], K[0, 0, 2], K[0, 1, 2]
    k1 = 0.1 if form == "lens" else 0
    lens = f"1 SIMPLE_RADIAL {WIDTH} {HEIGHT} {fx} {cx} {cy} {k1}"
    (place / "cameras.txt").write_text(f"# comment\n{lens}\n")
    lines = ["# comment"]
    for number, (pose, q) in enumerate(zip(w2c, matrix_to_quaternion(w2c[:, :3, :3]), strict=True)):
        values = " ".join(map(repr, map(float, (*q, *pose[:3, 3]))))
        lines += [f"{number + 1} {values} 1 {NAMES[number]}", "1.5 2.5 -1" if number % 2 else ""]
    (place / "images.txt").write_text("\n".join(lines) + "\n")
    return place


@pytest.mark.parametrize("form", ["bin", "txt"])
def test_cameras_of_colmap(folder, form):
    expected = read_cameras(folder)
    (folder / "cameras.json").unlink()
    write_colmap(folder, form)
    scene = read_scene(folder)
    assert scene.w2c == pytest.approx(expected.w2c)
    assert pytest.approx(expected.K) == scene.K
    assert scene.notes == ()


def test_distortion_is_told(folder):
    (folder / "cameras.json").unlink()
    write_colmap(folder, "lens")
    assert "distortion" in read_scene(folder).notes[0]


def test_a_fisheye_of_colmap_is_refused(folder):
    (folder / "cameras.json").unlink()
    place = write_colmap(folder, "txt")
    text = (place / "cameras.txt").read_text()
    words = "OPENCV_FISHEYE 80 60 70 70 40 30 0 0 0 0"
    (place / "cameras.txt").write_text(text.split("1 SIMPLE")[0] + f"1 {words}\n")
    refuse(folder, "OPENCV_FISHEYE", "image_undistorter")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: (p / "images.bin").write_bytes((p / "images.bin").read_bytes()[:40]), "damaged"),
        (lambda p: (p / "cameras.bin").unlink(), "does not exist"),
        (lambda p: (p / "cameras.bin").write_bytes(struct.pack("<QiiQQ", 1, 1, 77, 9, 9)), "77"),
        (lambda p: (p / "cameras.bin").write_bytes(struct.pack("<Q", 0)), "names the camera"),
        (lambda p: (p / "images.bin").write_bytes(struct.pack("<Q", 0)), "no photos"),
    ],
)
def test_damaged_models_of_colmap_are_a_sentence(folder, spoil, words):
    (folder / "cameras.json").unlink()
    spoil(write_colmap(folder, "bin"))
    refuse(folder, words, "model_converter")


def test_cameras_of_nerfstudio(folder):
    expected = read_cameras(folder)
    (folder / "cameras.json").unlink()
    opengl = np.diag([1.0, -1, -1, 1])
    frames = [
        {
            "file_path": f"images/{name}",
            "transform_matrix": (np.linalg.inv(pose) @ opengl).tolist(),
        }
        for name, pose in zip(NAMES, expected.w2c, strict=True)
    ]
    lens = {"w": WIDTH, "h": HEIGHT, "fl_x": 72.0, "fl_y": 72.0, "cx": 40.0, "cy": 30.0}
    path = folder / "transforms.json"
    path.write_text(json.dumps({**lens, "camera_model": "OPENCV", "frames": frames}))
    scene = read_scene(folder)
    assert scene.w2c == pytest.approx(expected.w2c)
    assert pytest.approx(expected.K) == scene.K
    path.write_text(json.dumps({**lens, "k1": 0.1, "frames": frames}))
    assert "distortion" in read_scene(folder).notes[0]
    path.write_text(json.dumps({**lens, "camera_model": "OPENCV_FISHEYE", "frames": frames}))
    refuse(folder, "OPENCV_FISHEYE", "pinhole")
    path.write_text(json.dumps({"frames": frames}))
    refuse(folder, "transforms.json", "'w'")


def test_depth_may_be_png_or_exr_and_smaller(folder):
    depth = np.asarray(make_scene(COUNT).depth[0])
    for path in (folder / "depth").iterdir():
        path.unlink()
    half = depth[::2, ::2]
    Image.fromarray(np.round(half * 1000).astype(np.uint16)).save(folder / "depth" / "000000.png")
    for name, channels in (
        ("000001.exr", {"Z": depth, "R": depth * 9, "G": depth, "B": depth}),
        ("000002.png.exr", {"R": depth, "G": depth, "B": depth}),
        ("000003.exr", {"ViewLayer.Depth.Z": depth, "ViewLayer.Normal.Z": depth * 9}),
    ):
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        planes = {n: np.ascontiguousarray(c, np.float32) for n, c in channels.items()}
        OpenEXR.File(header, planes).write(str(folder / "depth" / name))
    scene = read_scene(folder)
    assert scene.read_true_depth(0) == pytest.approx(half, abs=0.0006)
    for index in (1, 2, 3):
        assert scene.read_true_depth(index) == pytest.approx(depth), index
    level = int(np.round(half[0, 0] * 1000))
    (folder / "scene.json").write_text(json.dumps({"depth_nothing": level}))
    without = read_scene(folder).read_true_depth(0)
    assert np.isnan(without[np.round(half * 1000) == level]).all()
    assert np.isfinite(without).mean() > 0.9
    (folder / "scene.json").write_text('{"depth_scale": 0.002}')
    assert read_scene(folder).read_true_depth(0) == pytest.approx(2 * half, abs=0.0012)


def test_masks_leave_pixels_out(folder):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :10] = 255
    (folder / "mask").mkdir(exist_ok=True)
    Image.fromarray(mask).save(folder / "mask" / NAMES[1])
    scene = read_scene(folder)
    assert np.isfinite(scene.read_true_depth(1)).sum() == 10 * HEIGHT
    assert np.isfinite(scene.read_true_depth(0)).all()


def test_surfaces_and_observations(folder):
    header = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
    header += "property float z\n"
    cloud = "0 0 0\n1 0 0\n0 2 0\n"
    (folder / "gt.ply").write_text(f"{header}end_header\n{cloud}")
    assert read_scene(folder).true_points().shape == (3, 3)
    faces = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    (folder / "gt.ply").write_text(f"{header}{faces}{cloud}3 0 1 2\n")
    points = read_scene(folder).true_points()
    assert points.shape == (1_000_000, 3)
    assert points.mean(axis=0) == pytest.approx([1 / 3, 2 / 3, 0], abs=0.003)
    np.savez(
        folder / "observation.npz",
        box=np.array([[0, 0, 0], [1, 1, 1.0]]),
        cell=0.1,
        mask=np.ones((3, 3, 3), np.uint8),
        plane=np.array([0, 0, 1.0, 0]),
    )
    assert read_scene(folder).observation.mask.all()
    np.savez(folder / "observation.npz", box=np.zeros((2, 3)))
    refuse(folder, "observation.npz", "mask (X, Y, Z)")


def test_facts_of_a_scene(folder):
    facts = {"protocol": "ETH3D", "threshold": 0.3, "leave_out": [NAMES[1]], "reference": NAMES[2]}
    (folder / "scene.json").write_text(json.dumps(facts))
    scene = read_scene(folder)
    assert scene.frame_names == (NAMES[2], NAMES[0], NAMES[3])
    assert scene.w2c == pytest.approx(make_w2c(COUNT)[[2, 0, 3]])
    limits = scene.facts.derive_limits(np.array([[0, 0, 0], [10, 10, 10]]))
    assert limits.threshold == 0.3
    assert limits.tsdf_cell == limits.thinning_cell == 20 / 512
    assert limits.truncation == 0.2
    assert limits.max_depth == 1e5


def test_limits_come_from_the_size_of_the_truth():
    points = np.array([[0, 0, 0], [3, 4, 0]])
    limits = SceneFacts().derive_limits(points)
    assert limits.threshold == pytest.approx(0.05)
    assert limits.thinning_cell == limits.tsdf_cell == pytest.approx(0.02)
    assert limits.truncation == pytest.approx(0.08)
    assert limits.max_depth == np.inf
    assert limits.box is None
    box = PROTOCOLS["ScanNet++"].derive_limits(points).box
    assert box == pytest.approx(np.array([[-0.1, -0.1, -0.1], [3.1, 4.1, 0.1]]))


def test_the_published_choice_of_frames():
    count = 150
    scene = Scene(
        "long",
        LazyList(count, lambda i: np.full((2, 2, 3), i, np.uint8)),
        np.tile(np.eye(4), (count, 1, 1)),
        np.tile(np.eye(3), (count, 1, 1)),
        ((2, 2),) * count,
    )
    expected = list(range(count))
    random.seed(42)
    random.shuffle(expected)
    expected = sorted(expected[:100])
    short = scene.limit_frames(100)
    assert [int(image[0, 0, 0]) for image in short.images] == expected
    assert scene.limit_frames(-1) is scene
    assert scene.limit_frames(150) is scene


def test_a_folder_of_scenes(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "room 10")
    shutil.copytree(folder, tmp_path / "room 2")
    (tmp_path / "notes").mkdir()
    assert [path.name for path in find_scenes(tmp_path)] == ["room", "room 2", "room 10"]
    assert find_scenes(folder) == [folder]


def test_photos_without_a_camera_are_left_out(folder):
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "images" / "zz.png")
    scene = read_scene(folder)
    assert len(scene) == COUNT
    assert scene.notes == ("1 photos have no camera and are left out.",)


def edit_cameras(change):
    def spoil(folder):
        path = folder / "cameras.json"
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return spoil


def write_depth(array):
    return lambda folder: np.save(folder / "depth" / "000002.npy", array)


@pytest.mark.parametrize(
    ("spoil", "words", "code"),
    [
        (lambda f: (f / "cameras.json").unlink(), ["no cameras.json"], ErrorCode.INPUT_MISSING),
        (lambda f: (f / "cameras.json").write_text("{"), ["no readable JSON"], None),
        (lambda f: (f / "cameras.json").write_text("[]"), ["no JSON object"], None),
        (edit_cameras(lambda d: d.update(convention="opengl")), ["'opengl'", "opencv_w2c"], None),
        (edit_cameras(lambda d: d.update(pixel_origin="left")), ["'left'", "corner"], None),
        (edit_cameras(lambda d: d.update(frames=[])), ["no frames"], None),
        (edit_cameras(lambda d: d["frames"][1].pop("K")), ["the entry 'K'"], None),
        (edit_cameras(lambda d: d["frames"][1].update(K=[[1]])), ["a number"], None),
        (
            edit_cameras(lambda d: d["frames"][1].update(w2c=np.zeros((4, 4)).tolist())),
            ["Camera 1", "no rotation"],
            ErrorCode.INPUT_MISMATCH,
        ),
        (
            edit_cameras(lambda d: d["frames"][2].update(K=(-np.eye(3)).tolist())),
            ["Camera 2", "focal length"],
            ErrorCode.INPUT_MISMATCH,
        ),
        (
            edit_cameras(lambda d: d["frames"][1].update(name=NAMES[0])),
            ["two cameras of a photo called 000000.png"],
            None,
        ),
        (edit_cameras(lambda d: d["frames"][1].update(w=99)), ["80 x 60", "99 x 60"], None),
        (lambda f: (f / "images" / NAMES[1]).unlink(), ["1 of 4 cameras", NAMES[1]], None),
        (
            lambda f: (f / "images" / NAMES[1]).write_bytes(b"no picture"),
            [NAMES[1], "not a picture"],
            ErrorCode.INPUT_UNREADABLE,
        ),
        (write_depth(np.ones((60, 60))), ["000002.png", "(60, 60)", "80 x 60"], None),
        (write_depth(np.ones((1, 60, 80))), ["(1, 60, 80)", "one depth map"], None),
        (write_depth(np.array([["a"]])), ["not one depth map"], None),
        (
            lambda f: (f / "depth" / "000002.npy").write_bytes(b"\x93NUMPY"),
            ["no readable .npy"],
            ErrorCode.INPUT_UNREADABLE,
        ),
        (lambda f: (f / "scene.json").write_text('{"treshold": 1}'), ["treshold", "Known"], None),
        (lambda f: (f / "scene.json").write_text('{"threshold": -1}'), ["positive"], None),
        (lambda f: (f / "scene.json").write_text('{"protocol": "X"}'), ["'X'", "ETH3D"], None),
        (lambda f: (f / "scene.json").write_text('{"bounds": [1, 2]}'), ["smallest corner"], None),
        (lambda f: (f / "scene.json").write_text('{"leave_out": ["q"]}'), ["names q"], None),
    ],
)
def test_bad_scenes_are_a_sentence(folder, spoil, words, code):
    spoil(folder)
    refuse(folder, *words, code=code)


def test_a_mask_of_another_size(folder):
    (folder / "mask").mkdir(exist_ok=True)
    Image.new("L", (9, 9), 255).save(folder / "mask" / NAMES[0])
    refuse(folder, "the mask of 000000.png has shape (9, 9)")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"images": []}, "no pictures"),
        ({"depth": [None]}, "4 pictures and 1 depth maps"),
        ({"w2c": np.eye(4)[None]}, "4 images and extrinsics of shape (1, 4, 4)"),
        ({"K": np.zeros((4, 3, 3))}, "focal length"),
        ({"frame_names": ("a",)}, "1 names"),
    ],
)
def test_scenes_in_memory_must_fit_together(parts, words):
    with pytest.raises(EngineError) as caught:
        make_scene(COUNT, **parts)
    assert words in caught.value.message
    assert "room" in caught.value.message


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
def test_folders_without_scenes(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(EngineError, match=name):
        find_scenes(tmp_path / name)


def test_scene_json_may_be_absent(tmp_path):
    assert read_scene_facts(tmp_path) == SceneFacts()
    assert read_scene_facts(tmp_path, "HiRoom").depth_scale == 100 / 65_535


def test_written_cameras_are_exact(tmp_path):
    w2c, K = make_w2c(3), make_lenses(3)
    write_cameras_json(tmp_path / "cameras.json", ["a", "b", "c"], [(80, 60)] * 3, w2c, K)
    cameras = read_cameras(tmp_path)
    assert (cameras.w2c == w2c).all()
    assert (cameras.K == K).all()
