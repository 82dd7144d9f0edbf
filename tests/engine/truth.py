# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A room whose depth, cameras and surface are known exactly, and estimators that know them too.

Runs in the engine's tests.
"""

from __future__ import annotations

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.similarity import Sim3
from da3_blender.evaluation.estimate import Cost, Estimate
from da3_blender.evaluation.scene import Scene

HALF = np.array([2.0, 1.2, 2.5])  # the room reaches so far from the origin
WIDTH, HEIGHT = 80, 60


def turn(axis, degrees):
    """Rotation about the x, y or z axis."""
    a, b = [(1, 2), (2, 0), (0, 1)]["xyz".index(axis)]
    rotation = np.eye(3)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation[a, a], rotation[a, b], rotation[b, a], rotation[b, b] = cosine, -sine, sine, cosine
    return rotation


def make_w2c(count):
    """Cameras on an arc that look around the room and up and down."""
    c2w = np.tile(np.eye(4), (count, 1, 1))
    for i, pose in enumerate(c2w):
        pose[:3, :3] = turn("y", -30 + 60 * i / max(count - 1, 1)) @ turn("x", 6 * np.sin(2.0 * i))
        angle = np.radians(120 * i / max(count - 1, 1))
        pose[:3, 3] = 0.8 * np.cos(angle), 0.1 * np.sin(3.0 * i), -0.8 * np.sin(angle)
    return invert_rigid(c2w)


def make_lenses(count, width=WIDTH, height=HEIGHT):
    return np.tile(
        [[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]], (count, 1, 1)
    )


def cast(w2c, K, width=WIDTH, height=HEIGHT):
    """Depth (H, W) float32 and colour (H, W, 3) uint8 of the room from the inside."""
    c2w = invert_rigid(w2c)
    grid = np.ones((height, width, 3))
    grid[..., 0] = np.arange(width) + 0.5
    grid[..., 1] = np.arange(height)[:, None] + 0.5
    rays = grid @ np.linalg.inv(K).T @ c2w[:3, :3].T  # z = 1 in the camera: length is depth
    with np.errstate(divide="ignore"):
        depth = ((np.sign(rays) * HALF - c2w[:3, 3]) / rays).min(axis=-1)
    points = c2w[:3, 3] + rays * depth[..., None]
    colour = 128 + 100 * np.sin(points * (5.0, 7.0, 4.0))
    return depth.astype(np.float32), colour.astype(np.uint8)


def make_scene(count=6, name="room", **parts):
    w2c, K = make_w2c(count), make_lenses(count)
    seen = [cast(w2c[i], K[i]) for i in range(count)]
    truth = {
        "images": [colour for _, colour in seen],
        "w2c": w2c,
        "K": K,
        "depth": [depth for depth, _ in seen],
    }
    return Scene(name, **{**truth, **parts})


def make_surface(count=200_000, seed=0):
    """Points spread evenly over the room's walls."""
    generator = np.random.default_rng(seed)
    area = np.array([HALF[1] * HALF[2], HALF[0] * HALF[2], HALF[0] * HALF[1]])
    axis = generator.choice(3, count, p=area / area.sum())
    points = generator.uniform(-1, 1, (count, 3))
    points[np.arange(count), axis] = np.sign(points[np.arange(count), axis])
    return points * HALF


class Oracle:
    """Knows the truth, in a world of its own, and spoils it as a test wants.

    Args:
        found_from_true: similarity to the estimate's world.
        spoil: changes (w2c, K, depth) of the whole scene in place, in the true world.
        frames: the ones that are found; None for all.
    """

    title = "oracle"

    def __init__(self, found_from_true=None, spoil=None, frames=None):
        self.world = found_from_true or Sim3(1.0, np.eye(3), np.zeros(3))
        self.spoil = spoil or (lambda w2c, K, depth: None)
        self.frames = frames

    def estimate(self, scene, report, is_cancelled):
        report(1.0, "oracle")
        w2c, K = scene.w2c.copy(), scene.K.copy()
        depth = np.stack([np.array(scene.depth[i]) for i in range(len(scene))])
        self.spoil(w2c, K, depth)
        chosen = np.arange(len(scene)) if self.frames is None else np.array(self.frames, int)
        return Estimate(
            chosen,
            self.world.apply_to_w2c(w2c)[chosen],
            K[chosen],
            (depth * self.world.scale).astype(np.float32)[chosen],
            np.tile(np.eye(3), (len(chosen), 1, 1)),
            Cost(1.0, "cpu"),
        )


ELSEWHERE = Sim3(0.37, turn("x", 40) @ turn("y", 110), np.array([3.0, -2.0, 5.0]))
