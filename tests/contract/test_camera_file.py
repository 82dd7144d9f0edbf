# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of known cameras: what is written comes back, and broken files are refused."""

import json

import numpy as np
import pytest

from da3_blender.contract.camera_file import (
    CameraFile,
    CameraView,
    read_camera_file,
    write_camera_file,
)
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.lens import Lens


def make_cameras():
    generator = np.random.default_rng(3)
    w2c = np.tile(np.eye(4), (2, 1, 1))
    w2c[:, :3, 3] = generator.normal(size=(2, 3))
    K = np.array([[[900.5, 0, 320.25], [0, 901, 240], [0, 0, 1]]] * 2)
    lens = Lens("SIMPLE_RADIAL", (900.5, 320.25, 240.0, -0.1), 640, 480)
    views = (CameraView("ä.png", 7, 640, 480, 0), CameraView("b.png", None, 640, 480))
    return CameraFile(views, w2c, K, (lens,), 24.0, is_metric=True)


def test_what_is_written_comes_back_to_the_last_bit(tmp_path):
    cameras = make_cameras()
    path = tmp_path / "kameras ü.json"
    write_camera_file(path, cameras)
    back = read_camera_file(path)
    assert back.views == cameras.views
    assert back.lenses == cameras.lenses
    assert (back.fps, back.is_metric) == (24.0, True)
    np.testing.assert_array_equal(back.w2c, cameras.w2c)
    np.testing.assert_array_equal(back.K, cameras.K)
    assert back.lens_of(0) == cameras.lenses[0]
    assert back.lens_of(1).model == "PINHOLE"
    np.testing.assert_array_equal(back.lens_of(1).K, cameras.K[1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(kind="other"), "not one of ours"),
        (lambda c: c.update(format=99), "99"),
        (lambda c: c["views"][0].update(w2c=[1, 2]), "shape"),
        (lambda c: c["views"][0].update(lens=3), "lens"),
        (lambda c: c["views"][0].pop("K"), "K"),
    ],
)
def test_broken_files_are_refused_with_a_reason(tmp_path, change, says):
    path = tmp_path / "cameras.json"
    write_camera_file(path, make_cameras())
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(EngineError) as caught:
        read_camera_file(path)
    assert caught.value.code is ErrorCode.INPUT_UNREADABLE
    assert says in caught.value.message


def test_missing_file_says_so(tmp_path):
    with pytest.raises(EngineError) as caught:
        read_camera_file(tmp_path / "none.json")
    assert caught.value.code is ErrorCode.INPUT_MISSING
