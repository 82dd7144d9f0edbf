# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the COLMAP solver that need no COLMAP: smaller photos, lens groups, failures."""

from dataclasses import replace

import numpy as np
import pytest

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import SourceKind, View
from da3_blender.solve import Lens, SparseSolution
from da3_blender.solve.failures import (
    check_features,
    check_parallax,
    check_solution,
    check_view_count,
    describe_lost_views,
    explain_no_model,
)
from da3_blender.solve.lens_groups import group_lenses
from da3_blender.solve.photo_reduction import reduce_photo
from da3_blender.solve.turning import count_turning, normalize_homography

SETTINGS = RunSettings(inputs=("photos",), output="result")


def make_view(name, size=(4000, 3000), prior=None, label="Maker Model"):
    return View(name, f"/photos/{name}", *size, focal_prior_px=prior, camera_label=label)


def make_solution(points=100, focal=1000.0):
    return SparseSolution(
        registered=np.array([True, True, False]),
        w2c=np.tile(np.eye(4), (3, 1, 1)),
        lens_of_view=np.array([0, 0, -1], np.int32),
        lenses=(Lens("SIMPLE_PINHOLE", (focal, 500.0, 400.0), 1000, 800),),
        points=np.zeros((points, 3)),
        colours=np.zeros((points, 3), np.uint8),
        track_length=np.full(points, 2, np.int32),
        point_error_px=np.zeros(points),
        view_residual_px=np.zeros(3),
        mean_error_px=0.0,
        observation_view=np.zeros(0, np.int32),
        observation_point=np.zeros(0, np.int32),
        observation_px=np.zeros((0, 2)),
    )


def test_reduction_averages_whole_blocks():
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    expected = image.reshape(20, 3, 30, 3, 3).mean(axis=(1, 3))
    # float32 sums round to the other side of a half now and then
    assert np.abs(reduce_photo(image, 30) - expected).max() <= 0.51


def test_reduction_keeps_positions_and_brightness():
    y, x = np.mgrid[0:700, 0:1000] + 0.5
    centres = [(137.3, 88.1), (800.5, 600.2), (500.0, 350.0)]
    image = sum(np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * 20**2)) for u, v in centres)
    image = np.repeat(np.round(250 * image).astype(np.uint8)[..., None], 3, axis=2)
    small = reduce_photo(image, 333)
    assert small.shape == (233, 333, 3)
    assert small.mean() == pytest.approx(image.mean(), rel=0.01)
    for u, v in centres:
        column, row = int(u * 0.333), int(v * 0.333)
        patch = small[row - 20 : row + 20, column - 20 : column + 20, 0].astype(float)
        rows, columns = np.mgrid[0:40, 0:40] + 0.5
        found_x = (columns * patch).sum() / patch.sum() + column - 20
        found_y = (rows * patch).sum() / patch.sum() + row - 20
        assert found_x * 1000 / 333 == pytest.approx(u, abs=0.2)
        assert found_y * 700 / 233 == pytest.approx(v, abs=0.2)


def test_small_photos_are_left_alone():
    image = np.zeros((30, 40, 3), np.uint8)
    assert reduce_photo(image, 40) is image


def test_photos_share_a_lens_by_size_and_camera():
    views = [
        make_view("a", prior=3000.0),
        make_view("b", prior=3300.0),
        make_view("c", prior=3100.0),
        make_view("upright", size=(3000, 4000)),
        make_view("d"),
        make_view("phone", label="Other Phone", prior=2500.0),
    ]
    groups, of_view = group_lenses(views, SourceKind.PHOTOS, SETTINGS)
    assert of_view == (0, 0, 0, 1, 0, 2)
    assert groups[0] == (4000, 3000, 3100.0, True)  # the median
    assert groups[1] == (3000, 4000, 1.2 * 4000, False)
    assert groups[2] == (4000, 3000, 2500.0, True)


def test_every_photo_can_have_its_own_lens():
    views = [make_view("a", prior=3000.0), make_view("b")]
    groups, of_view = group_lenses(views, SourceKind.PHOTOS, replace(SETTINGS, shared_lens=False))
    assert of_view == (0, 1)
    assert [group.has_prior for group in groups] == [True, False]


def test_frames_share_one_lens_whatever_their_labels():
    views = [make_view("a", label="x"), make_view("b", label="y")]
    for kind in (SourceKind.SEQUENCE, SourceKind.VIDEO):
        groups, of_view = group_lenses(views, kind, replace(SETTINGS, shared_lens=False))
        assert len(groups) == 1
        assert of_view == (0, 0)


