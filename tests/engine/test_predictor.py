# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From pictures to a prediction with a tiny network, and known cameras on the way.

Runs in the engine's environment.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.similarity import Sim3, fit_sim3
from da3_blender.inference import precision
from da3_blender.inference.given_cameras import (
    align_cameras,
    normalise_cameras,
)
from da3_blender.inference.predictor import PredictOptions, Predictor
from da3_blender.network.any_view import AnyViewNetwork
from da3_blender.network.presets import AnyViewPreset, BackbonePreset, HeadPreset

TINY = AnyViewPreset(
    name="tiny",
    backbone=BackbonePreset(
        width=64,
        depth=10,
        ffn_hidden=96,
        has_gated_ffn=False,
        out_layers=(3, 5, 7, 9),
        multi_view_start=2,
        position_grid=4,
    ),
    head=HeadPreset(out_channels=(8, 8, 8, 8), features=8),
)
K_PICTURE = np.array([[80.0, 0, 50], [0, 80, 40], [0, 0, 1]])


@pytest.fixture(scope="module")
def predictor():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = AnyViewNetwork(TINY).requires_grad_(requires_grad=False)
        for name, parameter in network.named_parameters():
            if name.endswith(("token", "pos_embed", "bias")):
                parameter.normal_(std=0.3)
            if name.endswith("fc_fov.0.bias"):
                parameter.fill_(1.0)
    return Predictor(network, TINY, "cpu")


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (80, 100, 3), dtype=np.uint8) for _ in range(3)]


def make_cameras(count, seed=0, spread=1.0):
    """Random cameras (N, 4, 4), world-to-camera."""
    generator = np.random.default_rng(seed)
    c2w = np.tile(np.eye(4), (count, 1, 1))
    for pose in c2w:
        q, r = np.linalg.qr(generator.normal(size=(3, 3)))
        q = q * np.sign(np.diag(r))
        pose[:3, :3] = q * np.sign(np.linalg.det(q))
        pose[:3, 3] = spread * generator.normal(size=3)
    return invert_rigid(c2w)


def options(**changes):
    return PredictOptions(**{"process_resolution": 56, **changes})


def test_prediction(predictor, images):
    result = predictor.predict(
        images, options(wants_rays=True, export_layers=(4, 2), reference_view="middle")
    )
    assert result.depth.shape == result.confidence.shape == (3, 42, 56)
    assert result.depth.dtype == np.float32
    assert result.w2c.shape == (3, 4, 4)
    assert result.K.shape == (3, 3, 3)
    assert result.w2c.dtype == result.K.dtype == np.float64
    assert result.images.shape == (3, 42, 56, 3)
    assert result.rays.rays.shape == (3, 24, 32, 6)
    assert result.rays.confidence.shape == (3, 24, 32)
    assert result.features[2].shape == result.features[4].shape == (3, 3, 4, 64)
    assert result.reference_index == 1
    rotation = result.w2c[:, :3, :3]
    assert np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
    assert result.K[:, 0, 2] == pytest.approx(28)


def test_same_input_gives_the_same_numbers(predictor, images):
    for changes in ({}, {"use_ray_pose": True}):
        first, second = (predictor.predict(images, options(**changes)) for _ in range(2))
        assert np.array_equal(first.depth, second.depth)
        assert np.array_equal(first.w2c, second.w2c)
        assert np.array_equal(first.K, second.K)


def test_ray_pose_changes_cameras_only(predictor, images):
    plain = predictor.predict(images, options())
    rays = predictor.predict(images, options(use_ray_pose=True, ray_factorisation="qr"))
    assert np.array_equal(plain.depth, rays.depth)
    assert np.abs(plain.w2c - rays.w2c).max() > 1e-3
    assert rays.rays is None


