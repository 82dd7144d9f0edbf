# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ST-maps and undistorted plates: there and back is where one was, and nothing is cut."""

import numpy as np
import pytest
from PIL import Image

from da3_blender.contract.lens import Lens
from da3_blender.exports.exr_writing import Window, write_exr
from da3_blender.exports.resampling import Warp
from da3_blender.exports.st_map import find_overscan, make_redistort_map, make_undistort_map
from da3_blender.pipeline.export import EXPORTS
from tests.contract.camera_truth import FRAMES, SIZE
from tests.engine.hand_over_results import paint_at, write_refined_result

OpenEXR = pytest.importorskip("OpenEXR")

LENSES = [
    Lens("OPENCV", (700.0, 707.0, 331.5, 222.25, -0.12, 0.03, 0.002, -0.001), *SIZE),
    Lens("SIMPLE_RADIAL", (600.0, 320.0, 240.0, 0.08), *SIZE),
    Lens("SIMPLE_DIVISION", (600.0, 320.0, 240.0, -0.15), *SIZE),
    Lens("SIMPLE_RADIAL", (420.0, 320.0, 240.0, -0.12), *SIZE),
]


def sample_bilinear(picture, at):
    """Read (H, W, C) at (..., 2) pixels whose centres are at halves; plain numpy."""
    x, y = at[..., 0] - 0.5, at[..., 1] - 0.5
    left = np.clip(np.floor(x).astype(int), 0, picture.shape[1] - 2)
    top = np.clip(np.floor(y).astype(int), 0, picture.shape[0] - 2)
    u, v = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - u) + picture[top, left + 1] * u
    lower = picture[top + 1, left] * (1 - u) + picture[top + 1, left + 1] * u
    return upper * (1 - v) + lower * v


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.model} {lens.params[-1]}")
def test_undistorting_and_redistorting_is_the_identity(lens):
    window = find_overscan([lens])
    undistort = make_undistort_map(lens, window).astype(np.float64)
    redistort = make_redistort_map(lens).astype(np.float64)
    # plate pixel -> place in the undistorted frame -> where the other map says it comes from
    place = redistort * SIZE
    place[..., 1] = SIZE[1] - place[..., 1]
    back = sample_bilinear(undistort, place - [window.left, window.top]) * SIZE
    back[..., 1] = SIZE[1] - back[..., 1]
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    off = np.linalg.norm(back - np.stack([x, y], -1), axis=-1)[1:-1, 1:-1]
    assert off.max() < 0.05


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.model} {lens.params[-1]}")
def test_maps_agree_with_the_lens_at_random_places(lens):
    window = find_overscan([lens])
    undistort = make_undistort_map(lens, window).astype(np.float64)
    at = np.random.default_rng(0).uniform(2, np.array(SIZE) - 2, (500, 2))
    found = sample_bilinear(undistort, at - [window.left, window.top]) * SIZE
    found[:, 1] = SIZE[1] - found[:, 1]
    assert np.abs(found - lens.pinhole_to_photo(at)).max() < 0.02
    redistort = sample_bilinear(make_redistort_map(lens).astype(np.float64), at) * SIZE
    redistort[:, 1] = SIZE[1] - redistort[:, 1]
    assert np.abs(redistort - lens.photo_to_pinhole(at)).max() < 0.02


def test_the_overscan_holds_the_whole_plate_and_no_more():
    window = find_overscan(LENSES[:1])
    border = np.stack(np.meshgrid(np.linspace(0, 640, 400), np.linspace(0, 480, 300)), -1)
    there = LENSES[0].photo_to_pinhole(border)
    assert window.left <= there[..., 0].min() < window.left + 1.5
    assert window.top <= there[..., 1].min() < window.top + 1.5
    assert window.left + window.width - 1.5 < there[..., 0].max() <= window.left + window.width
    assert window.top + window.height - 1.5 < there[..., 1].max() <= window.top + window.height
    assert find_overscan([LENSES[1]]) == Window(0, 0, *SIZE)  # this one shrinks the picture
    assert find_overscan(LENSES[:2]) == window


def test_a_lens_that_folds_back_inside_the_picture_has_holes_and_no_nonsense():
    lens = Lens("SIMPLE_RADIAL", (420.0, 320.0, 240.0, -0.25), *SIZE)  # corners are never seen
    window = find_overscan([lens])
    undistort, redistort = make_undistort_map(lens, window), make_redistort_map(lens)
    assert (redistort[0, 0] == -1).all()
    assert (undistort[0, 0] == -1).all()
    assert np.isfinite(undistort).all()
    assert np.abs(redistort[240, 320] - 0.5).max() < 0.01
    assert window.width <= 3 * SIZE[0]


