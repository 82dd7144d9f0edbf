# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far pinned things slip, with numbers that are known, and the stand-in's errors."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.matchmove_shots.hidden_points import find_visible
from benchmarks.matchmove_shots.motions import SHOTS, make_smooth_noise, plan_shot, turn
from benchmarks.matchmove_shots.pinning import pin_points
from benchmarks.matchmove_shots.shot import Truth, make_lens
from benchmarks.matchmove_shots.slip import measure_slip
from benchmarks.matchmove_shots.solved import Solved
from benchmarks.matchmove_shots.stand_in import Errors, make_stand_in
from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.similarity import Sim3

SIZE = (640, 360)
GRID = (504, 280)


def make_truth(name="walk", frames=12, distortion=(0.0, 0.0)):
    """Points on a slanted wall in front of the cameras of a shot, seen by all of them."""
    plan = plan_shot(name, frames, SIZE[0])
    rng = np.random.default_rng(1)
    wall = np.array([0.1, -0.2, 1.0]) / np.linalg.norm([0.1, -0.2, 1.0])
    middle = frames // 2
    to_world = invert_rigid(plan.w2c[middle])
    centre = to_world[:3, :3] @ [0, 0, 6.0] + to_world[:3, 3]
    normal = to_world[:3, :3] @ wall
    spread = rng.uniform([-1.2, -0.7, 0], [1.2, 0.7, 0], (20, 3)) @ to_world[:3, :3].T + centre
    points = spread - ((spread - centre) @ normal)[:, None] * normal
    distortion = np.tile(distortion, (frames, 1)).astype(float)
    pixels = np.empty((frames, len(points), 2))
    depth = np.empty((frames, GRID[1], GRID[0]), np.float32)
    x, y = np.meshgrid(np.arange(GRID[0]) + 0.5, np.arange(GRID[1]) + 0.5)
    for frame in range(frames):
        K, w2c = plan.K[frame], plan.w2c[frame]
        camera = points @ w2c[:3, :3].T + w2c[:3, 3]
        flat = camera @ K.T
        lens = make_lens(K, distortion[frame], SIZE)
        pixels[frame] = lens.pinhole_to_photo(flat[:, :2] / flat[:, 2:])
        K_grid = np.diag([GRID[0] / SIZE[0], GRID[1] / SIZE[1], 1]) @ K
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(K_grid).T
        n = w2c[:3, :3] @ normal
        offset = n @ (w2c[:3, :3] @ centre + w2c[:3, 3])
        depth[frame] = offset / (rays @ n)
    visible = np.ones(pixels.shape[:2], bool)
    return Truth(plan.w2c, plan.K, distortion, SIZE, depth, points, pixels, visible)


def solve_truly(truth):
    lenses = [truth.make_lens(frame) for frame in range(len(truth.w2c))]
    return Solved(truth.w2c, truth.K, lenses)


@pytest.mark.parametrize("name", ["walk", "rotation", "zoom", "low_parallax"])
@pytest.mark.parametrize("distortion", [(0.0, 0.0), (-0.12, 0.02)])
def test_nothing_slips_with_the_true_cameras_in_any_world(name, distortion):
    truth = make_truth(name, distortion=distortion)
    solved = solve_truly(truth)
    other = Sim3(0.3, turn([0.4, -1.0, 0.2]), np.array([3.0, 1.0, -7.0]))
    for each in (solved, solved._replace(w2c=other.apply_to_w2c(solved.w2c))):
        slip = measure_slip(truth, each)
        assert slip.frames == 12
        assert not slip.has_failed
        assert slip.worst_frame < 1e-4
        assert slip.high < 1e-4
        assert slip.degrees < 1e-6
        assert np.isnan(slip.position) == (name in ("rotation", "low_parallax"))
        assert not slip.position > 1e-9


def test_a_frame_that_is_turned_slips_by_its_turn():
    truth = make_truth("rotation", frames=40)
    w2c = truth.w2c.copy()
    # A pan by the arc tangent of 3 pixels moves the middle of the picture by 3 pixels.
    w2c[7] = np.block([[turn([0, np.arctan(3 / truth.K[7, 0, 0]), 0]), np.zeros((3, 1))],
                       [np.zeros((1, 3)), np.ones((1, 1))]]) @ w2c[7]  # fmt: skip
    slip = measure_slip(truth, solve_truly(truth)._replace(w2c=w2c))
    # The other 39 frames hold the points back: they keep 39/40 of the way.
    assert slip.worst_frame == pytest.approx(3 * 39 / 40, rel=0.06)
    # Towards the edge of the picture a turn moves a pixel by 1 + (320 / 500)^2 as much.
    assert 3 / 40 < slip.median < 3 / 40 * 1.41
    assert slip.degrees < 0.02


