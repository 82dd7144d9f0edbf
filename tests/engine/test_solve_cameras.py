# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The COLMAP solver from pixels to cameras, on a ray-cast scene whose cameras are known."""

from dataclasses import replace

import numpy as np
import pytest

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.projection import project
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.views import SourceKind
from da3_blender.solve import STAGES, Lens, solve_cameras, undistort_photo
from da3_blender.solve.solver import _is_sequential
from tests.engine.test_solve_scene import (
    FOCAL,
    HEIGHT,
    SETTINGS,
    WIDTH,
    ArraySource,
    Listener,
    cast_rays,
    look_at,
    make_poses,
    measure_errors,
    render,
    render_photos,
)

pycolmap = pytest.importorskip("pycolmap", reason="needs the engine's environment")


@pytest.fixture(scope="module")
def poses():
    return make_poses()


@pytest.fixture(scope="module")
def photos():
    return render_photos()


def refuse(photos, folder, words, settings=SETTINGS, prior=None):
    with pytest.raises(EngineError, match=words) as caught:
        solve_cameras(ArraySource(photos, prior=prior), folder, settings, Listener().progress)
    assert caught.value.code is ErrorCode.CAMERAS_NOT_FOUND
    return caught.value


def test_six_photos_give_the_true_cameras(photos, poses, tmp_path):
    listener = Listener()
    folder = tmp_path / "Grüße 日本語 und Leerzeichen"
    solution = solve_cameras(ArraySource(photos), folder, SETTINGS, listener.progress)

    assert solution.registered.all()
    degrees, share = measure_errors(solution, poses)
    assert degrees < 0.3
    assert share < 0.01
    assert len(solution.lenses) == 1
    assert solution.lenses[0].K[0, 0] == pytest.approx(FOCAL, rel=0.02)
    assert solution.mean_error_px < 1
    assert (solution.view_residual_px < 1).all()

    # The files stay in the folder, and the model on disk is the one that was returned.
    model = pycolmap.Reconstruction(folder / "sparse")
    assert model.num_points3D() == len(solution.points)
    assert model.image(1).cam_from_world().matrix() == pytest.approx(solution.w2c[0, :3])
    assert not list(folder.glob("pixels*"))

    # Progress: all stages in order, a fraction that never falls, and counts that users see.
    stages = list(dict.fromkeys(stage for stage, _, _ in listener.reports))
    assert stages == [label for label, _ in STAGES]
    fractions = [fraction for _, fraction, _ in listener.reports]
    assert fractions == sorted(fractions)
    details = {detail for _, _, detail in listener.reports}
    assert {"6 of 6 photos", "6 of 6 cameras"} <= details
    assert not listener.notes


def test_points_have_the_colours_and_errors_of_their_pixels(photos, tmp_path):
    solution = solve_cameras(ArraySource(photos), tmp_path, SETTINGS, Listener().progress)
    count = len(solution.points)
    assert count > 300
    np.testing.assert_array_equal(
        solution.track_length, np.bincount(solution.observation_point, minlength=count)
    )
    total = np.zeros((count, 3))
    for view, photo in enumerate(photos):
        seen = solution.observation_view == view
        column, row = np.floor(solution.observation_px[seen]).astype(int).T
        np.add.at(total, solution.observation_point[seen], photo[row, column])
        lens = solution.lenses[0]
        pixels, depth = project(
            solution.points[solution.observation_point[seen]], lens.K, solution.w2c[view]
        )
        assert (depth > 0).all()
        error = np.linalg.norm(
            lens.pinhole_to_photo(pixels) - solution.observation_px[seen], axis=1
        )
        assert error.mean() == pytest.approx(solution.view_residual_px[view], rel=1e-6)
    expected = total / solution.track_length[:, None]
    np.testing.assert_allclose(solution.colours, expected, atol=0.51)


def test_two_runs_agree(photos, tmp_path):
    runs = [
        solve_cameras(ArraySource(photos[:4]), tmp_path / name, SETTINGS, Listener().progress)
        for name in ("first", "second")
    ]
    np.testing.assert_allclose(runs[0].w2c, runs[1].w2c, atol=1e-3)
    assert abs(len(runs[0].points) - len(runs[1].points)) <= 0.01 * len(runs[0].points)


def test_distortion_is_found_and_removed(poses, tmp_path):
    k = -0.12
    distorted = [render(pose, cast_rays(k)) for pose in poses]
    solution = solve_cameras(ArraySource(distorted), tmp_path, SETTINGS, Listener().progress)
    assert solution.registered.all()
    (lens,) = solution.lenses
    # k and the focal length trade a little, so compare pixels: K of the truth with the true
    # distortion against the solution's own.
    truth = Lens("SIMPLE_RADIAL", (FOCAL, WIDTH / 2, HEIGHT / 2, k), WIDTH, HEIGHT)
    assert lens.needs_undistortion
    assert lens.distortion_px == pytest.approx(truth.distortion_px, rel=0.15)
    degrees, share = measure_errors(solution, poses)
    assert degrees < 0.3
    assert share < 0.01

    rays = np.concatenate(
        [np.random.default_rng(0).uniform([-0.5, -0.36], [0.5, 0.36], (300, 2)), np.ones((300, 1))],
        axis=1,
    )
    of_truth = truth.pinhole_to_photo((rays @ truth.K.T)[:, :2])
    of_solution = lens.pinhole_to_photo((rays @ lens.K.T)[:, :2])
    assert np.linalg.norm(of_truth - of_solution, axis=1).max() < 0.5

    # The undistorted photo is the picture of a pinhole: like one that was rendered as such.
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    pinhole = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(lens.K).T
    expected = render(poses[2], pinhole).astype(float)[20:-20, 20:-20]
    cleaned = undistort_photo(distorted[2], lens).astype(float)[20:-20, 20:-20]
    original = distorted[2].astype(float)[20:-20, 20:-20]
    assert np.abs(cleaned - expected).mean() < 0.25 * np.abs(original - expected).mean()


