# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving cameras with known numbers, points in front of them, and who saw which."""

import numpy as np

from da3_blender.camera_files.tracks import Tracks
from da3_blender.contract.camera_file import CameraFile, CameraView
from da3_blender.contract.lens import Lens
from da3_blender.contract.projection import project

SIZE = (640, 480)
FRAMES = (1001, 1002, 1003, 1004, 1006)  # one is missing


def make_cameras(*, lens=False, zoom=False, is_centred=False):
    """Return five cameras on an arc that look at (0, 0, 6), with roll."""
    w2c = np.tile(np.eye(4), (len(FRAMES), 1, 1))
    for index, pose in enumerate(w2c):
        turn, roll = 0.3 * index - 0.5, 0.1 * index
        centre = np.array([6 * np.sin(turn), 0.4 * index, 6 - 6 * np.cos(turn)])
        forward = np.array([0.0, 0, 6]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross([np.sin(roll), np.cos(roll), 0], forward)
        right /= np.linalg.norm(right)
        pose[:3, :3] = [right, np.cross(forward, right), forward]
        pose[:3, 3] = -pose[:3, :3] @ centre
    focal = 700.25 + (40.5 * np.arange(len(FRAMES)) if zoom else np.zeros(len(FRAMES)))
    K = np.tile(np.eye(3), (len(FRAMES), 1, 1))
    K[:, 0, 0] = focal
    K[:, 1, 1] = focal if is_centred else focal * 1.01
    K[:, :2, 2] = (320, 240) if is_centred else (331.5, 222.25)
    names = [f"shot_{frame}.png" for frame in FRAMES]
    views = tuple(
        CameraView(name, frame, *SIZE, 0 if lens else -1)
        for name, frame in zip(names, FRAMES, strict=True)
    )
    if not lens:
        return CameraFile(views, w2c, K, (), 24.0)
    k = K[0]
    pinhole = (k[0, 0], k[1, 1], k[0, 2], k[1, 2])
    found = Lens("OPENCV", (*map(float, pinhole), -0.12, 0.03, 0.002, -0.001), *SIZE)
    return CameraFile(views, w2c, np.stack([found.K] * len(views)), (found,), 24.0)


def make_points(count=200):
    """Return (M, 3) points in a box around (0, 0, 6)."""
    return np.random.default_rng(5).uniform(-1.2, 1.2, (count, 3)) + [0, 0, 6]


def project_all(cameras, index, points):
    """Return (M, 2) pixels of the photo of a view, distorted as it is."""
    lens = cameras.lens_of(index)
    return lens.pinhole_to_photo(project(points, cameras.K[index], cameras.w2c[index])[0])


def make_tracks(cameras, count=120):
    """Return tracks of points, each seen by a random half of the views; some by none."""
    rng = np.random.default_rng(6)
    points = make_points(count)
    sees = rng.random((len(cameras.views), count)) < 0.5
    sees[:, :3] = False
    view, track = np.nonzero(sees)
    px = np.stack(
        [project_all(cameras, v, points[t : t + 1])[0] for v, t in zip(view, track, strict=True)]
    )
    px += rng.normal(0, 0.2, px.shape)
    colours = rng.integers(0, 256, (count, 3), dtype=np.uint8)
    return Tracks(points, colours, rng.random(count), view, track, px)
