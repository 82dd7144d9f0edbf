# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of photos: formats, depths, colours, orientation; and what EXIF tells of the lens.

Runs in the engine's environment.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("pillow_heif", reason="pillow_heif is not installed")
pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")

import pillow_heif
from PIL import Image, ImageCms

from da3_blender.contract.settings import RunSettings
from da3_blender.media import open_source, picture_file
from da3_blender.media.picture_file import decode_picture

WIDTH, HEIGHT = 96, 64


def make_truth():
    """Four flat corners of different colours: no turn and no mirror maps it to itself.

    The edges lie between blocks of JPEG and its relatives, so they do not ring.
    """
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:32, :48] = (230, 20, 20)
    picture[:32, 48:] = (20, 200, 20)
    picture[32:, :48] = (20, 20, 220)
    picture[32:, 48:] = (240, 240, 240)
    return picture


TRUTH = make_truth()


def open_input(*inputs):
    return open_source(RunSettings(tuple(str(p) for p in inputs), "unused"))


def read_one(path):
    source = open_input(path)
    view = source.views[0]
    pixels = source.read(0)
    assert pixels.shape == (view.height, view.width, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    return view, pixels


def measure_difference(pixels, truth):
    """Largest difference beside the edges between colours, which half-size chroma blurs."""
    assert pixels.shape == truth.shape
    difference = np.abs(pixels.astype(int) - truth)
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    difference[rows - 2 : rows + 2] = 0
    difference[:, columns - 2 : columns + 2] = 0
    return difference.max()


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.jpg", {"quality": 95}, 3),
        ("a.JPEG", {"quality": 90, "progressive": True}, 3),
        ("a.png", {}, 0),
        ("a.tif", {}, 0),
        ("a.tiff", {"compression": "tiff_lzw"}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.webp", {"quality": 90}, 6),
        ("a.bmp", {}, 0),
    ],
)
def test_formats(tmp_path, name, options, tolerance):
    Image.fromarray(TRUTH).save(tmp_path / name, **options)
    view, pixels = read_one(tmp_path / name)
    assert measure_difference(pixels, TRUTH) <= tolerance
    assert not view.needs_copy


def save_heic(path, **options):
    try:
        pillow_heif.from_pillow(Image.fromarray(TRUTH)).save(path, quality=95, **options)
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"this build of libheif has no encoder: {error}")


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "really heic.jpg"])
def test_heic(tmp_path, name):
    save_heic(tmp_path / "a.heic")
    (tmp_path / "a.heic").rename(tmp_path / name)
    view, pixels = read_one(tmp_path / name)
    assert measure_difference(pixels, TRUTH) <= 6
    assert view.needs_copy


# What EXIF says about the stored picture -> how the upright one is stored.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_orientations(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.ascontiguousarray(STORED[orientation](TRUTH))
    options = {"lossless": True} if name == "a.webp" else {}
    Image.fromarray(stored).save(tmp_path / name, exif=exif, **options)
    view, pixels = read_one(tmp_path / name)
    assert (view.width, view.height) == (WIDTH, HEIGHT)
    assert measure_difference(pixels, TRUTH) <= (6 if name == "a.jpg" else 0)
    assert view.needs_copy is (orientation != 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_heic_is_applied_once(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    try:
        stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](TRUTH)))
        pillow_heif.from_pillow(stored).save(tmp_path / "a.heic", quality=95, exif=exif.tobytes())
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"this build of libheif has no encoder: {error}")
    view, pixels = read_one(tmp_path / "a.heic")
    assert (view.width, view.height) == (WIDTH, HEIGHT)
    assert measure_difference(pixels, TRUTH) <= 6


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_nonsense_orientation_counts_as_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(TRUTH).save(tmp_path / "a.png", exif=exif)
    assert measure_difference(read_one(tmp_path / "a.png")[1], TRUTH) == 0


# Depths and colour models


def write_png16(path, samples, colour_type):
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + samples[y].astype(">u2").tobytes() for y in range(height))

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


