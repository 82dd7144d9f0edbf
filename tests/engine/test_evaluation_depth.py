# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of depth maps with answers that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from da3_blender.evaluation.depth_error import (
    ALIGNMENTS,
    measure_depth,
    measure_each,
    measure_together,
)
from da3_blender.evaluation.estimate import sample_depth
from da3_blender.evaluation.measure_maps import measure_depth_maps, measure_temporal, sample_truth
from tests.engine.truth import ELSEWHERE, HEIGHT, WIDTH, Oracle, make_scene

TRUE = np.array([1.0, 2.0, 4.0, 5.0, 8.0])


def estimate(scene, **choices):
    return Oracle(**choices).estimate(scene, lambda share, detail: None, lambda: False)


def test_errors_without_alignment():
    errors = measure_depth(1.5 * TRUE, TRUE, "none")
    assert errors.abs_rel == pytest.approx(0.5)
    assert errors.rmse == pytest.approx(0.5 * np.sqrt((TRUE**2).mean()))
    assert errors.delta_1 == 0  # 1.5 lies between 1.25 and its square
    assert errors.delta_2 == 1
    assert measure_depth(TRUE / 1.2, TRUE, "none").delta_1 == 1


@pytest.mark.parametrize("alignment", ["median", "scale", "affine"])
def test_a_wrong_size_is_forgiven(alignment):
    errors = measure_depth(0.1 * TRUE, TRUE, alignment)
    assert errors.abs_rel == pytest.approx(0, abs=1e-12)
    assert errors.delta_1 == 1


def test_an_offset_is_forgiven_by_one_alignment_only():
    off = 0.5 * TRUE + 3
    errors = {a: measure_depth(off, TRUE, a).abs_rel for a in ALIGNMENTS}
    assert errors["affine"] == pytest.approx(0, abs=1e-12)
    assert min(errors["none"], errors["median"], errors["scale"]) > 0.1


def test_the_median_bears_what_least_squares_does_not():
    found = TRUE.copy()
    found[-1] = 1000
    assert measure_depth(found, TRUE, "median").delta_1 == pytest.approx(0.8)
    assert measure_depth(found, TRUE, "scale").delta_1 == pytest.approx(0.2)  # the outlier alone


def test_depth_that_is_no_number_counts_as_wrong():
    found = TRUE.copy()
    found[0], found[1] = np.nan, -1
    errors = measure_depth(found, TRUE, "none")
    assert errors.delta_1 == pytest.approx(0.6)
    assert errors.abs_rel == pytest.approx(0.4, abs=1e-5)


def test_nothing_to_measure_is_no_number():
    for errors in (measure_depth([], [], "none"), measure_each([], [], "none")):
        assert np.isnan(errors).all()


def test_images_that_disagree_in_size_cost_something_together_only():
    found, true = [TRUE, 3 * TRUE], [TRUE, TRUE]
    assert measure_each(found, true, "median").abs_rel == pytest.approx(0, abs=1e-12)
    both = measure_together(found, true, "median")
    # the median of 1 2 3 4 5 6 8 12 15 24 is 5.5, that of the truth 4
    factor = 4 / 5.5
    expected = (abs(factor - 1) + abs(3 * factor - 1)) / 2
    assert both.abs_rel == pytest.approx(expected)


def test_an_unknown_alignment_is_named():
    with pytest.raises(ValueError, match="no alignment 'best'"):
        measure_depth(TRUE, TRUE, "best")


