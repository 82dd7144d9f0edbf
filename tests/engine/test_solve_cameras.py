# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The COLMAP solver from pixels to cameras, on a ray-cast scene whose cameras are known."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.errors import CancelledError, EngineError, ErrorCode
from da3_blender.contract.progress import Progress
from da3_blender.contract.projection import project
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.similarity import fit_sim3
from da3_blender.contract.views import SourceKind, View
from da3_blender.solve import STAGES, Lens, solve_cameras, undistort_photo
from da3_blender.solve.solver import _is_sequential

pycolmap = pytest.importorskip("pycolmap", reason="needs the engine's environment")

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, FOCAL = 480, 360, 430.0
TRUE_K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
# name, normal n and offset d of n . x = d, OpenCV axes; a box without front and ceiling, and a
# slanted board inside it
PLANES = [
    ((0.0, 0.0, 1.0), 7.0, 9.0),
    ((0.0, 1.0, 0.0), 1.6, 9.0),
    ((1.0, 0.0, 0.0), -3.2, 9.0),
    ((0.85, 0.0, 0.53), 3.9, 9.0),
    ((0.35, 0.1, 0.93), 4.0, 0.9),  # the board: only near the axis
]
SETTINGS = RunSettings(
    inputs=("photos",), output="result", max_features=3000, use_focal_prior=False
)


class ArraySource:
    """Photos that are already decoded."""

    fps = None
    skipped = ()

    def __init__(self, photos, kind=SourceKind.PHOTOS, prior=None):
        self.photos = photos
        self.kind = kind
        self.views = tuple(
            View(f"photo_{i}.jpg", f"/photos/{i}.jpg", p.shape[1], p.shape[0], focal_prior_px=prior)
            for i, p in enumerate(photos)
        )

    def read(self, index):
        return self.photos[index]

    def iterate(self):
        yield from enumerate(self.photos)


class Listener:
    """A Progress that remembers, and cancels when told to."""

    def __init__(self, cancel_in=None):
        self.cancelled_at = None
        self.reports = []
        self.notes = []
        self._cancel_in = cancel_in
        self._flag = threading.Event()
        self.progress = Progress(self._listen, self._flag.is_set, self.notes.append)
        self.progress.plan(STAGES)

    def _listen(self, stage, fraction, detail, _remaining):
        self.reports.append((stage, fraction, detail))
        # In the middle of the stage: the native call is under way.
        if stage == self._cancel_in and self.cancelled_at is None:
            self.cancelled_at = time.monotonic() + 0.5
            threading.Timer(0.5, self._flag.set).start()


def make_texture(seed):
    """Make noise with detail at all scales, (1024, 1024, 3) in 0..1, that can be tiled."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(1024), np.fft.fftfreq(1024)))
    weight = np.exp(-((frequency / 0.16) ** 2)) / np.maximum(frequency, 1 / 256) ** 0.8
    weight[0, 0] = 0
    noise = np.fft.ifft2(np.fft.fft2(random.standard_normal((3, 1024, 1024))) * weight).real
    return np.clip(0.5 + 0.2 * noise / noise.std(), 0, 1).transpose(1, 2, 0)


def sample_texture(texture, u, v):
    size = len(texture)
    u, v = u * 110, v * 110  # texels per unit
    left, top = np.floor(u).astype(int), np.floor(v).astype(int)
    right_share, below_share = (u - left)[:, None], (v - top)[:, None]

    def at(row, column):
        return texture[row % size, column % size]

    upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share
    lower = at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share
    return upper * (1 - below_share) + lower * below_share


def render(w2c, directions, seed=0):
    """Ray-cast the scene for camera directions (H, W, 3); returns (H, W, 3) uint8."""
    c2w = invert_rigid(w2c)
    rays = directions.reshape(-1, 3) @ c2w[:3, :3].T
    nearest = np.full(len(rays), np.inf)
    colour = np.zeros((len(rays), 3))
    for index, (normal, offset, reach) in enumerate(PLANES):
        normal = np.array(normal) / np.linalg.norm(normal)
        side = np.cross(normal, [0.3, 0.9, 0.2])
        side /= np.linalg.norm(side)
        with np.errstate(divide="ignore"):
            t = (offset - c2w[:3, 3] @ normal) / (rays @ normal)
        point = c2w[:3, 3] + t[:, None] * rays
        hit = (t > 0.1) & (t < nearest) & (np.abs(point[:, 0]) < reach)
        hit &= np.abs(point[:, 1]) < reach
        nearest[hit] = t[hit]
        u, v = point[hit] @ side, point[hit] @ np.cross(normal, side)
        colour[hit] = sample_texture(TEXTURES[seed][index], u, v)
    return np.round(255 * colour).astype(np.uint8).reshape(directions.shape)


def cast_rays(k=0.0):
    """Directions through the pixels of a SIMPLE_RADIAL photo, by fixed-point iteration."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5 - WIDTH / 2, np.arange(HEIGHT) + 0.5 - HEIGHT / 2)
    photo = np.stack([x, y], axis=-1) / FOCAL
    pinhole = photo.copy()
    for _ in range(60):
        pinhole = photo / (1 + k * (pinhole**2).sum(-1, keepdims=True))
    return np.concatenate([pinhole, np.ones((HEIGHT, WIDTH, 1))], axis=-1)