RAMP16 = np.linspace(0, 65535, WIDTH * HEIGHT).round().astype(np.uint16).reshape(HEIGHT, WIDTH)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_keeps_its_whole_range(tmp_path, name):
    Image.fromarray(RAMP16).save(tmp_path / name)
    _, pixels = read_one(tmp_path / name)
    assert np.abs(pixels[..., 0] - RAMP16 / 257).max() <= 0.51
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_colour_and_alpha(tmp_path, colour_type, channels):
    samples = np.stack([RAMP16, RAMP16[::-1], RAMP16[:, ::-1], RAMP16][:channels], axis=-1)
    write_png16(tmp_path / "a.png", samples, colour_type)
    _, pixels = read_one(tmp_path / "a.png")
    truth = samples[..., :3] if channels > 2 else np.repeat(samples[..., :1], 3, axis=-1)
    assert np.abs(pixels - truth / 257).max() <= 1.01  # Pillow cuts the lower eight bits off


def test_32_bit_integer_and_float_tiff(tmp_path):
    Image.fromarray(RAMP16.astype(np.int32)).save(tmp_path / "i.tif")
    assert np.abs(read_one(tmp_path / "i.tif")[1][..., 0] - RAMP16 / 257).max() <= 1
    linear = np.array([[0.0, 0.2140, 1.0, 7.0]], np.float32).repeat(40, 0).repeat(10, 1)
    Image.fromarray(linear).save(tmp_path / "f.tif")
    levels = read_one(tmp_path / "f.tif")[1][0, 5::10, 0]
    # 21.4 % of light is half of the sRGB scale
    assert levels.tolist() == [0, 127, 255, 255] or levels.tolist() == [0, 128, 255, 255]


def test_grey_palette_bits_and_alpha(tmp_path):
    picture = Image.fromarray(TRUTH)
    grey = np.asarray(picture.convert("L"))
    picture.convert("L").save(tmp_path / "grey.jpg", quality=95)
    assert measure_difference(read_one(tmp_path / "grey.jpg")[1], grey[..., None].repeat(3, 2)) <= 2
    picture.quantize(4).save(tmp_path / "palette.png")
    assert measure_difference(read_one(tmp_path / "palette.png")[1], TRUTH) <= 2
    bits = TRUTH[..., 1] > 100
    Image.fromarray(bits).save(tmp_path / "bits.png")
    assert (read_one(tmp_path / "bits.png")[1] == bits[..., None] * 255).all()
    picture.putalpha(10)
    picture.save(tmp_path / "alpha.png")
    assert measure_difference(read_one(tmp_path / "alpha.png")[1], TRUTH) == 0
    picture.convert("LA").save(tmp_path / "grey alpha.png")
    assert (
        measure_difference(read_one(tmp_path / "grey alpha.png")[1], grey[..., None].repeat(3, 2))
        == 0
    )


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path, name):
    Image.fromarray(TRUTH).convert("CMYK").save(tmp_path / name, quality=95)
    view, pixels = read_one(tmp_path / name)
    assert measure_difference(pixels, TRUTH) <= 6
    assert view.needs_copy


def test_first_picture_of_a_phone_s_multi_picture_file(tmp_path):
    Image.fromarray(TRUTH).save(
        tmp_path / "a.jpg",
        format="MPO",
        save_all=True,
        append_images=[Image.fromarray(TRUTH[::-1].copy())],
        quality=95,
    )
    view, pixels = read_one(tmp_path / "a.jpg")
    assert measure_difference(pixels, TRUTH) <= 6
    assert not view.needs_copy


@pytest.mark.parametrize(("content", "name"), [("PNG", "a.jpg"), ("JPEG", "a.png")])
def test_wrong_extension_is_read_and_copied(tmp_path, content, name):
    Image.fromarray(TRUTH).save(tmp_path / name, format=content)
    view, pixels = read_one(tmp_path / name)
    assert measure_difference(pixels, TRUTH) <= 12
    assert view.needs_copy


