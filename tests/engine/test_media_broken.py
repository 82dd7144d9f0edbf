# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that cannot be used: a sentence in a set, an error when alone.

Runs in the engine's environment.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("pillow_heif", reason="pillow_heif is not installed")
pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")

import OpenEXR
import pillow_heif
from PIL import Image

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.settings import RunSettings
from da3_blender.media import open_source, save_photo

NOISE = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def open_input(*inputs):
    return open_source(RunSettings(tuple(str(p) for p in inputs), "unused"))


def encode(path, **options):
    Image.fromarray(NOISE).save(path, **options)
    return path.read_bytes()


def encode_exr(path, compression=None):
    header = {
        "compression": compression or OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
    }
    OpenEXR.File(header, {"RGB": NOISE.astype(np.float32)}).write(str(path))
    return path.read_bytes()


def encode_heic(path):
    try:
        pillow_heif.from_pillow(Image.fromarray(NOISE)).save(path, quality=50)
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"this build of libheif has no encoder: {error}")
    return path.read_bytes()


def make_png_header(width, height):
    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def cut(encoder, name, lost, **options):
    """Return a builder of a file that lost its last bytes (a number, or a share below 1)."""

    def build(folder):
        content = encoder(folder / name, **options)
        return content[: -lost if lost > 1 else round(len(content) * (1 - lost))]

    return name, build, ErrorCode.INPUT_UNREADABLE


def write(name, content, code=ErrorCode.INPUT_UNREADABLE):
    return name, lambda _: content, code


def shrink(name, size):
    def build(folder):
        Image.new("RGB", size).save(folder / name)
        return (folder / name).read_bytes()

    return name, build, ErrorCode.INPUT_TOO_SMALL


def build_with_thumbnail(folder):
    """Cut a JPEG off whose EXIF holds a whole, smaller JPEG with an end marker."""
    thumbnail = encode(folder / "t.jpg", quality=10)
    content = encode(folder / "a.jpg", quality=90)
    extra = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    return (content[:2] + extra + content[2:])[:-500]


