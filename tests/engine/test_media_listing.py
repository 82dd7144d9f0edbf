# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files an input means: folders, lists, order, names, sequences and their numbers.

Runs in the engine's environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("pillow_heif", reason="pillow_heif is not installed")
pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")

from PIL import Image

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import SourceKind
from da3_blender.media import open_source


def make_photo(path, level=0, size=(48, 40), maker=""):
    """Write a picture of one grey level; JPEG keeps flat grey within one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if maker:
        exif[271] = maker
    Image.new("RGB", size, (level,) * 3).save(path, exif=exif)
    return path


def open_input(*inputs, **choices):
    return open_source(RunSettings(tuple(str(p) for p in inputs), "unused", **choices))


def get_names(source):
    return [view.name for view in source.views]


def get_frames(source):
    return [view.frame for view in source.views]


def refuse(*inputs, **choices):
    with pytest.raises(EngineError) as caught:
        open_input(*inputs, **choices)
    assert caught.value.hint.endswith(".")
    return caught.value


def test_folder_is_in_natural_order_without_hidden_and_other_files(tmp_path):
    for name in ("img10.jpg", "img2.JPG", "img1.jpeg", "Img3.PNG", "b.webp", "c.Tif", "d.bmp"):
        make_photo(tmp_path / name)
    for name in (".hidden.jpg", "._img1.jpg"):
        make_photo(tmp_path / name)
    (tmp_path / "K.txt").write_text("1 0 0")
    make_photo(tmp_path / "deeper" / "x.jpg")
    source = open_input(tmp_path)
    assert source.kind is SourceKind.PHOTOS
    assert get_names(source) == [
        "b.webp", "c.Tif", "d.bmp", "img1.jpeg", "img2.JPG", "Img3.PNG", "img10.jpg",
    ]  # fmt: skip
    assert source.skipped == ()
    assert source.fps is None
    assert get_frames(source) == [None] * 7


def test_listed_files_keep_their_order_and_repeated_ones_are_dropped(tmp_path):
    b, a = make_photo(tmp_path / "b.png"), make_photo(tmp_path / "a.png")
    again = tmp_path / "deeper" / ".." / "b.png"
    (tmp_path / "deeper").mkdir()
    assert get_names(open_input(b, a, again, b)) == ["b.png", "a.png"]


def test_same_names_in_different_folders_become_unique(tmp_path):
    paths = [
        make_photo(tmp_path / "left" / "1.png"),
        make_photo(tmp_path / "right" / "1.png"),
        make_photo(tmp_path / "right" / "2.png"),
        make_photo(tmp_path / "Right2" / "2.PNG"),
        make_photo(tmp_path / "deep" / "right" / "1.png"),
    ]
    source = open_input(*paths)
    names = get_names(source)
    assert names[0] == "left_1.png"
    assert len({name.casefold() for name in names}) == len(paths)
    assert [view.path for view in source.views] == [str(path) for path in paths]
    assert all("/" not in name and "\\" not in name for name in names)


@pytest.mark.parametrize(
    "name", ["with space", "Überprüfung ß", "写真 カメラ", "e\u0301 nfd", "🎥"]
)
def test_any_name_of_folder_and_file(tmp_path, name):
    path = make_photo(tmp_path / name / f"{name}.jpg", level=90)
    source = open_input(tmp_path / name)
    assert get_names(source) == [path.name]
    assert np.abs(source.read(0).astype(int) - 90).max() <= 1


def test_names_that_differ_in_case_only_become_unique(tmp_path):
    paths = [make_photo(tmp_path / "a.png"), make_photo(tmp_path / "A.PNG")]
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system ignores case")
    names = get_names(open_input(*paths))
    assert len({name.casefold() for name in names}) == 2
    assert all(name.lower().endswith(".png") for name in names)


def test_images_sub_folder_is_used_when_there_is_nothing_else(tmp_path):
    make_photo(tmp_path / "images" / "a.jpg")
    make_photo(tmp_path / "masks" / "a.png")
    assert get_names(open_input(tmp_path)) == ["a.jpg"]


def test_several_folders_are_taken_together(tmp_path):
    make_photo(tmp_path / "one" / "a.jpg")
    make_photo(tmp_path / "two" / "b.jpg")
    assert get_names(open_input(tmp_path / "one", tmp_path / "two")) == ["a.jpg", "b.jpg"]


def test_links_are_followed(tmp_path):
    real = make_photo(tmp_path / "real" / "a.jpg")
    link = tmp_path / "link.jpg"
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("this system makes no links")
    assert [view.path for view in open_input(link).views] == [str(link)]


def test_empty_and_missing_inputs(tmp_path):
    assert refuse(tmp_path).code is ErrorCode.INPUT_EMPTY
    (tmp_path / "notes.txt").write_text("no pictures")
    error = refuse(tmp_path)
    assert error.code is ErrorCode.INPUT_EMPTY
    assert str(tmp_path) in error.message
    gone = tmp_path / "gone"
    assert refuse(gone).code is ErrorCode.INPUT_MISSING
    assert str(gone) in refuse(gone).message
    assert refuse(tmp_path / "gone.jpg").code is ErrorCode.INPUT_MISSING
    assert refuse("").code is ErrorCode.INPUT_MISSING
    assert refuse("bad\0name.jpg").code is ErrorCode.INPUT_MISSING
    assert refuse(tmp_path, input_kind="VIDEO").code is ErrorCode.INPUT_EMPTY


def test_one_missing_file_of_several_is_left_out(tmp_path):
    a, b = make_photo(tmp_path / "a.jpg"), make_photo(tmp_path / "b.jpg")
    source = open_input(a, tmp_path / "gone.jpg", b)
    assert get_names(source) == ["a.jpg", "b.jpg"]
    assert source.skipped == ("gone.jpg was left out: it does not exist.",)


def test_unreadable_folder(tmp_path, monkeypatch):
    make_photo(tmp_path / "a.jpg")

    def forbid(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbid)  # root reads everything, so chmod shows nothing
    error = refuse(tmp_path)
    assert error.code is ErrorCode.INPUT_UNREADABLE
    assert "permission" in error.message


def test_unsupported_format(tmp_path):
    raw = tmp_path / "photo.CR3"
    raw.write_bytes(b"raw")
    error = refuse(raw)
    assert error.code is ErrorCode.INPUT_UNREADABLE
    assert ".CR3" in error.message
    a = make_photo(tmp_path / "a.jpg")
    assert "photo.CR3" in open_input(a, raw).skipped[0]


def test_pictures_and_videos_do_not_mix(tmp_path):
    a = make_photo(tmp_path / "a.jpg")
    videos = [tmp_path / "a.mp4", tmp_path / "b.mov"]
    for video in videos:
        video.write_bytes(b"never opened")
    assert refuse(a, videos[0]).code is ErrorCode.INPUT_MISMATCH
    assert refuse(*videos).code is ErrorCode.INPUT_MISMATCH
    assert refuse(videos[0], input_kind="PHOTOS").code is ErrorCode.INPUT_MISMATCH
    assert refuse(a, input_kind="VIDEO").code is ErrorCode.INPUT_MISMATCH
    assert refuse(tmp_path, input_kind="VIDEO").code is ErrorCode.INPUT_MISMATCH
    source = open_input(tmp_path)
    assert get_names(source) == ["a.jpg"]
    assert len(source.skipped) == 2
    a.unlink()
    assert "2 videos" in refuse(tmp_path).message


def test_mixed_sizes_and_orientations(tmp_path):
    sizes = [(48, 40), (40, 64), (100, 33)]
    paths = [make_photo(tmp_path / f"{i}.png", 40 * i, size) for i, size in enumerate(sizes)]
    source = open_input(*paths)
    assert [(view.width, view.height) for view in source.views] == sizes
    for index, pixels in source.iterate():
        assert pixels.shape == (sizes[index][1], sizes[index][0], 3)
        assert pixels.dtype == np.uint8
        assert (pixels == 40 * index).all()


def test_iterate_gives_every_photo_once_in_order_and_can_be_left(tmp_path):
    for i in range(20):
        make_photo(tmp_path / f"{i}.png", 10 * i)
    source = open_input(tmp_path)
    assert [(index, int(pixels[0, 0, 0])) for index, pixels in source.iterate()] == [
        (i, 10 * i) for i in range(20)
    ]
    walk = source.iterate()
    assert next(walk)[0] == 0
    walk.close()
    assert int(source.read(7)[0, 0, 0]) == 70


def count_open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="counts the open files of this process")
def test_no_file_stays_open(tmp_path):
    for i in range(6):
        make_photo(tmp_path / f"{i}.png")
    (tmp_path / "bad.jpg").write_bytes(b"text")
    before = count_open_files()
    source = open_input(tmp_path)
    walk = source.iterate()
    next(walk)
    walk.close()
    assert count_open_files() == before


def test_frame_settings_do_not_thin_photos(tmp_path):
    for i in range(4):
        make_photo(tmp_path / f"{i}.png")
    assert len(open_input(tmp_path, frame_step=2, frame_start=3).views) == 4


# Sequences


def make_sequence(folder, numbers, pattern="shot_{:04d}.png", **options):
    return [make_photo(folder / pattern.format(n), n % 250, **options) for n in numbers]


def test_sequence_keeps_its_numbers_across_gaps(tmp_path):
    make_sequence(tmp_path, [7, 8, 10, 11, 101])
    source = open_input(tmp_path, input_kind="SEQUENCE")
    assert source.kind is SourceKind.SEQUENCE
    assert get_frames(source) == [7, 8, 10, 11, 101]
    assert [int(pixels[0, 0, 0]) for _, pixels in source.iterate()] == [7, 8, 10, 11, 101]
    assert source.fps is None


def test_one_file_means_the_sequence_around_it(tmp_path):
    make_sequence(tmp_path, [998, 999, 1000, 1001])
    make_sequence(tmp_path, [1, 2], "other_{:04d}.png")
    make_sequence(tmp_path, [5], "shot_{:04d}.jpg")
    source = open_input(tmp_path / "shot_1000.png", input_kind="SEQUENCE")
    assert get_frames(source) == [998, 999, 1000, 1001]
    assert {Path(view.path).name[:5] for view in source.views} == {"shot_"}


def test_numbers_grow_past_their_padding(tmp_path):
    make_sequence(tmp_path, [9, 10, 11, 100], "f{}.png")
    source = open_input(tmp_path / "f10.png", input_kind="SEQUENCE")
    assert get_frames(source) == [9, 10, 11, 100]


def test_number_that_varies_is_the_frame(tmp_path):
    make_sequence(tmp_path, [3, 1, 2], "cam2_{:03d}_v01.png")
    assert get_frames(open_input(tmp_path, input_kind="SEQUENCE")) == [1, 2, 3]
    one = open_input(tmp_path / "cam2_002_v01.png", input_kind="SEQUENCE")
    assert get_frames(one) == [1, 2, 3]


def test_listed_sequence_is_sorted_by_number(tmp_path):
    paths = make_sequence(tmp_path, [12, 4, 8])
    assert get_frames(open_input(*paths, input_kind="SEQUENCE")) == [4, 8, 12]


@pytest.mark.parametrize(
    ("choices", "frames"),
    [
        ({"frame_start": 3}, [3, 5, 6, 7, 8]),
        ({"frame_end": 3}, [1, 2, 3]),
        ({"frame_start": 2, "frame_end": 6}, [2, 3, 5, 6]),
        ({"frame_step": 2}, [1, 3, 5, 7]),
        ({"frame_start": 2, "frame_step": 3}, [2, 5, 8]),
    ],
)
def test_frame_range_and_step_of_a_sequence(tmp_path, choices, frames):
    make_sequence(tmp_path, [1, 2, 3, 5, 6, 7, 8])
    source = open_input(tmp_path, input_kind="SEQUENCE", **choices)
    assert get_frames(source) == frames


def test_step_counts_in_the_rhythm_of_the_sequence(tmp_path):
    make_sequence(tmp_path, [0, 5, 10, 15, 20])
    assert get_frames(open_input(tmp_path, input_kind="SEQUENCE", frame_step=2)) == [0, 10, 20]


def test_range_beside_the_sequence(tmp_path):
    make_sequence(tmp_path, [10, 11, 12])
    error = refuse(tmp_path, input_kind="SEQUENCE", frame_start=50)
    assert error.code is ErrorCode.INPUT_EMPTY
    assert "10 to 12" in error.message
    assert "50" in error.message


@pytest.mark.parametrize(
    "names",
    [
        ["cover.png"],
        ["a_001.png", "a_002.png", "cover.png"],
        ["a_001.png", "b_001.png"],
        ["a_1.png", "a_01.png"],
        ["a_001.png", "a_001.jpg"],
    ],
)
def test_what_is_no_sequence(tmp_path, names):
    for name in names:
        make_photo(tmp_path / name)
    assert refuse(tmp_path, input_kind="SEQUENCE").code is ErrorCode.INPUT_MISMATCH


def test_automatic_kind_takes_only_long_regular_renders_for_a_sequence(tmp_path):
    make_sequence(tmp_path / "render", range(1, 25), size=(32, 32))
    source = open_input(tmp_path / "render", frame_start=5, frame_step=10)
    assert source.kind is SourceKind.SEQUENCE
    assert get_frames(source) == [5, 15]

    make_sequence(tmp_path / "short", range(1, 24), size=(32, 32))
    make_sequence(tmp_path / "gap", [*range(1, 24), 30], size=(32, 32))
    make_sequence(tmp_path / "unpadded", range(10, 40), "f{}.png", size=(32, 32))
    make_sequence(tmp_path / "sizes", range(1, 25), size=(32, 32))
    make_photo(tmp_path / "sizes" / "shot_0003.png", size=(33, 32))
    make_sequence(tmp_path / "camera", range(1, 25), "P_{:04d}.jpg", size=(32, 32), maker="Canon")
    for name in ("short", "gap", "unpadded", "sizes", "camera"):
        assert open_input(tmp_path / name).kind is SourceKind.PHOTOS, name
    assert open_input(tmp_path / "render", input_kind="PHOTOS").kind is SourceKind.PHOTOS


def test_broken_frame_of_a_sequence_is_left_out(tmp_path):
    make_sequence(tmp_path, range(1, 31), size=(32, 32))
    (tmp_path / "shot_0004.png").write_bytes(b"")
    source = open_input(tmp_path)
    assert source.kind is SourceKind.SEQUENCE
    assert get_frames(source) == [1, 2, 3, *range(5, 31)]
    assert source.skipped == ("shot_0004.png was left out: the file is empty.",)
