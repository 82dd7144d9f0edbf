# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad days: each gives a clear sentence with a remedy and leaves the disk as it was."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.pipeline import create_pipeline

ROOT = Path(__file__).resolve().parents[2]
rng = np.random.default_rng(0)


def make_texture(seed: int, size=(360, 480)) -> np.ndarray:
    """A picture with detail at several scales, unlike that of any other seed."""
    local = np.random.default_rng(seed)
    total = np.zeros((*size, 3))
    for step in (4, 8, 16, 40):
        small = local.uniform(0, 255, (size[0] // step + 2, size[1] // step + 2, 3))
        grown = np.kron(small, np.ones((step, step, 1)))[: size[0], : size[1]]
        total += grown / 4
    return total.astype(np.uint8)


def save(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def save_video(path: Path, frames: int, codec="mpeg4") -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(frames):
            picture = make_texture(number, (240, 320))
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def save_sound(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        samples = np.zeros((1, 4096), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path


def save_weights(path: Path, keys: dict[str, tuple[int, ...]]) -> Path:
    from safetensors.numpy import save_file

    save_file({key: np.zeros(shape, np.float32) for key, shape in keys.items()}, path)
    return path


class Bad:
    """Builders of bad inputs; each returns the settings that differ from the usual."""

    def missing_folder(self, tmp):
        return {"inputs": (str(tmp / "in" / "gone"),)}

    def empty_folder(self, tmp):
        return {}

    def only_text(self, tmp):
        (tmp / "in" / "notes.txt").write_text("buy milk")
        return {}

    def neither_image_nor_video(self, tmp):
        (tmp / "in" / "archive.zip").write_bytes(b"PK\x03\x04 nothing")
        return {"inputs": (str(tmp / "in" / "archive.zip"),)}

    def one_photo(self, tmp):
        save(tmp / "in" / "a.jpg", make_texture(1))
        return {}

    def text_as_jpg(self, tmp):
        (tmp / "in" / "a.jpg").write_text("I am a picture, honestly")
        return {}

    def text_as_jpg_beside_one_photo(self, tmp):
        (tmp / "in" / "a.jpg").write_text("I am a picture, honestly")
        save(tmp / "in" / "b.jpg", make_texture(1))
        return {}

    def truncated_jpeg(self, tmp):
        path = save(tmp / "in" / "a.jpg", make_texture(1), quality=95)
        path.write_bytes(path.read_bytes()[:9000])
        return {}

    def truncated_png(self, tmp):
        path = save(tmp / "in" / "a.png", make_texture(1))
        path.write_bytes(path.read_bytes()[:9000])
        return {}

    def empty_file(self, tmp):
        (tmp / "in" / "a.jpg").touch()
        return {}

    def one_pixel(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1, (1, 1)))
        return {}

    def thumbnails(self, tmp):
        for i in range(3):
            save(tmp / "in" / f"{i}.png", make_texture(i, (20, 26)))
        return {}

    def bomb(self, tmp):
        header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
        import zlib

        crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
        (tmp / "in" / "a.png").write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + struct.pack(">I", 13)
            + b"IHDR"
            + header
            + crc
            + struct.pack(">I", 0)
            + b"IEND"
            + struct.pack(">I", zlib.crc32(b"IEND"))
        )
        return {}

    def different_places(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        save(tmp / "in" / "b.png", make_texture(2))
        return {}

    def twice_the_same_photo(self, tmp):
        for name in "ab":
            save(tmp / "in" / f"{name}.png", make_texture(1))
        return {}

    def blank_photos(self, tmp):
        for name in "abc":
            save(tmp / "in" / f"{name}.png", np.full((300, 400, 3), 90, np.uint8))
        return {}

    def text_as_video(self, tmp):
        (tmp / "in" / "a.mp4").write_text("a film, honestly")
        return {"inputs": (str(tmp / "in" / "a.mp4"),)}

    def sound_only(self, tmp):
        return {"inputs": (str(save_sound(tmp / "in" / "a.mp4")),)}

    def video_of_one_frame(self, tmp):
        return {"inputs": (str(save_video(tmp / "in" / "a.mp4", 1)),)}

    def cut_video(self, tmp):
        path = save_video(tmp / "in" / "a.mp4", 10)
        path.write_bytes(path.read_bytes()[:2000])
        return {"inputs": (str(path),)}

    def range_past_the_end(self, tmp):
        path = save_video(tmp / "in" / "a.mp4", 5)
        return {"inputs": (str(path),), "frame_start": 100}

    def sequence_without_numbers(self, tmp):
        for name in ("left", "right"):
            save(tmp / "in" / f"{name}.png", make_texture(1))
        return {"input_kind": "SEQUENCE"}

    def end_before_start(self, tmp):
        return {"frame_start": 9, "frame_end": 3}

    def no_input(self, tmp):
        return {"inputs": ()}

    def unknown_model(self, tmp):
        return {"model": "da3-huge"}

    def output_with_other_files(self, tmp):
        (tmp / "out").mkdir()
        (tmp / "out" / "thesis.txt").write_text("years of work")
        save(tmp / "in" / "a.png", make_texture(1))
        return {}

    def output_is_a_file(self, tmp):
        (tmp / "out").write_text("years of work")
        save(tmp / "in" / "a.png", make_texture(1))
        return {}

    def output_below_a_file(self, tmp):
        (tmp / "file").write_text("years of work")
        save(tmp / "in" / "a.png", make_texture(1))
        return {"output": str(tmp / "file" / "out")}

    def weights_missing(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        return {"checkpoint": str(tmp / "gone"), "cameras": "DA3"}

    def weights_not_at_hand(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        return {"cameras": "DA3"}

    def weights_are_text(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        (tmp / "model.safetensors").write_text("<html>404</html>" * 100)
        return {"checkpoint": str(tmp / "model.safetensors"), "cameras": "DA3"}

    def weights_are_cut(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        path = save_weights(tmp / "model.safetensors", {"model.cam_dec.fc_t.weight": (100, 100)})
        path.write_bytes(path.read_bytes()[:5000])
        return {"checkpoint": str(path), "cameras": "DA3"}

    def weights_of_another_network(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        path = save_weights(tmp / "model.safetensors", {"unet.conv.weight": (4, 4)})
        return {"checkpoint": str(path), "cameras": "DA3"}

    def weights_of_a_single_view_model(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        folder = tmp / "metric"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_name": "da3metric-large"}))
        save_weights(
            folder / "model.safetensors", {"model.head.scratch.sky_output_conv2.0.bias": (32,)}
        )
        return {"checkpoint": str(folder), "cameras": "DA3"}

    def download_without_a_route(self, tmp):
        save(tmp / "in" / "a.png", make_texture(1))
        return {"may_download": True, "cameras": "DA3"}


C = ErrorCode
EXPECTED = {
    "missing_folder": (C.INPUT_MISSING, "gone"),
    "empty_folder": (C.INPUT_EMPTY, "in"),
    "only_text": (C.INPUT_EMPTY, "in"),
    "neither_image_nor_video": (C.INPUT_UNREADABLE, "archive.zip"),
    "one_photo": (C.INPUT_TOO_FEW, "1"),
    "text_as_jpg": (C.INPUT_UNREADABLE, "a.jpg"),
    "text_as_jpg_beside_one_photo": (C.INPUT_TOO_FEW, "1"),
    "truncated_jpeg": (C.INPUT_UNREADABLE, "a.jpg"),
    "truncated_png": (C.INPUT_UNREADABLE, "a.png"),
    "empty_file": (C.INPUT_UNREADABLE, "a.jpg"),
    "one_pixel": (C.INPUT_TOO_SMALL, "a.png"),
    "thumbnails": (C.INPUT_TOO_SMALL, ".png"),
    "bomb": (C.INPUT_UNREADABLE, "a.png"),
    "different_places": (C.CAMERAS_NOT_FOUND, ""),
    "twice_the_same_photo": (C.CAMERAS_NOT_FOUND, ""),
    "blank_photos": (C.CAMERAS_NOT_FOUND, ""),
    "text_as_video": (C.INPUT_UNREADABLE, "a.mp4"),
    "sound_only": (C.INPUT_UNREADABLE, "a.mp4"),
    "video_of_one_frame": (C.INPUT_TOO_FEW, "1"),
    "cut_video": (C.INPUT_UNREADABLE, "a.mp4"),
    "range_past_the_end": (C.INPUT_EMPTY, "100"),
    "sequence_without_numbers": (C.INPUT_MISMATCH, "left"),
    "end_before_start": (C.SETTINGS_INVALID, "9"),
    "no_input": (C.SETTINGS_INVALID, "input"),
    "unknown_model": (C.SETTINGS_INVALID, "da3-huge"),
    "output_with_other_files": (C.OUTPUT_UNWRITABLE, "out"),
    "output_is_a_file": (C.OUTPUT_UNWRITABLE, "out"),
    "output_below_a_file": (C.OUTPUT_UNWRITABLE, "out"),
    "weights_missing": (C.CHECKPOINT_MISSING, "gone"),
    "weights_not_at_hand": (C.CHECKPOINT_MISSING, "da3-base"),
    "weights_are_text": (C.CHECKPOINT_WRONG, "model.safetensors"),
    "weights_are_cut": (C.CHECKPOINT_WRONG, "model.safetensors"),
    "weights_of_another_network": (C.CHECKPOINT_WRONG, "model.safetensors"),
    "weights_of_a_single_view_model": (C.CHECKPOINT_WRONG, "da3metric-large"),
    "download_without_a_route": (C.DOWNLOAD_FAILED, "da3-base"),
}


def list_tree(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size if path.is_file() else -1
        for path in folder.rglob("*")
    }


def run(settings: RunSettings, is_cancelled=lambda: False):
    notes = []
    progress = Progress(lambda *_: None, is_cancelled, notes.append)
    return create_pipeline().run(settings, progress), notes


@pytest.fixture(autouse=True)
def _no_hub(tmp_path, monkeypatch):
    """No cache of checkpoints, and a hub that nobody reaches."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_a_bad_input_has_a_sentence_and_leaves_nothing(tmp_path, case):
    (tmp_path / "in").mkdir()
    change = getattr(Bad(), case)(tmp_path)
    base = {"inputs": (str(tmp_path / "in"),), "output": str(tmp_path / "out")}
    before = list_tree(tmp_path)
    with pytest.raises(EngineError) as caught:
        run(RunSettings(**(base | change)))
    error = caught.value
    code, word = EXPECTED[case]
    assert error.code is code, error
    assert word in error.message
    for sentence in (error.message, error.hint):
        assert sentence[0].isupper() or sentence[0].isdigit() or sentence[0] == "/"
        assert sentence.rstrip().endswith((".", "!"))
    assert "Traceback" not in error.message
    after = list_tree(tmp_path)
    assert {k: v for k, v in after.items() if not k.startswith("hub")} == before


def test_every_case_is_checked():
    cases = {name for name in vars(Bad) if not name.startswith("_")}
    assert cases == set(EXPECTED)
    assert len(cases) >= 30


def test_a_full_disk_is_said_and_cleaned_up(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        source = tmp_path / "in"
        source.mkdir()
        shifts = (0, 12, 24, 36)
        wide, near = make_texture(1, (400, 640)), make_texture(2, (150, 200))
        for i, shift in enumerate(shifts):  # a near board before a far wall: parallax
            picture = wide[:, shift : shift + 560].copy()
            picture[120:270, 200 - 3 * shift : 400 - 3 * shift] = near
            save(source / f"{i}.png", picture)
        with pytest.raises(EngineError) as caught:
            run(RunSettings((str(source),), str(disk / "out"), cameras="COLMAP"))
        assert caught.value.code is ErrorCode.DISK_FULL
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_cancelling_leaves_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(3):
        save(tmp_path / "in" / f"{i}.png", make_texture(i))
    asked = iter([False] * 4)
    with pytest.raises(CancelledError):
        run(
            RunSettings((str(tmp_path / "in"),), str(tmp_path / "out"), cameras="COLMAP"),
            lambda: next(asked, True),
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_the_next_run_works_after_a_failure(tmp_path):
    (tmp_path / "in").mkdir()
    pipeline = create_pipeline()
    progress = Progress(lambda *_: None, lambda: False, lambda _: None)
    settings = RunSettings((str(tmp_path / "in"),), str(tmp_path / "out"))
    for _ in range(2):
        with pytest.raises(EngineError):
            pipeline.run(settings, progress)


def test_the_command_line_says_it_in_two_lines(tmp_path):
    command = [sys.executable, "-P", "-m", "da3_blender", "reconstruct", str(tmp_path / "gone")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "gone" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
