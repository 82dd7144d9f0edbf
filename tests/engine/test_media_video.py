# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Videos: which frames are chosen, that they are the right ones, rotation, colours, damage.

Runs in the engine's environment. Each frame of a test video has its own grey level, so a
picture tells which frame it is.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("pillow_heif", reason="pillow_heif is not installed")
pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")

import av
from PIL import Image

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import SourceKind
from da3_blender.media import open_source
from da3_blender.media.frame_times import choose_video_frames

WIDTH, HEIGHT = 64, 48
STEP = 5  # grey levels between frames; compression changes flat grey by one or two


def make_video(path, count=50, codec="libx264", **options):
    """Write a video whose frame n (from 0) is grey level 5 n.

    Options: rate, pts (list, in 1/1000 s), rotation, size, gop, pixels (function of n), aspect,
    pix_fmt.
    """
    size = options.get("size", (WIDTH, HEIGHT))
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=options.get("rate", 10))
        stream.width, stream.height = size
        stream.pix_fmt = options.get("pix_fmt", "yuv420p")
        stream.codec_context.gop_size = options.get("gop", 12)
        if codec == "libx264":
            stream.options = {"crf": "10", "bf": "2"}
        else:
            stream.bit_rate = 4_000_000
        if "aspect" in options:
            stream.codec_context.sample_aspect_ratio = options["aspect"]
        if "rotation" in options:
            stream.set_display_rotation(options["rotation"], hflip=options.get("hflip", False))
        if "pts" in options:
            stream.codec_context.time_base = Fraction(1, 1000)
        for n in range(count):
            pixels = np.full((size[1], size[0], 3), STEP * n % 256, np.uint8)
            if "pixels" in options:
                pixels = options["pixels"](n)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            if "pts" in options:
                frame.pts, frame.time_base = options["pts"][n], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def open_input(path, **choices):
    return open_source(RunSettings((str(path),), "unused", **choices))


def refuse(path, **choices):
    with pytest.raises(EngineError) as caught:
        open_input(path, **choices)
    assert str(path) in caught.value.message
    return caught.value


def identify(pixels):
    """Frame number, from 1, by the grey level."""
    level = np.median(pixels)
    assert np.abs(pixels.astype(int) - level).max() <= 3
    return round(level / STEP) + 1


def get_frames(source):
    return [view.frame for view in source.views]


CONTAINERS = [
    ("a.mp4", "libx264"),
    ("a.mov", "libx264"),
    ("a.mkv", "libx264"),
    ("a.ts", "libx264"),
    ("a.avi", "mpeg4"),
    ("a.webm", "libvpx-vp9"),
    ("film in Überlänge 映画.mp4", "libx264"),
]


@pytest.mark.parametrize(("name", "codec"), CONTAINERS)
def test_every_frame_of_a_video(tmp_path, name, codec):
    source = open_input(make_video(tmp_path / name, codec=codec))
    assert source.kind is SourceKind.VIDEO
    assert source.fps == pytest.approx(10, rel=1e-3)
    assert get_frames(source) == list(range(1, 51))
    assert source.views[11].name == f"{name}#000012"
    assert not source.views[0].needs_copy
    assert (source.views[0].width, source.views[0].height) == (WIDTH, HEIGHT)
    seen = []
    for index, pixels in source.iterate():
        assert pixels.shape == (HEIGHT, WIDTH, 3)
        assert pixels.dtype == np.uint8
        seen.append((index, identify(pixels)))
    assert seen == [(n, n + 1) for n in range(50)]


@pytest.mark.parametrize(("name", "codec"), CONTAINERS)
def test_reading_single_frames_in_any_order(tmp_path, name, codec):
    source = open_input(make_video(tmp_path / name, codec=codec))
    for index in (0, 49, 25, 24, 12, 13, 1):
        assert identify(source.read(index)) == index + 1


