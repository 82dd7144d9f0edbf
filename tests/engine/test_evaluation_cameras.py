# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of cameras: perturb true ones and expect what can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from da3_blender.contract.cameras import invert_rigid
from da3_blender.evaluation.relative_pose import (
    LOST_DEG,
    measure_auc,
    measure_pairs,
    measure_usual_pairs,
)
from da3_blender.evaluation.trajectory import (
    align_robustly,
    compare_cameras,
    fit_trajectory,
    measure_focal,
    measure_steps,
)
from tests.engine.truth import ELSEWHERE, make_lenses, make_w2c, turn

COUNT = 7
PAIRS = COUNT * (COUNT - 1) // 2
FIRST, SECOND = np.triu_indices(COUNT, 1)


def spin(w2c, index, degrees):
    """Turn one camera about its own centre."""
    c2w = invert_rigid(w2c)
    c2w[index, :3, :3] = c2w[index, :3, :3] @ turn("y", degrees)
    return invert_rigid(c2w)


@pytest.mark.parametrize("measure", [measure_pairs, measure_usual_pairs])
def test_world_and_scale_do_not_matter(measure):
    w2c = make_w2c(COUNT)
    errors = measure(ELSEWHERE.apply_to_w2c(w2c), w2c)
    assert errors.rotation == pytest.approx(np.zeros(PAIRS), abs=1e-9)
    assert errors.translation == pytest.approx(np.zeros(PAIRS), abs=1e-4)
    assert measure_auc(errors.worst, 3) == 1.0


@pytest.mark.parametrize("measure", [measure_pairs, measure_usual_pairs])
def test_a_turned_camera_spoils_its_pairs_by_its_angle(measure):
    w2c = make_w2c(COUNT)
    errors = measure(spin(w2c, 4, 2.5), w2c)
    touched = (FIRST == 4) | (SECOND == 4)
    assert errors.rotation[touched] == pytest.approx(np.full(COUNT - 1, 2.5), abs=1e-9)
    assert errors.rotation[~touched] == pytest.approx(np.zeros(PAIRS - COUNT + 1), abs=1e-9)


def test_the_published_convention_lets_the_first_camera_spoil_all_pairs():
    w2c = make_w2c(COUNT)
    turned = spin(w2c, 0, 2.5)
    usual, published = measure_usual_pairs(turned, w2c), measure_pairs(turned, w2c)
    assert (usual.worst < 1).sum() == PAIRS - (COUNT - 1)
    assert (published.worst < 1).sum() == 0
    # The motion of pairs without the first camera is seen from a turned frame: its direction is
    # off by up to the same angle, its rotation too unless it is about the same axis.
    assert published.worst.max() <= 2.5 * 2 + 1e-9


def test_the_sign_of_a_direction_counts_in_the_usual_convention_only():
    w2c = make_w2c(2)
    w2c[:, :3, :3] = np.eye(3)
    w2c[1, :3, 3] = w2c[0, :3, 3] + [1, 0, 0]
    backwards = w2c.copy()
    backwards[1, :3, 3] = w2c[0, :3, 3] - [1, 0, 0]
    assert measure_pairs(backwards, w2c).translation == pytest.approx([0], abs=1e-5)
    assert measure_usual_pairs(backwards, w2c).translation == pytest.approx([180])


def test_a_camera_that_was_not_found_loses_its_pairs():
    w2c = make_w2c(COUNT)
    found = np.ones(COUNT, bool)
    found[0] = False  # also the published convention must find another first camera
    everywhere = w2c.copy()
    everywhere[0] = np.nan
    for measure in (measure_pairs, measure_usual_pairs):
        errors = measure(everywhere, w2c, found)
        lost = FIRST == 0
        assert (errors.worst[lost] == LOST_DEG).all()
        assert errors.worst[~lost].max() < 1e-4
        assert measure_auc(errors.worst, 30) == pytest.approx(1 - (COUNT - 1) / PAIRS)
    nobody = measure_pairs(w2c, w2c, np.zeros(COUNT, bool))
    assert measure_auc(nobody.worst, 30) == 0


@pytest.mark.parametrize(
    ("errors", "threshold", "expected"),
    [
        ([0.5], 3, 1.0),
        ([1.0], 3, 2 / 3),  # the shares are strictly below 1, 2 and 3 degrees ...
        ([3.0], 3, 1 / 3),  # ... but the last bin has its right edge
        ([3.0], 5, 2 / 5),
        ([3.1], 3, 0.0),
        ([np.nan, 0.5], 5, 0.5),
        ([0.5, 1.5, 2.5, 9.0], 5, (1 + 2 + 3 + 3 + 3) / 20),
    ],
)
def test_area_under_the_curve(errors, threshold, expected):
    assert measure_auc(np.array(errors), threshold) == pytest.approx(expected)