def test_progress_rises_to_one(predictor, images):
    shares = []
    predictor.predict(images, options(), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # one report for each block and each view of the head
    assert len(shares) >= TINY.backbone.depth + len(images)
    assert max(b - a for a, b in itertools.pairwise(shares)) < 0.5


@pytest.mark.parametrize("calls", [0, 1, 5, 12])
def test_cancel(predictor, images, calls):
    seen = []

    def is_cancelled():
        seen.append(1)
        return len(seen) > calls

    with pytest.raises(CancelledError):
        predictor.predict(images, options(), is_cancelled=is_cancelled)
    assert len(seen) == calls + 1
    predictor.predict(images[:1], options())  # the next job works


def test_given_cameras_come_back(predictor, images):
    w2c = make_cameras(3)
    K = np.tile(K_PICTURE, (3, 1, 1))
    result = predictor.predict(images, options(w2c=w2c, K_original=K))
    assert np.array_equal(result.w2c, w2c)
    assert np.allclose(result.K, result.grid_from_original @ K)
    assert result.reference_index is None
    short = predictor.predict(images, options(w2c=w2c[:, :3], K_original=K))
    assert np.array_equal(short.depth, result.depth)


def test_depth_follows_the_scale_of_given_cameras(predictor, images):
    # the network sees normalised cameras: a larger world gives larger depth
    K = np.tile(K_PICTURE, (3, 1, 1))
    near = predictor.predict(images, options(w2c=make_cameras(3, spread=1), K_original=K))
    far = predictor.predict(images, options(w2c=make_cameras(3, spread=10), K_original=K))
    assert far.depth / near.depth == pytest.approx(10.0, rel=1e-3)


def test_given_cameras_may_move_to_the_prediction_instead(predictor, images):
    w2c, K = make_cameras(3), np.tile(K_PICTURE, (3, 1, 1))
    aligned = predictor.predict(images, options(w2c=w2c, K_original=K))
    moved = predictor.predict(images, options(w2c=w2c, K_original=K, align_to_input_scale=False))
    scale = np.median(moved.depth / aligned.depth)
    base = [
        np.linalg.norm(np.diff(invert_rigid(p.w2c)[:2, :3, 3], axis=0)) for p in (moved, aligned)
    ]
    assert base[0] / base[1] == pytest.approx(scale, rel=1e-5)


@pytest.mark.parametrize("views", [1, 2])
def test_few_given_cameras(predictor, images, views):
    w2c, K = make_cameras(views), np.tile(K_PICTURE, (views, 1, 1))
    for aligns in (True, False):
        result = predictor.predict(
            images[:views], options(w2c=w2c, K_original=K, align_to_input_scale=aligns)
        )
        assert np.isfinite(result.depth).all()
        assert np.isfinite(result.w2c).all()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reference_view": "best"}, ErrorCode.SETTINGS_INVALID),
        ({"ray_factorisation": "lu"}, ErrorCode.SETTINGS_INVALID),
        ({"resize_method": "squeeze"}, ErrorCode.SETTINGS_INVALID),
        ({"export_layers": (10,)}, ErrorCode.SETTINGS_INVALID),
        ({"w2c": np.eye(4)[None]}, ErrorCode.SETTINGS_INVALID),
        ({"K_original": np.eye(3)[None]}, ErrorCode.SETTINGS_INVALID),
        (
            {"w2c": np.eye(4)[None], "K_original": np.eye(3)[None]},
            ErrorCode.INPUT_MISMATCH,
        ),
        (
            {"w2c": np.tile(2 * np.eye(4), (3, 1, 1)), "K_original": np.tile(np.eye(3), (3, 1, 1))},
            ErrorCode.INPUT_MISMATCH,
        ),
        (
            {"w2c": np.tile(np.eye(4), (3, 1, 1)), "K_original": np.zeros((3, 3, 3))},
            ErrorCode.INPUT_MISMATCH,
        ),
    ],
)
def test_wrong_options_are_refused(predictor, images, changes, code):
    with pytest.raises(EngineError) as error:
        predictor.predict(images, options(**changes))
    assert error.value.code is code


def test_no_images(predictor):
    with pytest.raises(EngineError) as error:
        predictor.predict([], options())
    assert error.value.code is ErrorCode.INPUT_EMPTY


def test_out_of_memory_gives_numbers(predictor, images, monkeypatch):
    def run_out(*_args, **_kwargs):
        message = "CUDA out of memory. Tried to allocate 3 GiB"
        raise torch.OutOfMemoryError(message)

    monkeypatch.setattr(predictor.network, "forward", run_out)
    with pytest.raises(EngineError) as error:
        predictor.predict(images, options())
    assert error.value.code is ErrorCode.OUT_OF_MEMORY
    assert "3 views of 56 x 42" in error.value.message
    assert "resolution of 28" in error.value.hint
    assert "1 views at a time" in error.value.hint