def look_at(position, target):
    forward = np.subtract(target, position) / np.linalg.norm(np.subtract(target, position))
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    c2w = np.eye(4)
    c2w[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    c2w[:3, 3] = position
    return invert_rigid(c2w)


def make_poses():
    """Six cameras on an arc, at different heights and distances."""
    steps = np.linspace(-1, 1, 6)
    return np.stack([
        look_at((1.5 * s, 0.35 * np.cos(5 * s), 0.8 * s * s - 0.3 * s), (0.1 * s, 0.4, 5.0))
        for s in steps
    ])


TEXTURES = {}


@pytest.fixture(scope="module", autouse=True)
def textures():
    TEXTURES.update({seed: [make_texture(10 * seed + i) for i in range(5)] for seed in (0, 1)})
    yield
    TEXTURES.clear()


@pytest.fixture(scope="module")
def poses():
    return make_poses()


@pytest.fixture(scope="module")
def photos(textures, poses):
    return [render(pose, cast_rays()) for pose in poses]


def measure_errors(solution, truth):
    """Degrees, and centre errors as a share of the cameras' extent, after a similarity."""
    kept = solution.registered
    centres = invert_rigid(solution.w2c[kept])[:, :3, 3]
    true_centres = invert_rigid(truth[kept])[:, :3, 3]
    moved = fit_sim3(centres, true_centres).apply_to_w2c(solution.w2c[kept])
    degrees = np.degrees(measure_angle(moved[:, :3, :3], truth[kept, :3, :3])).max()
    distance = np.linalg.norm(invert_rigid(moved)[:, :3, 3] - true_centres, axis=1).max()
    return degrees, distance / np.linalg.norm(np.ptp(true_centres, axis=0))


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
def test_a_camera_that_only_turns_is_refused(prior, textures, tmp_path):
    turning = [
        render(look_at((0, 0, 0), (np.sin(angle), 0.08, np.cos(angle))), cast_rays())
        for angle in np.radians([-14, -7, 0, 7])
    ]
    settings = replace(SETTINGS, use_focal_prior=True)
    error = refuse(turning, tmp_path, "same place", settings, prior)
    assert "sideways" in error.hint


def test_a_flat_wall_seen_from_the_side_is_not_a_turning_camera(textures, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PLANES", [((0.0, 0.0, 1.0), 6.0, 99.0)])
    poses = np.stack([look_at((x, 0.3 * x, 0.4 * x * x), (0, 0, 6.0)) for x in (-2, -1, 0.4, 1.5)])
    wall = [render(pose, cast_rays()) for pose in poses]
    settings = replace(SETTINGS, use_focal_prior=True)
    solution = solve_cameras(ArraySource(wall, prior=FOCAL), tmp_path, settings, Listener().progress)
    assert solution.registered.all()
    degrees, share = measure_errors(solution, poses)
    assert degrees < 1
    assert share < 0.02


def test_one_photo_is_refused(photos, tmp_path):
    with pytest.raises(EngineError, match="1 was found") as caught:
        solve_cameras(ArraySource(photos[:1]), tmp_path, SETTINGS, Listener().progress)
    assert caught.value.code is ErrorCode.INPUT_TOO_FEW


@pytest.mark.parametrize("stage", [label for label, _ in STAGES])
def test_cancel_returns_at_once(stage, photos, poses, tmp_path):
    # Enough work for every stage to last longer than the half second before the cancel.
    finding, matching, placing = (label for label, _ in STAGES)
    work = {
        finding: [photo.repeat(3, axis=0).repeat(3, axis=1) for photo in photos],
        matching: photos * 3,
        placing: photos * 2,
    }
    settings = replace(SETTINGS, max_features=3000 if stage == placing else 20_000)
    listener = Listener(cancel_in=stage)
    with pytest.raises(CancelledError):
        solve_cameras(ArraySource(work[stage]), tmp_path, settings, listener.progress)
    assert listener.cancelled_at is not None
    assert listener.reports[-1][0] == stage
    assert time.monotonic() - listener.cancelled_at < 2


def test_the_child_ends_when_its_parent_dies(photos, tmp_path):
    """A parent that is killed in the middle of matching leaves no process behind."""
    np.save(tmp_path / "photos.npy", np.stack(photos * 3))
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, "-P", str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    child = json.loads(parent.stdout.readline())["child"]
    assert is_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


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


def is_alive(pid):
    """Tell whether a process runs; one that ended but was not waited for does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


PARENT = '''
import json, sys
from pathlib import Path
import numpy as np
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.views import SourceKind, View
from da3_blender.solve import STAGES, solve_cameras
from da3_blender.solve.colmap_process import ColmapProcesses

folder = Path(sys.argv[1])
photos = np.load(folder / "photos.npy")

class Source:
    kind = SourceKind.PHOTOS
    views = tuple(View(str(i), "", p.shape[1], p.shape[0]) for i, p in enumerate(photos))
    def iterate(self):
        yield from enumerate(photos)

started = []
start = ColmapProcesses.start
def remember(self, number):
    start(self, number)
    started.append(self._processes[number].pid)
ColmapProcesses.start = remember

def listen(stage, fraction, detail, remaining):
    if stage == STAGES[1][0] and "pairs" in detail:
        print(json.dumps({"child": started[0]}), flush=True)

progress = Progress(listen, lambda: False, lambda text: None)
progress.plan(STAGES)
settings = RunSettings(inputs=("x",), output="y", max_features=20_000)
solve_cameras(Source(), folder / "work", settings, progress)
'''