def test_without_pairs_there_is_no_area():
    assert np.isnan(measure_auc(measure_pairs(make_w2c(1), make_w2c(1)).worst, 30))


def test_pairs_without_a_baseline_are_left_out_in_the_usual_convention():
    w2c = make_w2c(COUNT)
    c2w = invert_rigid(w2c)
    c2w[3, :3, 3] = c2w[4, :3, 3]
    same_place = invert_rigid(c2w)
    assert len(measure_usual_pairs(same_place, same_place).worst) == PAIRS - 1
    c2w[:, :3, 3] = 0
    nowhere = invert_rigid(c2w)
    assert len(measure_usual_pairs(nowhere, nowhere).worst) == 0
    assert measure_pairs(nowhere, nowhere).translation == pytest.approx(np.full(PAIRS, 90.0))


def make_square(height):
    """Four cameras in the corners of a square, two up and two down by `height`."""
    c2w = np.tile(np.eye(4), (4, 1, 1))
    c2w[:, :3, 3] = [[1, 1, height], [1, -1, -height], [-1, -1, height], [-1, 1, -height]]
    return invert_rigid(c2w)


def test_trajectory_error_of_a_saddle():
    # No similarity lifts a flat square to a saddle, so the height is what remains.
    fit = fit_trajectory(ELSEWHERE.apply_to_w2c(make_square(0.0)), make_square(0.2))
    assert fit.rmse == pytest.approx(0.2)
    assert fit.true_from_found.scale == pytest.approx(1 / ELSEWHERE.scale)
    assert fit.offsets == pytest.approx([0.2] * 4)


def test_cameras_on_a_line_are_fitted_with_their_orientations():
    c2w = np.tile(np.eye(4), (5, 1, 1))
    c2w[:, 0, 3] = np.arange(5)
    w2c = invert_rigid(c2w)
    fit = fit_trajectory(ELSEWHERE.apply_to_w2c(w2c), w2c)
    assert fit.rmse == pytest.approx(0, abs=1e-9)
    assert fit_trajectory(w2c[:1], w2c[:1]).rmse == pytest.approx(0, abs=1e-9)


def test_steps_of_a_drifting_camera():
    c2w = np.tile(np.eye(4), (COUNT, 1, 1))
    for i, pose in enumerate(c2w):
        pose[:3, :3], pose[:3, 3] = turn("y", 10.0 * i), [i, 0, 0.1 * i * i]
    w2c = invert_rigid(c2w)
    c2w[:, :3, :3] = [turn("y", 10.3 * i) for i in range(COUNT)]
    fit = fit_trajectory(invert_rigid(c2w), w2c)
    steps = measure_steps(invert_rigid(c2w), w2c, fit.true_from_found)
    assert steps.rotation_deg == pytest.approx(np.full(COUNT - 1, 0.3))
    assert fit.rmse == pytest.approx(0, abs=1e-9)
    # the step is seen from a frame that is turned by 0.3 i + 0.3 degrees at its end
    length = np.linalg.norm(np.diff(c2w[:, :3, 3], axis=0), axis=1)
    turned = np.radians(0.3 * np.arange(1, COUNT))
    assert steps.translation == pytest.approx(2 * np.sin(turned / 2) * length)


def test_consensus_bears_wrong_cameras():
    w2c = make_w2c(12)
    found = ELSEWHERE.apply_to_w2c(w2c)
    for index in (2, 7, 9):
        c2w = invert_rigid(found[index])
        c2w[:3, 3] += [9, -7, 8]
        found[index] = invert_rigid(c2w)
    assert align_robustly(found, w2c).scale == pytest.approx(1 / ELSEWHERE.scale, rel=1e-9)
    assert abs(np.log(fit_trajectory(found, w2c).true_from_found.scale * ELSEWHERE.scale)) > 0.3


def test_focal_length_in_percent():
    K, longer = make_lenses(3), make_lenses(3)
    longer[1, :2, :2] *= 1.1
    longer[2, 0, 0] *= 1.04  # fx alone: half of it
    assert measure_focal(longer, K) == pytest.approx([0, 10, 2])


def test_the_sum_for_people():
    w2c, K = make_w2c(COUNT), make_lenses(COUNT)
    errors = compare_cameras((spin(w2c, 3, 4.0), K), (w2c, K), COUNT, 10.0)
    assert errors.angle_worst == pytest.approx(4)
    assert errors.angle_mean == pytest.approx(4 / COUNT)
    assert errors.position_worst == pytest.approx(0, abs=1e-9)
    assert f"{COUNT} of {COUNT} cameras" in str(errors)