def test_slip_is_that_of_the_best_place():
    truth = make_truth()
    rng = np.random.default_rng(5)
    noise = turn(0.003 * rng.normal(size=(12, 3)))
    solved = solve_truly(truth)
    solved = solved._replace(w2c=solved.w2c.copy())
    solved.w2c[:, :3] = noise @ solved.w2c[:, :3]
    pinned = pin_points(truth.pixels, truth.visible, solved)

    def measure(points):
        slides = []
        for frame in range(12):
            camera = points @ solved.w2c[frame, :3].T
            flat = camera @ truth.K[frame].T
            slides.append(flat[:, :2] / flat[:, 2:] - truth.pixels[frame])
        return (np.array(slides) ** 2).sum((0, 2))

    best = measure(pinned)
    assert (best > 1).all()  # there is something to lose
    for axis in range(3):
        for step in (-1e-3, 1e-3):
            moved = pinned.copy()
            moved[:, axis] += step * pinned[:, 3]
            assert (measure(moved) >= best).all()


def test_a_lens_that_cannot_see_a_pixel_pins_by_the_other_frames():
    truth = make_truth(distortion=(-0.1, 0.0))
    solved = solve_truly(truth)
    folded = make_lens(truth.K[0], (-40.0, 0.0), SIZE)  # sees a spot in the middle only
    assert np.isnan(folded.photo_to_pinhole(truth.pixels[5])).any()
    solved.lenses[5] = folded
    pinned = pin_points(truth.pixels, truth.visible, solved)
    assert np.isfinite(pinned).all()
    slip = measure_slip(truth, solved)
    assert slip.median < 1.0
    assert slip.worst_frame > 20


def test_lost_frames_are_counted_and_fail_a_shot():
    truth = make_truth(frames=20)
    solved = solve_truly(truth)
    for lost, failed in ((2, False), (3, True), (20, True)):
        lenses = [None if frame < lost else lens for frame, lens in enumerate(solved.lenses)]
        slip = measure_slip(truth, solved._replace(lenses=lenses))
        assert (slip.lost, slip.frames, slip.has_failed) == (lost, 20 - lost, failed)
        assert np.isnan(slip.median) == (lost == 20)
    w2c = truth.w2c.copy()
    w2c[4:7] = np.nan
    assert measure_slip(truth, solved._replace(w2c=w2c)).lost == 3


def test_positions_are_told_in_depths_and_rotations_in_degrees():
    truth = make_truth("dolly", frames=30)
    turned = truth.w2c.copy()
    angle = np.radians(0.5) * np.where(np.arange(30) % 2, 1, -1)
    c2w = invert_rigid(turned)
    c2w[:, :3, :3] = c2w[:, :3, :3] @ turn(angle[:, None] * [0, 0, 1.0])
    slip = measure_slip(truth, solve_truly(truth)._replace(w2c=invert_rigid(c2w)))
    assert slip.degrees == pytest.approx(0.5, rel=0.01)
    c2w = invert_rigid(truth.w2c)
    c2w[:, 2, 3] += 0.06 * np.where(np.arange(30) % 2, 1, -1)
    slip = measure_slip(truth, solve_truly(truth)._replace(w2c=invert_rigid(c2w)))
    assert slip.position == pytest.approx(0.06 / truth.median_depth, rel=0.03)


def test_the_stand_in_errs_as_much_as_it_says():
    truth = make_truth("low_parallax", frames=400)
    truth = replace(truth, depth=truth.depth[:, ::7, ::7])
    start = make_stand_in(truth, seed=3)
    same = make_stand_in(truth, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(start, same, strict=True))
    between = truth.w2c[:, :3, :3].transpose(0, 2, 1) @ start.w2c[:, :3, :3]
    u, _, vt = np.linalg.svd(between.sum(0))
    angle = np.degrees(measure_angle(start.w2c[:, :3, :3], truth.w2c[:, :3, :3] @ (u @ vt)))
    assert 0.2 < np.sqrt((angle**2).mean()) < 0.4
    focal = start.K[:, 0, 0] / truth.K[:, 0, 0] - 1
    assert abs(abs(focal.mean()) - 0.03) < 0.002
    assert focal.std() == pytest.approx(0.005, rel=0.15)
    ratio = np.log(start.depth / truth.depth)
    assert (ratio - ratio.mean()).std() == pytest.approx(np.hypot(0.04, 0.01), rel=0.1)
    assert (ratio[:, :, 1:] - ratio[:, :, :-1]).std() == pytest.approx(0.01 * np.sqrt(2), rel=0.2)
    assert start.confidence.min() >= 1