def test_the_prior_can_be_refused():
    groups, _ = group_lenses(
        [make_view("a", prior=3000.0)], SourceKind.PHOTOS, replace(SETTINGS, use_focal_prior=False)
    )
    assert groups[0].focal_px == pytest.approx(4800.0)
    assert not groups[0].has_prior


@pytest.mark.parametrize(("count", "words"), [(0, "0 were found"), (1, "1 was found")])
def test_one_photo_is_too_few(count, words):
    with pytest.raises(EngineError, match=words) as caught:
        check_view_count(count)
    assert caught.value.code is ErrorCode.INPUT_TOO_FEW


def test_photos_without_features_are_named_with_numbers():
    check_features([30, 0, 4000])
    with pytest.raises(EngineError, match=r"1 of 3 photos .* found 4000") as caught:
        check_features([29, 0, 4000])
    assert caught.value.code is ErrorCode.CAMERAS_NOT_FOUND


def test_the_reason_follows_the_matches():
    apart = explain_no_model({"pairs": 15, "verified": 0, "best": 3, "turned": 0}, 6)
    assert "None of the 15 pairs" in apart.message
    still = explain_no_model({"pairs": 15, "verified": 9, "best": 300, "turned": 9}, 6)
    assert "9 of 15" in still.message
    assert "sideways" in still.hint


def test_nonsense_solutions_are_refused():
    check_solution(make_solution())
    for solution, words in [
        (make_solution(points=19), "19 common points"),
        (make_solution(focal=150.0), "0.15 times"),
        (make_solution(focal=10_500.0), "10.50 times"),
    ]:
        with pytest.raises(EngineError, match=words) as caught:
            check_solution(solution)
        assert caught.value.code is ErrorCode.CAMERAS_NOT_FOUND


def test_lost_views_are_named():
    lost = describe_lost_views(make_solution(), ["a.jpg", "b.jpg", "c.jpg"])
    assert lost is not None
    assert lost.startswith("1 of 3 photos")
    assert "c.jpg" in lost


def make_rotation(axis, degrees):
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def test_turning_pairs_are_told_from_flat_scenes():
    K = np.array([[2800.0, 0, 2000], [0, 2800.0, 1500], [0, 0, 1]])
    size = (4000, 3000)
    turns = [make_rotation((0.1, 1, 0.05), angle) for angle in (3, 9, -14)]
    # x2 = K (R + t n^T / d) K^-1 x1 for a wall with normal n at distance d
    steps = [np.array([0.3, 0.02, 0.0]), np.array([-0.4, 0.1, 0.1]), np.array([0.2, 0.3, 0.0])]
    wall = [np.eye(3) + np.outer(step, (0, 0, 1)) for step in steps]
    both = [turn + np.outer(step, (0, 0, 1)) for turn, step in zip(turns, steps, strict=True)]

    def count(motions, sign=1.0):
        pixels = [sign * K @ motion @ np.linalg.inv(K) for motion in motions]
        return count_turning(np.stack([normalize_homography(h, size, size) for h in pixels]))

    assert count(turns) == 3
    assert count(turns, sign=-7.0) == 3  # a homography has no scale
    assert count(wall) == 0
    assert count(both) == 0
    assert count_turning(np.zeros((0, 3, 3))) == 0


def test_a_shell_of_points_is_refused_where_the_lens_is_unknown():
    random = np.random.default_rng(0)
    view, point = (
        np.repeat([0, 1], 200).astype(np.int32),
        np.tile(np.arange(200, dtype=np.int32), 2),
    )
    shell = replace(
        make_solution(),
        points=random.uniform([-3, -2, 9.5], [3, 2, 10.5], (200, 3)),
        observation_view=view,
        observation_point=point,
    )
    deep = replace(shell, points=shell.points * random.uniform(0.5, 1.5, (200, 1)))
    counts = {"pairs": 10, "verified": 10, "turned": 9, "best": 500}
    check_parallax(shell, counts, has_prior=True)
    check_parallax(shell, counts | {"turned": 8}, has_prior=False)
    check_parallax(deep, counts, has_prior=False)
    with pytest.raises(EngineError, match="10 of 10 photo pairs"):
        check_parallax(shell, counts, has_prior=False)