def test_exr_files_have_names_types_and_windows(tmp_path):
    window = Window(-7, -3, 60, 40)
    red = np.random.default_rng(1).random((40, 60)).astype(np.float32)
    half = np.full((40, 60), 0.25, np.float16)
    write_exr(tmp_path / "a.exr", {"R": red, "N.X": half}, (50, 36), window)
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        header, channels = file.header(), file.channels()
        np.testing.assert_array_equal(channels["R"].pixels, red)
        assert channels["N.X"].pixels.dtype == np.float16
        assert [corner.tolist() for corner in header["dataWindow"]] == [[-7, -3], [52, 36]]
        assert [corner.tolist() for corner in header["displayWindow"]] == [[0, 0], [49, 35]]
    assert [path.name for path in tmp_path.iterdir()] == ["a.exr"]


def test_bent_pictures_are_exact_to_a_hundredth_of_a_pixel():
    lens = LENSES[3]
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    warp = Warp(Window(0, 0, *SIZE), lens.pinhole_to_photo)
    inner = (slice(20, -20), slice(20, -20))
    for axis, plane in enumerate((x, y)):  # a picture whose values are its positions
        found = warp.apply_to_plane(plane)
        wanted = lens.pinhole_to_photo(np.stack([x, y], -1))[..., axis]
        assert np.abs(found - wanted)[inner].max() < 0.02


def test_the_export_writes_a_pair_of_maps(tmp_path):
    result, cameras, _ = write_refined_result(tmp_path / "result")
    EXPORTS["st-maps"](result, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["redistort.exr", "undistort.exr"]
    lens = cameras.lens_of(0)
    with OpenEXR.File(str(tmp_path / "out" / "undistort.exr"), separate_channels=True) as file:
        header, channels = file.header(), file.channels()
        left, top = (int(value) for value in header["dataWindow"][0])
        assert left < 0
        assert top < 0
        assert channels["R"].pixels.dtype == np.float32
        row, column = 100, 300
        s, t = (channels[name].pixels[row - top, column - left] for name in "RG")
        expected = lens.pinhole_to_photo(np.array([column + 0.5, row + 0.5]))
        assert (s * SIZE[0], (1 - t) * SIZE[1]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_undistorted_plates_show_what_a_pinhole_sees(tmp_path, suffix):
    result, cameras, _ = write_refined_result(tmp_path / "result", suffix=suffix)
    EXPORTS["undistorted"](result, tmp_path / "out")
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in paths] == [f"shot_{frame}{suffix}" for frame in FRAMES]
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    for index, path in enumerate(paths):
        found = np.asarray(Image.open(path)).astype(int)
        expected = paint_at(cameras, index, np.stack([x, y], -1)).astype(int)
        difference = np.abs(found - expected)[8:-8, 8:-8]
        assert difference.mean() < (1 if suffix == ".png" else 3)


def test_plates_with_overscan_come_with_cameras_of_their_own(tmp_path):
    from da3_blender.contract.camera_file import read_camera_file

    result, cameras, _ = write_refined_result(tmp_path / "result")
    EXPORTS["undistorted-overscan"](result, tmp_path / "out")
    found = read_camera_file(tmp_path / "out" / "cameras.json")
    picture = np.asarray(Image.open(tmp_path / "out" / "shot_1003.png")).astype(int)
    view = found.views[2]
    assert (view.name, view.lens) == ("shot_1003.png", -1)
    assert picture.shape == (view.height, view.width, 3)
    assert view.width > SIZE[0]
    shift = found.K[2, :2, 2] - cameras.K[2, :2, 2]
    x, y = np.meshgrid(np.arange(view.width) + 0.5, np.arange(view.height) + 0.5)
    pinhole = np.stack([x, y], -1) - shift
    photo = cameras.lens_of(2).pinhole_to_photo(pinhole)
    seen = ((photo > 8) & (photo < np.array(SIZE) - 8)).all(-1)
    assert np.count_nonzero(seen) > 0.9 * SIZE[0] * SIZE[1]
    difference = np.abs(picture - paint_at(cameras, 2, pinhole).astype(int))[seen]
    assert difference.mean() < 1


def test_exr_plates_stay_linear_floats(tmp_path):
    result, cameras, _ = write_refined_result(tmp_path / "result")
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    for view in result.views:
        path = tmp_path / "plate" / view["name"].replace(".png", ".exr")
        red = (4 * x / SIZE[0]).astype(np.float16)
        write_exr(path, {"R": red, "G": red, "B": red, "extra.Z": y.astype(np.float32)}, SIZE)
        view["path"], view["name"] = str(path), path.name
    EXPORTS["undistorted"](result, tmp_path / "out")
    wanted = cameras.lens_of(0).pinhole_to_photo(np.stack([x, y], -1))
    with OpenEXR.File(str(tmp_path / "out" / "shot_1002.exr"), separate_channels=True) as file:
        channels = file.channels()
        assert channels["R"].pixels.dtype == np.float16
        inner = (slice(8, -8), slice(8, -8))
        off = np.abs(channels["R"].pixels - wanted[..., 0] * 4 / SIZE[0])[inner]
        assert off.max() < 2e-3 + 4 * 2**-11  # half floats
        off = np.abs(channels["extra.Z"].pixels - wanted[..., 1])[inner]
        assert off.max() < 0.02
