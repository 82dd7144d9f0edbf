# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots whose tracks are made of numbers: true cameras, rough ones, and how far a solve slips."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from da3_blender.contract.lens import Lens
from da3_blender.solve import RefineStart
from da3_blender.solve.tracks import Tracks

WIDTH, HEIGHT = 1280, 720


@dataclass
class Shot:
    """Truth of a shot; `hidden` points are seen by no solver."""

    w2c: np.ndarray
    lenses: list
    points: np.ndarray
    hidden: np.ndarray

    def project(self, view, points):
        local = points @ self.w2c[view, :3, :3].T + self.w2c[view, :3, 3]
        K = self.lenses[view].K
        pinhole = local[:, :2] / local[:, 2:] @ K[:2, :2].T + K[:2, 2]
        px = self.lenses[view].pinhole_to_photo(pinhole)
        seen = (local[:, 2] > 0.1) & (px > 0).all(1) & (px < [WIDTH, HEIGHT]).all(1)
        return px, local[:, 2], seen


def make_shot(kind, frames=24, points=500, seed=0):
    """Make `walk`, `sway` (hardly any parallax), `turn` (none), `zoom` or `barrel`."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, frames)
    centre = np.zeros((frames, 3))
    angles = np.zeros((frames, 3))
    angles[:, 0] = 2 * np.sin(3 * time)
    if kind in ("walk", "barrel", "zoom"):
        centre[:, 0] = 1.2 * time
        centre[:, 2] = 0.8 * time
        angles[:, 1] = -6 * time
    if kind == "sway":
        centre[:, 0] = 0.04 * np.sin(6 * time)
        centre[:, 1] = 0.02 * np.cos(5 * time)
        angles[:, 1] = 6 * time
    if kind == "turn":
        angles[:, 1] = 20 * time
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    w2c = np.tile(np.eye(4), (frames, 1, 1))
    w2c[:, :3, :3] = rotation
    w2c[:, :3, 3] = -np.einsum("nij,nj->ni", rotation, centre)
    focal = 1100 * np.ones(frames)
    if kind == "zoom":
        focal *= 1.8 ** (0.5 - 0.5 * np.cos(np.pi * time))
    k1 = -0.12 if kind == "barrel" else 0.0
    lenses = [
        Lens("SIMPLE_RADIAL", (float(f), WIDTH / 2, HEIGHT / 2, k1), WIDTH, HEIGHT) for f in focal
    ]
    depth = rng.uniform(3, 12, points + 60)
    across = rng.uniform(-1.1, 1.1, points + 60)
    place = np.stack([across * depth, rng.uniform(-0.4, 0.4, points + 60) * depth, depth], axis=1)
    return Shot(w2c, lenses, place[:points], place[points:])


def track(shot, noise_px=0.3, wrong=0.03, seed=1):
    """Return tracks as a matcher finds them: noisy, of limited length, and some wrong."""
    rng = np.random.default_rng(seed)
    view, point, px = [], [], []
    count, frames = len(shot.points), len(shot.w2c)
    begin = rng.integers(0, frames, count)
    length = rng.integers(4, frames, count)
    for index in range(frames):
        at, _, seen = shot.project(index, shot.points)
        chosen = np.flatnonzero(seen & (begin - 2 <= index) & (index < begin + length))
        found = at[chosen] + rng.normal(0, noise_px, (len(chosen), 2))
        bad = rng.random(len(chosen)) < wrong
        found[bad] += rng.normal(0, 40, (bad.sum(), 2))
        view.append(np.full(len(chosen), index))
        point.append(chosen)
        px.append(found)
    view, point, px = map(np.concatenate, (view, point, px))
    everything = Tracks(view, point, np.arange(len(view)), px, count)
    return everything.take(np.ones(len(view), bool))


def make_rough(shot, *, has_depth=True, is_zoom=False, model="SIMPLE_RADIAL", seed=2):
    """Return what a network may say: poses, lens and depth maps that are all a little off."""
    rng = np.random.default_rng(seed)
    frames = len(shot.w2c)
    smooth = np.stack(
        [
            np.interp(np.arange(frames), [0, frames / 2, frames], rng.normal(size=3))
            for _ in range(6)
        ],
        axis=1,
    )
    c2w = np.linalg.inv(shot.w2c)
    turn = np.radians(0.25) * (smooth[:, :3] + 0.3 * rng.normal(size=(frames, 3)))
    c2w[:, :3, :3] = c2w[:, :3, :3] @ Rotation.from_rotvec(turn).as_matrix()
    c2w[:, :3, 3] += 0.07 * (smooth[:, 3:] + 0.3 * rng.normal(size=(frames, 3)))
    empty = {"SIMPLE_RADIAL": (0.0,), "SIMPLE_DIVISION": (0.0,), "RADIAL": (0.0, 0.0)}[model]

    def spoil(lens):
        params = (lens.params[0] * 1.03, WIDTH / 2, HEIGHT / 2, *empty)
        return Lens(model, params, WIDTH, HEIGHT)

    lenses = [spoil(lens) for lens in shot.lenses] if is_zoom else [spoil(shot.lenses[0])]
    start = {
        "views": list(range(frames)),
        "w2c": np.linalg.inv(c2w),
        "lenses": tuple(lenses),
        "lens_of_view": list(range(frames)) if is_zoom else [0] * frames,
    }
    if has_depth:
        start |= make_depth(shot, rng)
    return RefineStart(**start)


def make_depth(shot, rng, width=160, height=90):
    """Return depth maps: at each pixel the depth of the nearest point in the picture, 5 % off."""
    from scipy.spatial import cKDTree

    grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    maps = []
    for index in range(len(shot.w2c)):
        px, z, seen = shot.project(index, shot.points)
        tree = cKDTree(px[seen] * width / WIDTH)
        nearest = tree.query(grid.reshape(-1, 2))[1]
        wave = 1 + 0.04 * np.sin(grid[..., 0] / 40 + rng.uniform(0, 6))
        maps.append(z[seen][nearest].reshape(height, width) * wave)
    scale = np.diag([width / WIDTH, height / HEIGHT, 1.0])
    return {
        "depth": np.array(maps, np.float32),
        "grid_from_photo": np.tile(scale, (len(maps), 1, 1)),
        "depth_view": np.arange(len(maps)),
    }


def measure_slip(shot, w2c, lenses):
    """Return (F,) medians: how far hidden points, pinned where they fit best, slip per frame."""
    slips = [[] for _ in shot.w2c]
    for point in shot.hidden:
        views, pixels = [], []
        for index in range(len(shot.w2c)):
            px, _, seen = shot.project(index, point[None])
            if seen[0]:
                views.append(index)
                pixels.append(px[0])
        if len(views) < 4:
            continue
        error = _pin(np.array(views), np.array(pixels), w2c, lenses)
        for index, value in zip(views, error, strict=True):
            slips[index].append(value)
    return np.array([np.median(values) for values in slips])


def _pin(views, pixels, w2c, lenses):
    from scipy.optimize import least_squares

    rotation, shift = w2c[views, :3, :3], w2c[views, :3, 3]
    ideal = np.array(
        [lenses[v].photo_to_pinhole(p[None])[0] for v, p in zip(views, pixels, strict=True)]
    )
    focal = np.array([[lenses[v].K[0, 0], lenses[v].K[1, 1]] for v in views])
    middle = np.array([lenses[v].K[:2, 2] for v in views])
    flat = (ideal - middle) / focal
    rows = np.concatenate(
        [
            flat[:, :, None] * rotation[:, 2:3] - rotation[:, :2],
            (flat * shift[:, 2:] - shift[:, :2])[:, :, None],
        ],
        axis=2,
    ).reshape(-1, 4)
    directions = np.linalg.svd(rows)[2]
    # of a camera that only turns, every distance fits: the one far away will do
    vector = (
        max(directions[-2:], key=lambda v: np.linalg.norm(v[:3]))
        if not shift.any()
        else directions[-1]
    )

    def residual(inverse):
        local = np.einsum("nij,j->ni", rotation, inverse[:3]) + shift * inverse[3]
        return ((local[:, :2] / local[:, 2:] - flat) * focal).ravel()

    first = vector / np.linalg.norm(vector)
    local = np.einsum("nij,j->ni", rotation, first[:3]) + shift * first[3]
    first = first if np.median(local[:, 2]) > 0 else -first
    best = least_squares(residual, first, x_scale="jac")
    return np.linalg.norm(best.fun.reshape(-1, 2), axis=1)
