# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ray-cast scene of the COLMAP solver's tests, and a test that its cameras are true."""

import threading
import time
from functools import cache

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.progress import Progress
from da3_blender.contract.projection import project
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.settings import RunSettings
from da3_blender.contract.similarity import fit_sim3
from da3_blender.contract.views import SourceKind, View
from da3_blender.solve import STAGES

WIDTH, HEIGHT, FOCAL = 480, 360, 430.0
# Normal n and offset d of n . x = d, and a reach in x and y, OpenCV axes: a box without front and
# ceiling, and a slanted board inside it.
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

    def iterate(self, _least_side=0, wanted=None):
        for index in range(len(self.photos)) if wanted is None else wanted:
            yield index, self.photos[index]


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


@cache
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


def render(w2c, directions, seed=0, planes=PLANES):
    """Ray-cast the scene for camera directions (H, W, 3); returns (H, W, 3) uint8."""
    c2w = invert_rigid(w2c)
    rays = directions.reshape(-1, 3) @ c2w[:3, :3].T
    nearest = np.full(len(rays), np.inf)
    colour = np.zeros((len(rays), 3))
    for index, (direction, offset, reach) in enumerate(planes):
        normal = np.array(direction) / np.linalg.norm(direction)
        side = np.cross(normal, [0.3, 0.9, 0.2])
        side /= np.linalg.norm(side)
        with np.errstate(divide="ignore"):
            t = (offset - c2w[:3, 3] @ normal) / (rays @ normal)
        point = c2w[:3, 3] + t[:, None] * rays
        hit = (t > 0.1) & (t < nearest) & (np.abs(point[:, 0]) < reach)
        hit &= np.abs(point[:, 1]) < reach
        nearest[hit] = t[hit]
        u, v = point[hit] @ side, point[hit] @ np.cross(normal, side)
        colour[hit] = sample_texture(make_texture(10 * seed + index), u, v)
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


@cache
def make_poses():
    """Six cameras on an arc, at different heights and distances."""
    steps = np.linspace(-1, 1, 6)
    return np.stack(
        [
            look_at((1.5 * s, 0.35 * np.cos(5 * s), 0.8 * s * s - 0.3 * s), (0.1 * s, 0.4, 5.0))
            for s in steps
        ]
    )


@cache
def render_photos():
    return [render(pose, cast_rays()) for pose in make_poses()]


def measure_errors(solution, truth):
    """Degrees, and centre errors as a share of the cameras' extent, after a similarity."""
    kept = solution.registered
    centres = invert_rigid(solution.w2c[kept])[:, :3, 3]
    true_centres = invert_rigid(truth[kept])[:, :3, 3]
    moved = fit_sim3(centres, true_centres).apply_to_w2c(solution.w2c[kept])
    degrees = np.degrees(measure_angle(moved[:, :3, :3], truth[kept, :3, :3])).max()
    distance = np.linalg.norm(invert_rigid(moved)[:, :3, 3] - true_centres, axis=1).max()
    return degrees, distance / np.linalg.norm(np.ptp(true_centres, axis=0))


def test_the_scene_is_seen_where_the_cameras_project_it():
    edge = np.array([[-2.0, 1.6, 7.0]])  # on the edge where the floor meets the back wall
    K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    for pose in make_poses():
        (pixel,), (depth,) = project(edge, K, pose)
        assert depth > 0
        column, row = int(pixel[0]), int(pixel[1])
        assert 20 < column < WIDTH - 20
        assert 20 < row < HEIGHT - 20
        full = render(pose, cast_rays())
        wall_only = render(pose, cast_rays(), planes=PLANES[:1])
        same = (full == wall_only).all(axis=-1)[row - 5 : row + 6, column]
        # Above the edge the wall is seen, below it something else; the edge may cut a pixel.
        assert same[:4].all()
        assert not same[-4:].any()
