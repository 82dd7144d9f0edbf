# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR pictures: channels, windows, damaged values, one exposure per set.

Runs in the engine's environment.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("pillow_heif", reason="pillow_heif is not installed")
pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")

import OpenEXR

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.settings import RunSettings
from da3_blender.media import open_source
from da3_blender.media.exr_file import read_exr

HEIGHT, WIDTH = 40, 64


def make_linear(scale=1.0, seed=0):
    """Values over four decades, as a scene with shadows and lamps has."""
    random = np.random.default_rng(seed)
    return (scale * 10 ** random.uniform(-3, 0, (HEIGHT, WIDTH, 3))).astype(np.float32)


def split(picture, prefix=""):
    return {f"{prefix}{c}": picture[..., i].copy() for i, c in enumerate("RGB")}


def write(path, channels, **header):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | header
    OpenEXR.File(header, channels).write(str(path))
    return path


def open_input(*inputs, **choices):
    return open_source(RunSettings(tuple(str(p) for p in inputs), "unused", **choices))


def decode_srgb(pixels):
    values = pixels / 255.0
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def test_linear_values_are_read_exactly(tmp_path):
    truth = make_linear()
    assert np.array_equal(read_exr(write(tmp_path / "a.exr", {"RGB": truth})), truth)
    half = truth.astype(np.float16)
    path = write(tmp_path / "ö 漢.exr", {"RGBA": np.dstack([half, half[..., :1]])})
    assert np.array_equal(read_exr(path), half.astype(np.float32))


@pytest.mark.parametrize(
    "prefixes",
    [
        ["ViewLayer.Combined."],
        ["ViewLayer.Combined.", "ViewLayer.DiffCol.", "A.Normal."],
        ["", "aaa.DiffCol."],
        ["zz.beauty.", "aa.spec."],
    ],
)
def test_picture_among_layers(tmp_path, prefixes):
    truth = make_linear()
    channels = split(truth, prefixes[0])
    for prefix in prefixes[1:]:
        channels |= split(np.ones_like(truth), prefix)
    channels["ViewLayer.Depth.Z"] = np.full((HEIGHT, WIDTH), 9.0, np.float32)
    channels |= {f"Position.{c}": np.full((HEIGHT, WIDTH), 9.0, np.float32) for c in "XYZ"}
    assert np.array_equal(read_exr(write(tmp_path / "a.exr", channels)), truth)


