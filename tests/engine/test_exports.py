# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports, read back by the programs that define the formats."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.projection import project
from da3_blender.exports.arrays_npz import write_npz
from da3_blender.exports.colmap_model import ColmapView, write_colmap_model


def make_scene(points=500):
    rng = np.random.default_rng(0)
    K = np.array([[[400.0, 0, 320], [0, 410, 240], [0, 0, 1]]] * 3)
    w2c = np.tile(np.eye(4), (3, 1, 1))
    for i in range(3):
        q, _ = np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))
        w2c[i, :3, :3] = q * np.sign(np.diag(q))  # near the identity
        w2c[i, :3, :3] *= np.linalg.det(w2c[i, :3, :3])
        w2c[i, :3, 3] = [i, 0.1, 5]
    return K, w2c, rng.normal(size=(points, 3)), rng.integers(0, 255, (points, 3), dtype=np.uint8)


def test_colmap_reads_the_model(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    K, w2c, points, colours = make_scene()
    view_of_point = np.random.default_rng(1).integers(-1, 3, 500)
    views = [ColmapView(f"föto {i}.jpg", 640, 480) for i in range(3)]
    write_colmap_model(tmp_path / "sparse" / "0", views, (K, w2c), points, colours, view_of_point)
    model = pycolmap.Reconstruction(tmp_path / "sparse" / "0")
    assert model.num_images() == 3
    assert model.num_points3D() == 500
    assert (view_of_point < 0).any()
    for i in range(3):
        image = model.images[i + 1]
        assert image.name == views[i].name
        assert image.cam_from_world().matrix() == pytest.approx(w2c[i, :3])
        camera = model.cameras[image.camera_id]
        assert camera.calibration_matrix() == pytest.approx(K[i])
        for pixel in image.points2D:
            found = pixel.point3D_id - 1
            assert view_of_point[found] == i
            expected = project(points[found : found + 1], K[i], w2c[i])[0][0]
            assert pixel.xy == pytest.approx(expected)
            point = model.points3D[pixel.point3D_id]
            assert point.xyz == pytest.approx(points[found])
            assert (point.color == colours[found]).all()
            assert [
                (e.image_id, image.points2D[e.point2D_idx].point3D_id) for e in point.track.elements
            ] == [(i + 1, found + 1)]


def test_a_model_without_points_is_a_model(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    K, w2c, points, colours = make_scene(0)
    views = [ColmapView(f"{i}.jpg", 640, 480) for i in range(3)]
    write_colmap_model(tmp_path, views, (K, w2c), points, colours, np.zeros(0, int))
    assert pycolmap.Reconstruction(tmp_path).num_images() == 3


def test_lists_must_fit(tmp_path):
    K, w2c, points, colours = make_scene()
    views = [ColmapView("a", 1, 1)] * 2
    with pytest.raises(ValueError, match="2 views"):
        write_colmap_model(tmp_path, views, (K, w2c), points, colours, np.zeros(500, int))
    assert list(tmp_path.iterdir()) == []


def test_npz_holds_the_same_numbers(tmp_path):
    depth = np.random.default_rng(2).normal(size=(2, 3, 4)).astype(np.float32)
    write_npz(tmp_path / "a" / "all.npz", {"depth": depth, "K": np.eye(3)})
    with np.load(tmp_path / "a" / "all.npz") as found:
        assert (found["depth"] == depth).all()
        assert found["depth"].dtype == np.float32
        assert (found["K"] == np.eye(3)).all()


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "all.npz"
    path.write_bytes(b"old")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(EngineError) as caught:
        write_npz(path, {"K": np.eye(3)})
    assert caught.value.code is ErrorCode.DISK_FULL
    assert [p.name for p in tmp_path.iterdir()] == ["all.npz"]
    assert path.read_bytes() == b"old"