def test_sampling_follows_crop_and_size():
    """The estimated map shows the middle half of the picture, at half its size."""
    scene = make_scene(1)
    whole = np.asarray(scene.depth[0])
    found = estimate(scene)
    grid = np.array([[[0.5, 0, -WIDTH / 8], [0, 0.5, -HEIGHT / 8], [0, 0, 1]]])
    part = whole[HEIGHT // 4 : -HEIGHT // 4 : 2, WIDTH // 4 : -WIDTH // 4 : 2][None]
    object.__setattr__(found, "depth", part)
    object.__setattr__(found, "grid_from_photo", grid)
    sampled = sample_depth(found, 0, (WIDTH, HEIGHT), (HEIGHT, WIDTH))
    inside = np.isfinite(sampled)
    assert inside.mean() == pytest.approx(0.25)
    assert inside[HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4].all()
    # nearest: every sample is the value of a pixel at most one pixel away
    assert (sampled[::2, ::2] == whole[::2, ::2])[inside[::2, ::2]].all()
    back = sample_truth(found, 0, (WIDTH, HEIGHT), whole)
    assert back.shape == part[0].shape
    assert np.abs(back / part[0] - 1).max() < 0.05
    scores = measure_depth_maps(scene, found)
    assert scores["covered"] == pytest.approx(0.25)
    assert scores["none"]["image"]["abs_rel"] < 0.02


def test_perfect_depth_in_another_world_is_perfect():
    scene = make_scene(4)
    scores = measure_depth_maps(scene, estimate(scene, found_from_true=ELSEWHERE))
    for alignment in ("median", "scale", "affine"):
        for kind in ("image", "sequence"):
            assert scores[alignment][kind]["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert scores["none"]["sequence"]["abs_rel"] == pytest.approx(1 - ELSEWHERE.scale, abs=1e-6)
    assert scores["covered"] == 1


def test_masked_and_missing_pixels_do_not_count():
    scene = make_scene(2)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, : WIDTH // 2] = True

    def spoil(w2c, K, depth):
        depth[:, :, WIDTH // 2 :] *= 7

    masked = make_scene(2, valid=[mask, mask])
    assert measure_depth_maps(masked, estimate(scene, spoil=spoil))["none"]["image"]["abs_rel"] == 0
    holes = [np.where(mask, d, hole) for d, hole in zip(scene.depth, (0, np.inf), strict=True)]
    with_holes = make_scene(2, depth=holes)
    scores = measure_depth_maps(with_holes, estimate(scene, spoil=spoil))
    assert scores["none"]["image"]["abs_rel"] == 0
    one = make_scene(2, depth=[scene.depth[0], None])
    assert measure_depth_maps(one, estimate(scene))["none"]["image"]["abs_rel"] == 0


def make_step_scene(column):
    """One frame with a foreground that ends at a column."""
    depth = np.full((HEIGHT, WIDTH), 4, np.float32)
    depth[:, :column] = 1
    return make_scene(1, depth=[depth])


@pytest.mark.parametrize(("shift", "recall"), [(0, 1), (2, 1), (6, 0)])
def test_edges_must_be_where_they_are(shift, recall):
    scene = make_step_scene(40)
    scores = measure_depth_maps(scene, estimate(make_step_scene(40 + shift)))
    assert scores["edge_recall"] == recall
    assert scores["edge_precision"] == recall


def test_a_smooth_estimate_has_no_edges():
    scene = make_step_scene(40)

    def spoil(w2c, K, depth):
        depth[:] = 2

    scores = measure_depth_maps(scene, estimate(scene, spoil=spoil))
    assert scores["edge_recall"] == 0
    assert np.isnan(scores["edge_precision"])


def test_depth_that_flickers_disagrees_with_the_next_frame():
    scene = make_scene(4)
    still = measure_temporal(scene, estimate(scene, found_from_true=ELSEWHERE))
    assert still["difference"] < 0.01  # nearest pixels of slanted walls
    assert still["counted"] > 0.8

    def spoil(w2c, K, depth):
        depth[1::2] *= 1.1

    # |1.1 - 1| / 1 and |1 / 1.1 - 1| in turns; frames pair up 0-1, 1-2, 2-3
    flicker = measure_temporal(scene, estimate(scene, spoil=spoil))
    assert flicker["difference"] == pytest.approx((2 * (1 - 1 / 1.1) + 0.1) / 3, abs=0.02)


def test_without_true_depth_occlusions_are_left_out():
    scene = make_scene(3)

    def spoil(w2c, K, depth):
        depth[1, : HEIGHT // 2] *= 3

    blind = make_scene(3, depth=None)
    found = measure_temporal(blind, estimate(scene, spoil=spoil))
    assert found["difference"] < 0.02
    assert found["counted"] < 0.75