def test_a_stand_in_without_errors_is_the_truth_in_another_world():
    truth = make_truth("dolly")
    start = make_stand_in(truth, 1, Errors(0, 0, 0, 8, 0, 0, 1e-12, 0))
    lenses = [start.make_lens(frame, SIZE) for frame in range(12)]
    slip = measure_slip(truth, Solved(start.w2c, start.K, lenses))
    assert slip.worst_frame < 1e-4
    scale = np.linalg.norm(np.diff(invert_rigid(start.w2c)[:, :3, 3], axis=0), axis=1)
    scale /= np.linalg.norm(np.diff(invert_rigid(truth.w2c)[:, :3, 3], axis=0), axis=1)
    assert np.allclose(start.depth / truth.depth, scale[0], rtol=1e-5)


def test_the_depth_of_a_stand_in_lies_where_the_plate_shows_it():
    truth = make_truth("dolly", distortion=(-0.12, 0.02))
    start = make_stand_in(truth, 1, Errors(0, 0, 0, 8, 0, 0, 1e-12, 0))
    scale = np.median(start.depth[:, 140, 252] / truth.depth[:, 140, 252])
    for frame in (0, 11):
        at = np.floor(truth.pixels[frame] @ start.grid_from_photo[:2, :2].T).astype(int)
        there = start.depth[frame, at[:, 1], at[:, 0]] / scale
        z = (truth.points @ truth.w2c[frame, :3, :3].T + truth.w2c[frame, :3, 3])[:, 2]
        assert np.allclose(there, z, rtol=0.004)


def test_what_stands_in_front_hides_a_point():
    truth = make_truth()
    K_grid = truth.grid_from_photo @ truth.K
    assert find_visible(truth.points, truth.w2c, K_grid, truth.depth).all()
    nearer = truth.depth.copy()
    nearer[3] *= 0.9
    seen = find_visible(truth.points, truth.w2c, K_grid, nearer)
    assert not seen[3].any()
    assert seen[[0, 1, 2, 4]].all()


@pytest.mark.parametrize("name", SHOTS)
def test_shots_move_as_their_names_say(name):
    plan = plan_shot(name, 24)
    centres = invert_rigid(plan.w2c)[:, :3, 3]
    extent = np.linalg.norm(np.ptp(centres, axis=0))
    reach = {"rotation": (0, 1e-9), "low_parallax": (0.01, 0.12), "zoom": (0.05, 0.4)}
    least, most = reach.get(name, (0.5, 3.6))
    assert least <= extent <= most
    assert plan.K[-1, 0, 0] / plan.K[0, 0, 0] == pytest.approx(1.8 if name == "zoom" else 1)
    assert (plan.width, plan.height) == ((720, 1280) if name == "portrait" else (1280, 720))


def test_smooth_noise_has_variance_one_and_the_width_asked_for():
    noise = make_smooth_noise(np.random.default_rng(0), 200_000, 2, 6.0)
    assert np.allclose(noise.std(0), 1, atol=0.06)
    # The correlation of Gaussian-filtered noise at a lag L is exp(-L^2 / (4 s^2)).
    lag = (noise[:-6] * noise[6:]).mean(0)
    assert np.allclose(lag, np.exp(-0.25), atol=0.06)


def test_the_truth_comes_back_from_its_file(tmp_path):
    truth = make_truth(frames=3, distortion=(-0.1, 0.01))
    truth.save(tmp_path / "truth.npz")
    found = Truth.load(tmp_path / "truth.npz")
    assert found.size == truth.size
    for name in ("w2c", "K", "distortion", "depth", "points", "pixels", "visible"):
        assert np.array_equal(getattr(found, name), getattr(truth, name))
    assert replace(found, size=SIZE).median_depth == truth.median_depth