def make_wide_profile():
    """An ICC profile (version 2, matrix and one gamma) with the primaries of Adobe RGB."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.19921875 * 256)) + b"\0\0"
    text = b"wide\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 78
    # Primaries of Adobe RGB (1998), adapted to D50
    tags = {
        b"desc": description + b"\0" * (-len(description) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": gamma,
        b"gTRC": gamma,
        b"bTRC": gamma,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", 0, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    profile = head.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


def convert_adobe_rgb(pixels):
    """Adobe RGB to sRGB by the two definitions, without a colour library."""
    linear = (pixels / 255.0) ** 2.19921875
    to_xyz = np.array(
        [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    )
    from_xyz = np.array(
        [[3.24045, -1.53714, -0.49853], [-0.96927, 1.87601, 0.04156], [0.05564, -0.20403, 1.05723]]
    )
    srgb = np.clip(linear @ (from_xyz @ to_xyz).T, 0, 1)
    return 255 * np.where(srgb <= 0.0031308, 12.92 * srgb, 1.055 * srgb ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_wide_colours_are_converted(tmp_path, name):
    muted = (TRUTH // 2 + 60).astype(np.uint8)
    options = {"lossless": True} if name == "a.webp" else {}
    Image.fromarray(muted).save(tmp_path / name, icc_profile=make_wide_profile(), **options)
    _, pixels = read_one(tmp_path / name)
    assert np.abs(pixels - convert_adobe_rgb(muted)).max() <= 1.5
    assert np.abs(pixels.astype(int) - muted).max() > 10  # the profile matters


def test_srgb_profile_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert ImageCms.ImageCmsProfile(io.BytesIO(profile))
    Image.fromarray(TRUTH).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(read_one(tmp_path / "a.png")[1], TRUTH)


# EXIF


def save_with_exif(path, size, top=None, inner=None):
    exif = Image.Exif()
    for tag, value in (top or {}).items():
        exif[tag] = value
    exif[0x8769] = inner or {}
    Image.new("RGB", size).save(path, exif=exif.tobytes())
    return open_input(path).views[0]


@pytest.mark.parametrize("orientation", [1, 6])
def test_focal_length_from_the_35_mm_equivalent(tmp_path, orientation):
    view = save_with_exif(tmp_path / "a.jpg", (600, 400), {274: orientation}, {41989: 50})
    # The picture has the film's ratio, so the film's width gives the same answer.
    assert view.focal_prior_px == pytest.approx(50 / 36 * 600, rel=1e-6)


def test_focal_length_of_another_ratio_goes_by_the_diagonal(tmp_path):
    view = save_with_exif(tmp_path / "a.jpg", (400, 300), {}, {41989: 28})
    assert view.focal_prior_px == pytest.approx(28 / math.hypot(36, 24) * 500, rel=1e-6)


@pytest.mark.parametrize(("unit", "per_unit"), [(2, 4000 * 25.4 / 20), (3, 2000.0), (4, 200.0)])
def test_focal_length_from_the_sensor_s_resolution(tmp_path, unit, per_unit):
    # 200 pixels per mm and a 4000 pixel wide picture that was reduced to 400: 35 mm are 700 px
    inner = {37386: 35.0, 41486: per_unit, 41488: unit, 40962: 4000, 40963: 3000}
    view = save_with_exif(tmp_path / "a.jpg", (400, 300), {}, inner)
    assert view.focal_prior_px == pytest.approx(700, rel=1e-4)


@pytest.mark.parametrize(
    "inner",
    [
        {},
        {37386: 35.0},  # without a sensor's size
        {41989: 0},
        {41989: 9},  # 0.25 of the longer side, see below
        {41989: 40_000},
        {37386: 35.0, 41486: 0.0},
        {41989: 35, 40962: 4000, 40963: 2000},  # cropped after it was taken
    ],
)
def test_focal_length_is_unknown(tmp_path, inner):
    assert save_with_exif(tmp_path / "a.jpg", (600, 400), {}, inner).focal_prior_px is None


def test_implausible_equivalent_falls_back_to_the_sensor(tmp_path):
    inner = {41989: 1, 37386: 5.0, 41486: 1000.0, 41488: 4}
    view = save_with_exif(tmp_path / "a.jpg", (6000, 4000), {}, inner)
    assert view.focal_prior_px == pytest.approx(5000, rel=1e-4)


@pytest.mark.parametrize(
    ("maker", "model", "lens", "label"),
    [
        ("Canon", "Canon EOS 5D", "EF 35mm", "Canon EOS 5D EF 35mm"),
        ("NIKON CORPORATION", "NIKON D90", "", "NIKON CORPORATION NIKON D90"),
        ("  Apple \0", "iPhone  15\t", "", "Apple iPhone 15"),
        ("", "", "", ""),
    ],
)
def test_camera_label(tmp_path, maker, model, lens, label):
    view = save_with_exif(tmp_path / "a.jpg", (64, 48), {271: maker, 272: model}, {42036: lens})
    assert view.camera_label == label


def test_formats_other_than_jpeg_have_a_focal_length_too(tmp_path):
    for name in ("a.png", "a.tif", "a.webp"):
        view = save_with_exif(tmp_path / name, (600, 400), {272: "Cam"}, {41989: 36})
        assert view.focal_prior_px == pytest.approx(36 / 36 * 600, rel=1e-6), name
        assert view.camera_label == "Cam"
    exif = Image.Exif()
    exif[0x8769] = {41989: 36}
    save_heic(tmp_path / "a.heic", exif=exif.tobytes())
    view = open_input(tmp_path / "a.heic").views[0]
    assert view.focal_prior_px == pytest.approx(WIDTH, rel=1e-6)


# Real photos

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def test_real_camera_photos():
    folder = SHARED / "sceaux"
    if not folder.is_dir():
        pytest.skip(f"the photos {folder} are not here")
    source = open_input(folder)
    assert [view.name for view in source.views] == [f"100_{n}.JPG" for n in range(7100, 7111)]
    focal_px = float((folder / "K.txt").read_text().split()[0])
    for view in source.views:
        # calibrated by the photographer; EXIF rounds to whole millimetres, 3 % of 35
        assert view.focal_prior_px == pytest.approx(focal_px, rel=0.03)
        assert view.camera_label.endswith("KODAK Z612 ZOOM DIGITAL CAMERA")
        assert not view.needs_copy
    pixels = source.read(10)
    assert pixels.shape == (2128, 2832, 3)
    assert 20 < pixels.mean() < 235


def test_real_png_frames():
    folder = SHARED / "soh"
    if not folder.is_dir():
        pytest.skip(f"the pictures {folder} are not here")
    source = open_input(folder)
    assert [(view.width, view.height) for view in source.views] == [(1208, 680)] * 2
    assert sum(1 for _ in source.iterate()) == 2


@pytest.mark.parametrize(
    ("least_side", "size"),
    [(0, (300, 500)), (251, (300, 500)), (250, (150, 250)), (125, (75, 125)), (1, (75, 125))],
)
def test_jpegs_can_be_decoded_smaller(tmp_path, least_side, size):
    rng = np.random.default_rng(7)
    smooth = Image.fromarray(rng.integers(0, 255, (30, 50, 3), dtype=np.uint8))
    picture = smooth.resize((500, 300), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down: the reduced picture must be turned, too
    picture.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "a.jpg", quality=95, exif=exif)
    picture.save(tmp_path / "b.png")
    source = open_source(RunSettings((str(tmp_path),), "/out"))
    pictures = dict(source.iterate(least_side))
    assert pictures[0].shape[:2] == size
    assert pictures[1].shape[:2] == (300, 500)  # only JPEG can
    expected = np.asarray(picture.resize(size[::-1], Image.Resampling.BOX)).astype(float)
    assert np.abs(expected - pictures[0]).mean() < 4
    assert source.read(0).shape[:2] == (300, 500)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("least_side", [0, 100])
def test_jpegs_have_pillow_s_own_numbers(tmp_path, monkeypatch, mode, options, least_side):
    rng = np.random.default_rng(11)
    noise = Image.fromarray(rng.integers(0, 255, (61, 93, 3), dtype=np.uint8))
    picture = noise.resize((744, 488), Image.Resampling.BICUBIC).convert(mode)
    picture.save(tmp_path / "a.jpg", quality=85, **options)
    pixels = decode_picture(tmp_path / "a.jpg", least_side)
    monkeypatch.setattr(picture_file.simplejpeg, "decode_jpeg", _refuse)
    by_pillow = decode_picture(tmp_path / "a.jpg", least_side)
    assert pixels.shape == by_pillow.shape
    assert np.array_equal(pixels, by_pillow)


def _refuse(*_arguments, **_options):
    raise ValueError


def test_damage_inside_a_jpeg_is_borne_as_pillow_bears_it(tmp_path):
    Image.fromarray(TRUTH).resize((640, 480)).save(tmp_path / "a.jpg", quality=90)
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = b"\x00\x11\x22\x33"
    (tmp_path / "a.jpg").write_bytes(content)
    assert decode_picture(tmp_path / "a.jpg").shape == (480, 640, 3)