TEXT = b"This is a text. " * 50
# name, builder of the content, code of the error when the file is alone
BROKEN = {
    "text as jpg": write("a.jpg", TEXT),
    "text as exr": write("a.exr", TEXT),
    "text as heic": write("a.heic", TEXT),
    "page as png": write("a.png", b"<!DOCTYPE html><html><body>404</body></html>"),
    "empty": write("a.jpg", b""),
    "start of a jpeg": write("a.jpg", b"\xff\xd8"),
    "half a jpeg": cut(encode, "a.jpg", 0.5, quality=95),
    "jpeg without its end": cut(encode, "a.jpg", 40, progressive=True),
    "cut jpeg with a thumbnail": ("a.jpg", build_with_thumbnail, ErrorCode.INPUT_UNREADABLE),
    "cut png": cut(encode, "a.png", 30),
    "cut webp": cut(encode, "a.webp", 1000, lossless=True),
    "cut bmp": cut(encode, "a.bmp", 1000),
    "cut tiff": cut(encode, "a.tif", 1000),
    "cut heic": cut(encode_heic, "a.heic", 300),
    "cut exr": cut(encode_exr, "a.exr", 1000),
    "cut exr, one line per chunk": cut(
        encode_exr, "a.exr", 0.25, compression=OpenEXR.ZIPS_COMPRESSION
    ),
    "one pixel": shrink("a.png", (1, 1)),
    "narrow": shrink("a.jpg", (500, 31)),
    "401 megapixels": write("a.png", make_png_header(40_100, 10_000)),
    "bomb": write("a.png", make_png_header(2**31 - 1, 2**31 - 1)),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", BROKEN)
def test_broken_file_alone_is_an_error_and_in_a_set_a_sentence(tmp_path, kind):
    name, build, code = BROKEN[kind]
    bad = tmp_path / name
    bad.write_bytes(build(tmp_path))
    with pytest.raises(EngineError) as caught:
        open_input(bad)
    assert caught.value.code is code
    assert str(bad) in caught.value.message
    assert caught.value.hint.endswith(".")

    good = [tmp_path / "good1.png", tmp_path / "good2.png"]
    for path in good:
        Image.fromarray(NOISE).save(path)
    source = open_input(good[0], bad, good[1])
    assert [view.name for view in source.views] == ["good1.png", "good2.png"]
    assert len(source.skipped) == 1
    assert source.skipped[0].startswith(f"{name} was left out: ")
    assert [np.array_equal(pixels, NOISE) for _, pixels in source.iterate()] == [True, True]


def test_a_set_of_which_nothing_remains_is_an_error(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(TEXT)
    with pytest.raises(EngineError, match=r"None of the 2 files.* a\.jpg") as caught:
        open_input(tmp_path)
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    with pytest.raises(EngineError, match="20 x 20") as caught:
        open_input(tmp_path)
    assert caught.value.code is ErrorCode.INPUT_TOO_SMALL


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp"])
def test_whole_files_are_not_taken_for_broken(tmp_path, name):
    encode(tmp_path / name)
    assert open_input(tmp_path / name).read(0).shape == NOISE.shape


@pytest.mark.parametrize(
    "compression",
    ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"],
)
def test_whole_exr_files_are_not_taken_for_broken(tmp_path, compression):
    encode_exr(tmp_path / "a.exr", getattr(OpenEXR, f"{compression}_COMPRESSION"))
    assert open_input(tmp_path / "a.exr").read(0).shape == NOISE.shape


def test_jpeg_with_a_film_behind_it_is_whole(tmp_path):
    content = encode(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content + b"\0\0\0\x18ftypmp42" + b"film" * 50_000)
    source = open_input(tmp_path / "a.jpg")
    assert source.read(0).shape == NOISE.shape


def test_damage_in_the_middle_shows_when_reading(tmp_path):
    ramp = np.add.outer(np.arange(300) ** 2, np.arange(400)).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = b"\xff" * 200
    (tmp_path / "a.png").write_bytes(content)
    source = open_input(tmp_path / "a.png")
    for decode in (lambda: source.read(0), lambda: list(source.iterate())):
        with pytest.raises(EngineError) as caught:
            decode()
        assert caught.value.code is ErrorCode.INPUT_UNREADABLE
        assert str(tmp_path / "a.png") in caught.value.message


def test_file_that_changes_or_goes_after_opening(tmp_path):
    path = tmp_path / "a.png"
    encode(path)
    source = open_input(path)
    Image.new("RGB", (64, 64)).save(path)
    with pytest.raises(EngineError, match="64 x 64") as caught:
        source.read(0)
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE
    path.unlink()
    with pytest.raises(EngineError) as caught:
        source.read(0)
    assert caught.value.code is ErrorCode.INPUT_MISSING


def test_forbidden_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    encode(path)
    open_really = Path.open

    def forbid(self, *args, **kwargs):
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return open_really(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", forbid)  # root reads everything, so chmod shows nothing
    with pytest.raises(EngineError, match="permission") as caught:
        open_input(path)
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_name_that_is_not_unicode(tmp_path):
    encode(tmp_path / "good.png")
    content = (tmp_path / "good.png").read_bytes()
    with open(os.fsencode(tmp_path) + b"/bad\xff.png", "wb") as file:  # noqa: PTH123 - bytes
        file.write(content)
    source = open_input(tmp_path)
    assert [view.name for view in source.views] == ["good.png"]
    source.skipped[0].encode("utf-8")
    assert "Unicode" in source.skipped[0]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_and_profile_do_not_spoil_the_photo(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(NOISE).save(
        path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff", icc_profile=b"junk" * 9
    )
    source = open_input(path)
    assert source.views[0].focal_prior_px is None
    assert source.read(0).shape == NOISE.shape


# Writing


def test_saved_png_is_exact_and_jpeg_close(tmp_path):
    flat = np.zeros((40, 60, 3), np.uint8)
    flat[:, 30:] = (200, 30, 90)
    for name, tolerance in (("ö 1.png", 0), ("a.jpg", 12), ("deeper/b.JPEG", 12)):
        path = tmp_path / name
        save_photo(flat, path)
        with Image.open(path) as picture:
            assert picture.format == ("PNG" if name.endswith("png") else "JPEG")
            # the edge at x = 30 is inside a block of 8, where JPEG rings a little
            difference = np.abs(np.asarray(picture).astype(int) - flat)
        assert difference.max() <= tolerance
    assert not list(tmp_path.rglob("*.part"))


def test_saving_replaces_and_quality_counts(tmp_path):
    path = tmp_path / "a.jpg"
    save_photo(NOISE, path, quality=95)
    large = path.stat().st_size
    save_photo(NOISE, path, quality=20)
    assert path.stat().st_size < large / 2
    save_photo(NOISE[:, ::-1], tmp_path / "mirrored.png")  # a view with negative strides
    with Image.open(tmp_path / "mirrored.png") as picture:
        assert np.array_equal(np.asarray(picture), NOISE[:, ::-1])


def test_saving_into_a_place_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError) as caught:
        save_photo(NOISE, tmp_path / "file" / "a.jpg")
    assert caught.value.code is ErrorCode.OUTPUT_UNWRITABLE


def test_saving_on_a_full_disk(tmp_path):
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("this system has no device that is always full")
    part = tmp_path / f".a.png.{os.getpid()}.part"
    part.symlink_to("/dev/full")
    with pytest.raises(EngineError) as caught:
        save_photo(NOISE, tmp_path / "a.png")
    assert caught.value.code is ErrorCode.DISK_FULL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "name"),
    [(NOISE, "a.gif"), (NOISE[..., 0], "a.png"), (NOISE.astype(np.float32), "a.png")],
)
def test_saving_what_is_no_photo(tmp_path, array, name):
    with pytest.raises(ValueError, match=r"must end|need"):
        save_photo(array, tmp_path / name)