def test_two_photos_are_enough(photos, poses, tmp_path):
    pair = [1, 3]
    solution = solve_cameras(
        ArraySource([photos[i] for i in pair], prior=FOCAL),
        tmp_path,
        replace(SETTINGS, use_focal_prior=True),
        Listener().progress,
    )
    assert solution.registered.all()
    assert len(solution.points) > 100
    relative = solution.w2c[1] @ invert_rigid(solution.w2c[0])
    truth = poses[3] @ invert_rigid(poses[1])
    assert np.degrees(measure_angle(relative[:3, :3], truth[:3, :3])) < 1.5
    direction = relative[:3, 3] / np.linalg.norm(relative[:3, 3])
    true_direction = truth[:3, 3] / np.linalg.norm(truth[:3, 3])
    assert direction @ true_direction > np.cos(np.radians(5))


def test_a_foreign_photo_is_left_out_and_named(photos, poses, tmp_path):
    foreign = render(poses[0], cast_rays(), seed=1)
    listener = Listener()
    solution = solve_cameras(
        ArraySource([*photos[:4], foreign]), tmp_path, SETTINGS, listener.progress
    )
    np.testing.assert_array_equal(solution.registered, [True] * 4 + [False])
    assert np.isnan(solution.w2c[4]).all()
    assert solution.lens_of_view[4] == -1
    assert any("photo_4.jpg" in note for note in listener.notes)


def test_blank_photos_are_refused(tmp_path):
    refuse([np.full((120, 160, 3), 128, np.uint8)] * 3, tmp_path, "0 of 3 photos show enough")


def test_photos_of_different_places_are_refused(photos, poses, tmp_path):
    foreign = render(poses[1], cast_rays(), seed=1)
    refuse([photos[0], foreign], tmp_path, "None of the 1 pairs")


@pytest.mark.parametrize("prior", [None, FOCAL])
def test_a_camera_that_only_turns_is_refused(prior, tmp_path):
    turning = [
        render(look_at((0, 0, 0), (np.sin(angle), 0.08, np.cos(angle))), cast_rays())
        for angle in np.radians([-14, -7, 0, 7])
    ]
    settings = replace(SETTINGS, use_focal_prior=True)
    error = refuse(turning, tmp_path, "same place", settings, prior)
    assert "sideways" in error.hint


def test_a_flat_wall_seen_from_the_side_is_not_a_turning_camera(tmp_path):
    plane = ((0.0, 0.0, 1.0), 6.0, 99.0)
    poses = np.stack([look_at((x, 0.3 * x, 0.4 * x * x), (0, 0, 6.0)) for x in (-2, -1, 0.4, 1.5)])
    wall = [render(pose, cast_rays(), planes=[plane]) for pose in poses]
    settings = replace(SETTINGS, use_focal_prior=True)
    solution = solve_cameras(
        ArraySource(wall, prior=FOCAL), tmp_path, settings, Listener().progress
    )
    assert solution.registered.all()
    degrees, share = measure_errors(solution, poses)
    assert degrees < 1
    assert share < 0.02


def test_one_photo_is_refused(photos, tmp_path):
    with pytest.raises(EngineError, match="1 was found") as caught:
        solve_cameras(ArraySource(photos[:1]), tmp_path, SETTINGS, Listener().progress)
    assert caught.value.code is ErrorCode.INPUT_TOO_FEW


def test_long_sequences_are_matched_in_order():
    listener = Listener()
    blank = np.zeros((8, 8, 3), np.uint8)

    def decide(count, kind, **changes):
        source = ArraySource([blank] * count, kind)
        return _is_sequential(source, replace(SETTINGS, **changes), listener.progress)

    assert not decide(60, SourceKind.VIDEO)
    assert decide(61, SourceKind.VIDEO)
    assert decide(61, SourceKind.SEQUENCE)
    assert not decide(200, SourceKind.PHOTOS)
    assert decide(3, SourceKind.PHOTOS, matching="SEQUENTIAL")
    assert not decide(500, SourceKind.VIDEO, matching="EXHAUSTIVE")
    assert not listener.notes
    assert decide(201, SourceKind.PHOTOS)
    assert "201 photos" in listener.notes[0]


def test_sequential_matching_gives_cameras(photos, poses, tmp_path):
    settings = replace(SETTINGS, matching="SEQUENTIAL", shared_lens=False)
    solution = solve_cameras(
        ArraySource(photos, SourceKind.VIDEO), tmp_path, settings, Listener().progress
    )
    assert solution.registered.all()
    assert len(solution.lenses) == 1  # a video has one lens
    degrees, share = measure_errors(solution, poses)
    assert degrees < 0.3
    assert share < 0.01