def test_picture_among_parts(tmp_path):
    truth = make_linear()
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    depth = np.full((HEIGHT, WIDTH), 3.0, np.float32)
    parts = [
        OpenEXR.Part(dict(header), {"V": depth}, "Layer.Depth"),
        OpenEXR.Part(dict(header), split(np.ones_like(truth)), "Layer.Glossy"),
        OpenEXR.Part(dict(header), split(truth), "Layer.Combined"),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    assert np.array_equal(read_exr(tmp_path / "a.exr"), truth)
    assert open_input(tmp_path / "a.exr").read(0).shape == truth.shape


def test_luminance_alone_is_grey(tmp_path):
    grey = make_linear()[..., 0].copy()
    picture = read_exr(write(tmp_path / "a.exr", {"Y": grey}))
    assert np.array_equal(picture, grey[..., None].repeat(3, axis=-1))


def test_no_colour_channels(tmp_path):
    write(tmp_path / "a.exr", {"Z": np.ones((HEIGHT, WIDTH), np.float32)})
    with pytest.raises(EngineError, match="no R, G, B") as caught:
        open_input(tmp_path / "a.exr")
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE


@pytest.mark.parametrize(
    ("data", "display"),
    [
        (((5, 3), (68, 42)), ((0, 0), (99, 59))),  # a region of the render
        (((-8, -4), (55, 35)), ((0, 0), (47, 39))),  # overscan on two sides
        (((0, 0), (63, 39)), ((10, 20), (99, 79))),  # a display that begins elsewhere
        (((0, 0), (63, 39)), ((200, 0), (299, 39))),  # nothing in view
    ],
)
def test_data_window_is_placed_in_the_display_window(tmp_path, data, display):
    picture = make_linear()
    windows = {
        name: tuple(np.array(corner, np.int32) for corner in window)
        for name, window in (("dataWindow", data), ("displayWindow", display))
    }
    path = write(tmp_path / "a.exr", {"RGB": picture}, **windows)
    (left, top), (right, bottom) = display
    truth = np.zeros((bottom - top + 1, right - left + 1, 3), np.float32)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            row, column = y + data[0][1] - top, x + data[0][0] - left
            if 0 <= row < truth.shape[0] and 0 <= column < truth.shape[1]:
                truth[row, column] = picture[y, x]
    assert np.array_equal(read_exr(path), truth)
    view = open_input(path).views[0]
    assert (view.height, view.width) == truth.shape[:2]


def test_values_that_are_no_numbers(tmp_path):
    picture = make_linear()
    picture[0, :4] = [[np.nan] * 3, [np.inf] * 3, [-np.inf] * 3, [-5.0] * 3]
    write(tmp_path / "a.exr", {"RGB": picture})
    pixels = open_input(tmp_path / "a.exr").read(0)
    assert pixels[0, :4, 0].tolist() == [0, 255, 0, 0]
    assert 20 < pixels[1:].mean() < 235


@pytest.mark.parametrize("scale", [1e-6, 0.01, 1.0, 300.0, 1e6])
def test_dark_and_bright_scenes_get_the_same_usable_picture(tmp_path, scale):
    write(tmp_path / "a.exr", {"RGB": make_linear(scale)})
    write(tmp_path / "b.exr", {"RGB": make_linear(1.0)})
    pixels = open_input(tmp_path / "a.exr").read(0)
    reference = open_input(tmp_path / "b.exr").read(0)
    assert np.abs(pixels.astype(int) - reference).max() <= 1
    assert np.percentile(pixels, 5) < 30
    assert np.percentile(pixels, 95) > 180
    assert (pixels == 255).mean() < 0.01


def test_tones_below_the_highlights_stay_proportional(tmp_path):
    truth = make_linear()
    write(tmp_path / "a.exr", {"RGB": truth})
    linear = decode_srgb(open_input(tmp_path / "a.exr").read(0))
    middle = (linear > 0.05) & (linear < 0.75)
    factor = linear[middle] / truth[middle]
    # half a step of 8 bits at 5 % light is 1.5 %
    assert np.abs(factor / np.median(factor) - 1).max() < 0.02
    assert 0.3 < np.median(factor) < 3


def test_one_exposure_for_the_whole_set(tmp_path):
    scales = [1.0, 1.0, 0.25, 1.0, 1.0, 1.0, 0.5]
    for index, scale in enumerate(scales):
        write(tmp_path / f"f_{index:04d}.exr", {"RGB": make_linear(scale)})
    source = open_input(tmp_path, input_kind="SEQUENCE")
    frames = {index: pixels for index, pixels in source.iterate()}  # noqa: C416 - from a generator
    assert np.array_equal(frames[0], frames[1])
    bright, dark = decode_srgb(frames[0]), decode_srgb(frames[2])
    chosen = (bright > 0.3) & (bright < 0.75)
    assert np.median(dark[chosen] / bright[chosen]) == pytest.approx(0.25, rel=0.05)
    # read alone and in another order, from a source opened anew: the same pixels
    again = open_input(tmp_path, input_kind="SEQUENCE")
    for index in (6, 2, 0):
        assert np.array_equal(again.read(index), frames[index])
    assert not any(view.needs_copy for view in source.views)


def test_exposure_does_not_hang_on_the_first_picture(tmp_path):
    paths = [
        write(tmp_path / f"{index}.exr", {"RGB": make_linear(scale)})
        for index, scale in enumerate([1e-4, 1.0, 1.0, 1.0])
    ]
    last = open_input(*paths).read(3)
    assert 120 < np.percentile(last, 90) < 255


def test_black_surroundings_do_not_change_the_exposure(tmp_path):
    truth = make_linear()
    wide = np.zeros((HEIGHT, 20 * WIDTH, 3), np.float32)
    wide[:, :WIDTH] = truth
    write(tmp_path / "a.exr", {"RGB": truth})
    write(tmp_path / "b.exr", {"RGB": wide})
    pixels = open_input(tmp_path / "b.exr").read(0)
    assert np.array_equal(pixels[:, :WIDTH], open_input(tmp_path / "a.exr").read(0))


def test_black_picture(tmp_path):
    write(tmp_path / "a.exr", {"RGB": np.zeros((HEIGHT, WIDTH, 3), np.float32)})
    assert (open_input(tmp_path / "a.exr").read(0) == 0).all()


def test_tiled_file(tmp_path):
    truth = make_linear()
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    path = write(tmp_path / "a.exr", {"RGB": truth}, type=OpenEXR.tiledimage, tiles=tiles)
    assert open_input(path).read(0).shape == truth.shape
    assert np.array_equal(read_exr(path), truth)
