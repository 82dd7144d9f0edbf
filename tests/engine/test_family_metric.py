# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sky and metric scale: numbers with a known answer.

Runs in the engine's environment.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.similarity import Sim3, chain_sim3, identity_sim3, invert_sim3
from da3_blender.inference.metric_scale import apply_metric_scale, fit_metric_scale, metric_depth
from da3_blender.inference.prediction import Prediction
from da3_blender.inference.sky import fill_sky, mask_sky


def make_scene(views=2, seed=0):
    """Depth 1 to 3, confidence above 1, upper half sky."""
    generator = np.random.default_rng(seed)
    depth = generator.uniform(1, 3, (views, 20, 30)).astype(np.float32)
    confidence = generator.uniform(1, 5, depth.shape).astype(np.float32)
    sky = np.zeros_like(depth)
    sky[:, :10] = 1.0
    return depth, confidence, sky


def make_prediction(depth, confidence):
    w2c = np.tile(np.eye(4), (len(depth), 1, 1))
    w2c[1:, 0, 3] = 2.0
    blank = np.zeros(0)
    K = np.tile(np.eye(3), (len(depth), 1, 1))
    return Prediction(
        *(depth, confidence, w2c, K, blank, blank, blank), world_from_gaussians=identity_sim3()
    )


def test_metres_from_a_focal_length():
    raw = np.full((2, 3, 4), 6.0, np.float32)
    assert np.allclose(metric_depth(raw, 150.0), 3.0)
    metres = metric_depth(raw, np.array([300.0, 600.0]))
    assert np.allclose(metres[0], 6.0)
    assert np.allclose(metres[1], 12.0)


@pytest.mark.parametrize("focal", [0.0, -3.0, np.nan, [300.0, 300.0, 300.0]])
def test_bad_focal_lengths_are_refused(focal):
    with pytest.raises(EngineError) as error:
        metric_depth(np.ones((2, 3, 4), np.float32), focal)
    assert error.value.code is ErrorCode.INPUT_MISMATCH


def test_a_view_does_not_change_the_sky_of_another():
    depth, _, sky = make_scene()
    depth[1] *= 10
    alone = fill_sky(depth[:1], sky[:1])
    both = fill_sky(depth, sky)
    assert np.array_equal(both[0], alone[0])
    assert both[0, 0, 0] == pytest.approx(np.quantile(depth[0, 10:], 0.99))
    joint = fill_sky(depth, sky, is_joint=True)
    assert joint[0, 0, 0] == joint[1, 0, 0] > 3
    assert np.array_equal(both[:, 10:], depth[:, 10:])


@pytest.mark.parametrize("level", [0.0, 1.0], ids=["no sky", "nothing but sky"])
def test_depth_stays_without_one_of_both_kinds(level):
    depth, _, sky = make_scene()
    assert np.array_equal(fill_sky(depth, np.full_like(sky, level)), depth)


def test_the_mask_covers_all_depth_that_was_made_up():
    depth, _, sky = make_scene()
    sky[:, 10:12] = 0.4  # the release fills these and does not call them sky
    filled = fill_sky(depth, sky)
    changed = filled != depth
    assert not (changed & ~mask_sky(sky, matches_release=False)).any()
    assert (changed & ~mask_sky(sky, matches_release=True)).any()


def test_scale_is_found_again():
    depth, confidence, sky = make_scene()
    for matches_release in (False, True):
        found = fit_metric_scale(
            depth, confidence, depth * 2.5, sky > 0.5, matches_release=matches_release
        )
        assert found.scale == pytest.approx(2.5, rel=1e-6)
        assert found.spread == pytest.approx(0, abs=1e-6)
        assert found.pixels == np.count_nonzero(
            confidence[sky < 0.5] >= np.median(confidence[sky < 0.5])
        )


def test_wrong_pixels_do_not_move_the_scale():
    depth, confidence, sky = make_scene()
    metres = depth * 2.5
    metres[0, 10:14] = 80.0  # a window with the street behind it, 20 % of the pixels
    robust = fit_metric_scale(depth, confidence, metres, sky > 0.5)
    mean = fit_metric_scale(depth, confidence, metres, sky > 0.5, matches_release=True)
    assert robust.scale == pytest.approx(2.5, rel=1e-5)
    assert mean.scale > 5


def test_spread_tells_how_far_pixels_disagree():
    depth, confidence, sky = make_scene()
    noise = np.exp(np.random.default_rng(1).normal(0, 0.2, depth.shape))
    found = fit_metric_scale(depth, confidence, depth * 2.5 * noise, sky > 0.5)
    assert found.scale == pytest.approx(2.5, rel=0.05)
    assert found.spread == pytest.approx(0.2, rel=0.2)


def test_nothing_but_sky_gives_no_scale():
    depth, confidence, sky = make_scene()
    assert fit_metric_scale(depth, confidence, depth, np.ones_like(sky, bool)) is None
    assert fit_metric_scale(depth, confidence, 0 * depth, sky > 0.5) is None
    plain = make_prediction(depth, confidence)
    same = apply_metric_scale(plain, None, np.ones_like(sky, bool))
    assert np.array_equal(same.depth, depth)  # the release wipes it out
    assert not same.is_metric
    assert same.scale_factor is None
    assert same.sky.all()


def test_a_scaled_scene_is_in_metres_with_a_far_and_doubtful_sky():
    depth, confidence, sky = make_scene()
    is_sky = sky > 0.5
    metric = fit_metric_scale(depth, confidence, depth * 2.5, is_sky)
    scaled = apply_metric_scale(make_prediction(depth, confidence), metric, is_sky)
    assert np.allclose(scaled.depth[~is_sky], 2.5 * depth[~is_sky])
    assert scaled.depth[is_sky] == pytest.approx(2.5 * np.quantile(depth[~is_sky], 0.99), rel=1e-5)
    assert (scaled.confidence[is_sky] == 1).all()
    assert scaled.w2c[1, 0, 3] == pytest.approx(5.0)
    assert scaled.is_metric
    assert scaled.metres_per_unit == 1.0
    assert scaled.scale_factor == pytest.approx(2.5)
    assert scaled.world_from_gaussians.scale == pytest.approx(2.5)
    metric = fit_metric_scale(depth, confidence, depth * 1000, is_sky)
    far = apply_metric_scale(make_prediction(depth, confidence), metric, is_sky)
    assert (far.depth[is_sky] == 200).all()


def test_similarities_chain_and_invert():
    generator = np.random.default_rng(3)
    first, second = (
        Sim3(scale, np.linalg.qr(generator.normal(size=(3, 3)))[0], generator.normal(size=3))
        for scale in (2.0, 0.3)
    )
    points = generator.normal(size=(5, 3))
    both = chain_sim3(second, first).apply_to_points(points)
    assert np.allclose(both, second.apply_to_points(first.apply_to_points(points)))
    assert np.allclose(invert_sim3(first).apply_to_points(first.apply_to_points(points)), points)
