# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussians: where they sit, how they move, and the file they are written to.

Runs in the engine's environment.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.projection import project
from da3_blender.contract.similarity import Sim3
from da3_blender.exports.gaussian_ply import PlyLayout, PlyOptions, write_gaussian_ply
from da3_blender.inference.gaussians import (
    Gaussians,
    build_gaussians,
    build_harmonics_rotation,
    fit_scale_to_given,
    move_gaussians,
)
from da3_blender.network.pose_encoding import quaternion_to_matrix

SIZE = (40, 48)


def make_rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def make_cameras(views=2):
    c2w = np.tile(np.eye(4), (views, 1, 1))
    for view, pose in enumerate(c2w):
        pose[:3, :3] = make_rotation(view)
        pose[:3, 3] = np.random.default_rng(view).normal(size=3)
    K = np.tile([[50.0, 0, 23], [0, 45, 21], [0, 0, 1]], (views, 1, 1))
    return invert_rigid(c2w), K


def make_input(views=2, seed=0, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    raw = 0.5 * torch.randn(views, *size, 37, generator=generator)
    opacity = torch.rand(views, *size, generator=generator)
    depth = 3 + torch.rand(views, *size, generator=generator)
    return raw, opacity, depth


def build(views=2, size=SIZE, **changes):
    raw, opacity, depth = make_input(views, size=size)
    return build_gaussians(raw, opacity, depth, *make_cameras(views), **changes)


def evaluate_harmonics(coefficients, d):
    """Write the basis of 3D Gaussian Splatting out, degree 0 to 2."""
    x, y, z = d
    basis = np.array(
        [
            0.28209479177387814,
            *(0.4886025119029199 * np.array([-y, z, -x])),
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (2 * z * z - x * x - y * y),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (x * x - y * y),
        ]
    )
    return coefficients @ basis


def test_harmonics_turn_with_the_world():
    generator = np.random.default_rng(0)
    for seed in range(5):
        rotation, coefficients = make_rotation(seed), generator.normal(size=9)
        turned = build_harmonics_rotation(rotation) @ coefficients
        for way in generator.normal(size=(5, 3)):
            d = way / np.linalg.norm(way)
            assert evaluate_harmonics(turned, rotation @ d) == pytest.approx(
                evaluate_harmonics(coefficients, d), abs=1e-12
            )


def test_each_gaussian_is_seen_at_its_pixel_at_its_distance():
    raw, opacity, depth = make_input()
    w2c, K = make_cameras()
    raw[..., :2] = 0
    raw[..., 36] = 0
    means = build_gaussians(raw, opacity, depth, w2c, K).means.reshape(2, *SIZE, 3)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    for view in range(2):
        pixels, _ = project(means[view].reshape(-1, 3), K[view], w2c[view])
        error = pixels.reshape(*SIZE, 2) - np.stack([columns, rows], axis=-1)
        assert np.abs(error).max() < 1e-3
        centre = invert_rigid(w2c)[view, :3, 3]
        distance = np.linalg.norm(means[view] - centre, axis=-1)
        assert np.allclose(distance, depth[view], rtol=1e-5)


def test_moved_gaussians_have_moved_places_sizes_shapes_and_colours():
    plain = build()
    move = Sim3(2.5, make_rotation(7), np.array([1.0, -2.0, 0.5]))
    moved = move_gaussians(plain, move)
    assert np.allclose(moved.means, move.apply_to_points(plain.means), atol=1e-5)
    assert np.array_equal(moved.opacities, plain.opacities)

    def spread(gaussians):  # covariance, as a renderer builds it
        xyzw = torch.from_numpy(gaussians.rotations[:50]).double().roll(-1, dims=-1)
        axes = quaternion_to_matrix(xyzw).numpy() * gaussians.scales[:50, None]
        return axes @ axes.transpose(0, 2, 1)

    wanted = 2.5**2 * move.rotation @ spread(plain) @ move.rotation.T
    assert np.allclose(spread(moved), wanted, rtol=1e-4, atol=1e-5)
    d = np.array([0.6, 0.0, 0.8])
    before = evaluate_harmonics(plain.harmonics[10], d)
    assert np.allclose(
        evaluate_harmonics(moved.harmonics[10], move.rotation @ d), before, atol=1e-5
    )


def test_scale_grows_the_scene_around_the_origin():
    plain, grown = build(), build(scale=2.0)
    assert np.allclose(grown.means, 2 * plain.means, atol=1e-4)
    assert np.allclose(grown.scales, 2 * plain.scales, rtol=1e-5)
    assert np.array_equal(grown.rotations, plain.rotations)


def test_scale_to_given_cameras_has_limits():
    w2c, _ = make_cameras(4)
    for factor, wanted in ((2.0, 2.0), (50.0, 3.0), (0.01, 1 / 3)):
        given = w2c.copy()
        given[:, :3, 3] *= factor
        assert fit_scale_to_given(w2c, given) == pytest.approx(wanted)
    assert fit_scale_to_given(w2c[:1], w2c[:1]) == 1.0


def read(path):
    header, data = path.read_bytes().split(b"end_header\n", 1)
    names = [x.split()[2] for x in header.decode().splitlines() if x.startswith("property")]
    return names, np.frombuffer(data, "<f4").reshape(-1, len(names))


def write(path, gaussians, **options):
    views = len(gaussians.means) // (SIZE[0] * SIZE[1])
    _, _, depth = make_input(views)
    return write_gaussian_ply(path, gaussians, depth.numpy(), PlyOptions(**options))


def test_a_file_holds_what_went_in(tmp_path):
    gaussians, path = build(), tmp_path / "new folder" / "g.ply"
    count = write(path, gaussians, drops_border=False)
    good = (gaussians.scales > 0).all(axis=1)
    assert count == np.count_nonzero(good) == good.size
    names, rows = read(path)
    assert len(rows) == count
    column = {name: rows[:, index] for index, name in enumerate(names)}
    assert np.allclose(column["x"], gaussians.means[:, 0])
    assert np.allclose(np.exp(column["scale_1"]), gaussians.scales[:, 1], rtol=1e-4)
    assert np.allclose(1 / (1 + np.exp(-column["opacity"])), gaussians.opacities, atol=1e-5)
    assert np.array_equal(column["rot_0"], gaussians.rotations[:, 0])
    assert np.array_equal(column["f_dc_2"], gaussians.harmonics[:, 2, 0])
    assert np.array_equal(column["f_rest_8"], gaussians.harmonics[:, 1, 1])
    assert not list(path.parent.glob(".*"))


def test_gaussians_behind_their_camera_are_dropped(tmp_path):
    raw, opacity, depth = make_input()
    raw[0, 20, 20:25, 36] = -10.0
    opacity[0, 10, 10], opacity[0, 10, 11] = 0.0, 1.0
    gaussians = build_gaussians(raw, opacity, depth, *make_cameras())
    path = tmp_path / "g.ply"
    count = write_gaussian_ply(path, gaussians, depth.numpy(), PlyOptions(drops_border=False))
    assert count == opacity.numel() - 5
    assert np.isfinite(read(path)[1]).all()


def test_small_pictures_keep_their_gaussians(tmp_path):
    # a border of 8/256 of 28 pixels has no width
    gaussians = build(views=1, size=(28, 28))
    depth = make_input(1, size=(28, 28))[2].numpy()
    assert write_gaussian_ply(tmp_path / "g.ply", gaussians, depth) == 28 * 28


def test_trims(tmp_path):
    gaussians, path = build(), tmp_path / "g.ply"
    assert write(path, gaussians) == 2 * (SIZE[0] - 2) * (SIZE[1] - 2)
    kept = write(path, gaussians, drops_border=False, depth_quantile=0.75)
    assert kept == 2 * 0.75 * SIZE[0] * SIZE[1]
    assert write(path, gaussians, drops_border=False, view_step=2) == SIZE[0] * SIZE[1]
    depth = make_input()[2].numpy()
    sky = np.zeros(depth.shape, bool)
    sky[0] = True
    options = PlyOptions(drops_border=False)
    assert write_gaussian_ply(path, gaussians, depth, options, sky) == SIZE[0] * SIZE[1]
    with pytest.raises(EngineError) as error:
        write_gaussian_ply(path, gaussians, depth, options, ~np.zeros_like(sky))
    assert error.value.code is ErrorCode.SETTINGS_INVALID
    assert read(path)[1].shape[0] == SIZE[0] * SIZE[1]  # the older file is still whole


def test_centred_files_fill_the_unit_cube(tmp_path):
    path = tmp_path / "g.ply"
    write(path, build(), is_centred=True, layout=PlyLayout.DEGREE_3)
    names, rows = read(path)
    assert names[:4] == ["x", "y", "z", "f_dc_0"]
    middle = np.sort(rows[:, :3], axis=0)[(len(rows) - 1) // 2]
    assert np.abs(middle).max() < 1e-6
    assert np.quantile(np.abs(rows[:, :3]), 0.95, axis=0).max() == pytest.approx(1.0, abs=1e-3)


def test_depth_of_another_prediction_is_refused(tmp_path):
    with pytest.raises(EngineError) as error:
        write_gaussian_ply(tmp_path / "g.ply", build(), np.ones((1, *SIZE), np.float32))
    assert error.value.code is ErrorCode.INPUT_MISMATCH


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("here")
    with pytest.raises(EngineError) as error:
        write(blocked / "g.ply", build())
    assert error.value.code is ErrorCode.OUTPUT_UNWRITABLE
    assert str(blocked) in error.value.message


def test_fields_that_are_not_finite_are_dropped(tmp_path):
    gaussians = build()
    means = gaussians.means.copy()
    means[3] = np.nan
    broken = Gaussians(means, *gaussians[1:])
    options = replace(PlyOptions(), drops_border=False)
    depth = make_input()[2].numpy()
    assert write_gaussian_ply(tmp_path / "g.ply", broken, depth, options) == len(means) - 1