def test_other_errors_stay_what_they_are(predictor, images, monkeypatch):
    def fail(*_args, **_kwargs):
        message = "shapes differ"
        raise RuntimeError(message)

    monkeypatch.setattr(predictor.network, "forward", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        predictor.predict(images, options())


def test_numbers_out_of_range_are_an_error(images):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = AnyViewNetwork(TINY).requires_grad_(requires_grad=False)
    network.head.scratch.output_conv2[2].bias.fill_(200.0)
    with pytest.raises(EngineError) as error:
        Predictor(network, TINY, "cpu").predict(images, options())
    assert "not finite" in error.value.message


def test_precision_by_device(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert precision.choose_dtype("auto", cpu) is torch.float32
    assert precision.choose_dtype("bfloat16", cpu) is torch.bfloat16
    for capability, dtype in (((8, 6), torch.bfloat16), ((7, 5), torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _d, c=capability: c)
        assert precision.choose_dtype("auto", cuda) is dtype
    with pytest.raises(EngineError):
        precision.choose_dtype("int8", cpu)


def test_similarity_is_found_again():
    w2c = make_cameras(6)
    rotation = make_cameras(1, seed=9)[0, :3, :3]
    truth = Sim3(2.5, rotation, np.array([1.0, -2.0, 3.0]))
    moved = truth.apply_to_w2c(w2c)
    for count in (1, 2, 3, 6):
        found = align_cameras(moved[:count], w2c[:count])
        assert np.allclose(found.rotation, rotation)
        if count > 1:
            assert found.scale == pytest.approx(2.5)
            assert np.allclose(found.translation, truth.translation)
        assert np.allclose(
            invert_rigid(found.apply_to_w2c(w2c[:count]))[:, :3, 3],
            invert_rigid(moved[:count])[:, :3, 3],
        )


def test_cameras_on_a_line_keep_their_roll():
    c2w = invert_rigid(make_cameras(5))
    c2w[:, :3, 3] = np.linspace(0, 4, 5)[:, None] * (1.0, 0.5, 0.0)
    w2c = invert_rigid(c2w)
    truth = Sim3(0.5, make_cameras(1, seed=4)[0, :3, :3], np.array([0.0, 1.0, 2.0]))
    found = align_cameras(truth.apply_to_w2c(w2c), w2c)
    assert np.allclose(found.rotation, truth.rotation)
    assert found.scale == pytest.approx(0.5)


def test_cameras_in_one_place_keep_the_scale():
    c2w = invert_rigid(make_cameras(4))
    c2w[:, :3, 3] = 7.0
    found = align_cameras(make_cameras(4, seed=2), invert_rigid(c2w))
    assert found.scale == 1.0
    assert np.isfinite(found.translation).all()


def test_wrong_cameras_lose_against_many():
    w2c = make_cameras(14)
    truth = Sim3(3.0, np.eye(3), np.zeros(3))
    reference = truth.apply_to_w2c(w2c)
    reference[[2, 7], :3, 3] += 5.0
    found = align_cameras(reference, w2c)
    assert found.scale == pytest.approx(3.0, rel=1e-6)
    assert np.allclose(found.rotation, np.eye(3), atol=1e-6)
    plain = fit_sim3(invert_rigid(w2c)[:, :3, 3], invert_rigid(reference)[:, :3, 3])
    assert np.abs(plain.rotation - np.eye(3)).max() > 0.05


def test_similarity_of_collinear_positions_is_not_unique():
    line = np.arange(4)[:, None] * (1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="line"):
        fit_sim3(line, line)


def test_normalised_cameras():
    w2c = make_cameras(5)
    result = normalise_cameras(w2c)
    assert np.allclose(result[0], np.eye(4))
    distances = np.sort(np.linalg.norm(invert_rigid(result)[:, :3, 3], axis=1))
    assert distances[2] == pytest.approx(1.0)
    two = normalise_cameras(w2c[:2])
    assert np.linalg.norm(two[1, :3, 3]) == pytest.approx(
        10 * np.linalg.norm(np.diff(invert_rigid(w2c[:2])[:, :3, 3], axis=0))
    )