def test_reading_where_seeking_lands_behind_the_frame(tmp_path):
    # A transport stream has no index: the search ends before frame 31, the next key frame is 41.
    source = open_input(make_video(tmp_path / "a.ts", gop=40))
    assert identify(source.read(30)) == 31


@pytest.mark.parametrize(
    ("choices", "frames"),
    [
        ({"frame_step": 7}, list(range(1, 51, 7))),
        ({"frame_start": 5, "frame_step": 20}, [5, 25, 45]),
        ({"frame_start": 48}, [48, 49, 50]),
        ({"frame_end": 3}, [1, 2, 3]),
        ({"frame_start": 30, "frame_end": 40, "frame_step": 5}, [30, 35, 40]),
        ({"frame_start": -5, "frame_end": 2}, [1, 2]),
        ({"frame_start": 49, "frame_end": 900}, [49, 50]),
        ({"target_fps": 10.0}, list(range(1, 51))),
        ({"target_fps": 100.0}, list(range(1, 51))),
        ({"target_fps": 5.0, "frame_step": 9}, list(range(1, 51, 2))),
        ({"target_fps": 1.0}, [1, 11, 21, 31, 41]),
        ({"target_fps": 0.1}, [1]),
        ({"target_fps": 2.0, "frame_start": 11, "frame_end": 26}, [11, 16, 21, 26]),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_range_step_and_rate(tmp_path, name, choices, frames):
    source = open_input(make_video(tmp_path / name), **choices)
    assert get_frames(source) == frames
    assert [identify(pixels) for _, pixels in source.iterate()] == frames
    assert identify(source.read(len(frames) - 1)) == frames[-1]


def test_range_beside_the_video(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    error = refuse(path, frame_start=51)
    assert error.code is ErrorCode.INPUT_EMPTY
    assert "1 to 50" in error.message
    assert "51" in error.message


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_variable_frame_rate_goes_by_time(tmp_path, name):
    # 1 s at 20 per second, 2 s at 5 per second, 1 s at 10 per second
    pts = [*range(0, 1000, 50), *range(1000, 3000, 200), *range(3000, 4001, 100)]
    path = make_video(tmp_path / name, count=len(pts), pts=pts, rate=20)
    source = open_input(path, target_fps=2.0)
    wanted = [min(range(len(pts)), key=lambda n: (abs(pts[n] - 500 * k), n)) + 1 for k in range(9)]
    assert get_frames(source) == wanted
    assert [identify(pixels) for _, pixels in source.iterate()] == wanted
    for index in (8, 4, 1):
        assert identify(source.read(index)) == wanted[index]
    assert source.fps == pytest.approx((len(pts) - 1) / 4, rel=0.02)
    assert len(open_input(path).views) == len(pts)


def test_frames_nearest_to_the_grid():
    times = np.array([0.0, 0.9, 1.2, 2.6, 3.0])
    assert choose_video_frames(times, None, None, 1, 1.0) == [1, 2, 4, 5]  # 0, 1, 2 -> 2.6, 3
    assert choose_video_frames(times, 2, None, 1, 0.5) == [2, 5]  # 0.9 and 2.9
    assert choose_video_frames(times[:1], None, None, 1, 24.0) == [1]
    assert choose_video_frames(times[:0], None, None, 1, 24.0) == []
    assert choose_video_frames(times, None, None, 1, 1000.0) == [1, 2, 3, 4, 5]


def test_reduced_rate_of_film(tmp_path):
    rate = Fraction(24000, 1001)
    source = open_input(make_video(tmp_path / "a.mp4", count=60, rate=rate), target_fps=6.0)
    assert source.fps == pytest.approx(23.976, abs=1e-3)
    frames = get_frames(source)
    assert frames[:4] == [1, 5, 9, 13]
    times = (np.array(frames) - 1) / float(rate)
    # never further from the grid than half a frame
    assert np.abs(times - np.arange(len(frames)) / 6).max() <= 0.5 / float(rate) + 1e-9


# Rotation and shape


def make_corners(_):
    """A wide picture with one red and one green upper corner."""
    pixels = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = (220, 30, 30)
    pixels[: HEIGHT // 2, WIDTH // 2 :] = (30, 200, 30)
    return pixels


@pytest.mark.parametrize(
    ("rotation", "turn"),
    [
        (0, lambda a: a),
        (90, lambda a: np.rot90(a, 1)),
        (180, lambda a: np.rot90(a, 2)),
        (-90, lambda a: np.rot90(a, -1)),
    ],
)
@pytest.mark.parametrize("hflip", [False, True])
def test_display_rotation_is_applied(tmp_path, rotation, turn, hflip):
    path = make_video(
        tmp_path / "a.mp4", count=3, rotation=rotation, hflip=hflip, pixels=make_corners
    )
    source = open_input(path)
    truth = turn(make_corners(0))
    truth = truth[:, ::-1] if hflip else truth
    view = source.views[0]
    assert (view.height, view.width) == truth.shape[:2]
    assert view.needs_copy is (rotation != 0 or hflip)
    for pixels in (source.read(2), next(iter(source.iterate()))[1]):
        assert pixels.shape == truth.shape
        for row in (0.25, 0.75):
            for column in (0.25, 0.75):
                place = int(row * truth.shape[0]), int(column * truth.shape[1])
                assert np.abs(pixels[place].astype(int) - truth[place]).max() <= 12


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = make_video(tmp_path / "a.mp4", count=3, aspect=Fraction(4, 3))
    view = open_input(path).views[0]
    assert (view.width, view.height) == (round(WIDTH * 4 / 3), HEIGHT)
    assert view.needs_copy
    assert open_input(path).read(0).shape == (HEIGHT, round(WIDTH * 4 / 3), 3)


# Colours


def make_yuv_video(path, size, luma_weights, tag, *, full_range):
    """Write one colour with a given matrix, tagged or not, without FFmpeg's conversions."""
    red, green, blue = np.array([200, 60, 40]) / 255
    kr, kb = luma_weights
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))
    planes = (255 * y, 128 + 255 * cb, 128 + 255 * cr)
    if not full_range:
        planes = (16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "1"}
        stream.codec_context.colorspace = tag
        stream.codec_context.color_range = 2 if full_range else 1
        for _ in range(2):
            frame = av.VideoFrame(*size, "yuv420p")
            frame.colorspace, frame.color_range = tag, 2 if full_range else 1
            for plane, value in zip(frame.planes, planes, strict=True):
                plane.update(bytes([round(value)]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


BT709, BT601 = (0.2126, 0.0722), (0.299, 0.114)


@pytest.mark.parametrize(
    ("size", "weights", "tag", "full_range"),
    [
        ((64, 48), BT601, 5, False),
        ((64, 48), BT709, 1, False),
        ((64, 48), BT601, 2, False),  # untagged and small: BT.601
        ((1280, 720), BT709, 2, False),  # untagged and HD: BT.709
        ((1280, 720), BT601, 6, False),
        ((64, 48), BT709, 1, True),
    ],
)
def test_colours_by_tag_and_by_size(tmp_path, size, weights, tag, full_range):
    if "libx264" not in av.codecs_available:
        pytest.skip("this build of FFmpeg has no libx264")
    make_yuv_video(tmp_path / "a.mp4", size, weights, tag, full_range=full_range)
    pixels = open_input(tmp_path / "a.mp4").read(1)
    # One step of 8-bit YUV is up to two of RGB; the wrong matrix is off by more than ten.
    assert np.abs(pixels.astype(int) - (200, 60, 40)).max() <= 4


def test_ten_bits(tmp_path):
    path = make_video(tmp_path / "a.mkv", count=20, codec="ffv1", pix_fmt="yuv420p10le")
    source = open_input(path)
    assert [identify(pixels) for _, pixels in source.iterate()] == list(range(1, 21))


# Damage


def test_files_that_are_no_video(tmp_path):
    text = tmp_path / "a.mp4"
    text.write_bytes(b"This is a text. " * 99)
    assert refuse(text).code is ErrorCode.INPUT_UNREADABLE
    empty = tmp_path / "b.mov"
    empty.touch()
    assert refuse(empty).code is ErrorCode.INPUT_UNREADABLE
    assert refuse(tmp_path / "gone.mp4").code is ErrorCode.INPUT_MISSING
    small = make_video(tmp_path / "small.mp4", count=3, size=(64, 16))
    assert refuse(small).code is ErrorCode.INPUT_TOO_SMALL


def test_video_that_lost_its_header(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov")])
    assert refuse(path).code is ErrorCode.INPUT_UNREADABLE


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    error = refuse(path)
    assert error.code is ErrorCode.INPUT_UNREADABLE
    assert "no picture track" in error.message


def test_playlist_cannot_open_other_files(tmp_path):
    make_video(tmp_path / "segment.ts")
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:9", "#EXTINF:5,", "http://127.0.0.1:9/x.ts", ""]
    (tmp_path / "a.mp4").write_text("\n".join(lines))
    assert refuse(tmp_path / "a.mp4").code is ErrorCode.INPUT_UNREADABLE


def make_noise(n):
    return np.random.default_rng(n).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def test_video_that_was_cut_off_gives_the_frames_it_has(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", pixels=make_noise)
    moved = tmp_path / "a.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = moved.read_bytes()
    moved.write_bytes(content[: len(content) // 2])
    source = open_input(moved)
    assert 15 < len(source.views) < 35
    assert "cut off" in source.skipped[0]
    assert sum(1 for _ in source.iterate()) == len(source.views)


def test_damaged_middle_is_an_error_with_the_frame(tmp_path):
    path = make_video(tmp_path / "a.mp4", pixels=make_noise, gop=10)
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for position, size in places[20:40]:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    source = open_input(path)
    assert len(source.views) == 50
    with pytest.raises(EngineError, match="frame") as caught:
        list(source.iterate())
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE
    assert str(path) in caught.value.message


def test_video_that_goes_after_opening(tmp_path):
    path = make_video(tmp_path / "a.mp4", count=5)
    source = open_input(path)
    path.unlink()
    with pytest.raises(EngineError) as caught:
        source.read(0)
    assert caught.value.code is ErrorCode.INPUT_MISSING


# Folders


def test_folder_with_one_video(tmp_path):
    make_video(tmp_path / "a.mp4", count=5)
    (tmp_path / "notes.txt").write_text("take 3")
    assert open_input(tmp_path).kind is SourceKind.VIDEO
    Image.new("RGB", (64, 64)).save(tmp_path / "cover.jpg")
    assert open_input(tmp_path).kind is SourceKind.PHOTOS
    assert open_input(tmp_path, input_kind="VIDEO").kind is SourceKind.VIDEO


def count_open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="counts the open files of this process")
def test_no_file_stays_open(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    before = count_open_files()
    source = open_input(path)
    source.read(3)
    walk = source.iterate()
    next(walk)
    walk.close()
    assert count_open_files() == before


def test_real_video():
    path = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "robot_unitree.mp4"
    if not path.is_file():
        pytest.skip(f"the video {path} is not here")
    source = open_input(path, target_fps=5.0)
    # 175 stored frames at 50 per second; an edit list hides the first, and 174 last 3.46 s
    assert source.fps == pytest.approx(50)
    assert get_frames(source) == [1 + 10 * k for k in range(18)]
    pictures = dict(source.iterate())
    assert len(pictures) == 18
    assert all(pixels.shape == (576, 1024, 3) for pixels in pictures.values())
    assert np.array_equal(source.read(9), pictures[9])
    assert not np.array_equal(pictures[0], pictures[9])
