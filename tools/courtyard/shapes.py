# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Basic shapes: worn blocks, turned forms, tubes and leaves.

Runs under the bpy wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .fractal import sample_noise
from .parts import Part, grid_quads, make_part

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray
FACES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def make_block(
    rng: np.random.Generator,
    size: Sequence[float],
    tint: Array,
    bevel: float = 0.01,
    wear: float = 0.004,
    steps: int = 5,
) -> Part:
    """Make a box around the origin with round edges and an uneven surface.

    Args:
        rng: Source of the wear and of the place in the texture.
        size: Three edge lengths, metres.
        tint: (3,) scene-linear colour.
        bevel: Radius of the edges, metres.
        wear: Strength of the unevenness, metres.
        steps: Inner grid lines along each edge.

    Returns:
        The box; the grain of its texture runs along its longest edge.
    """
    half = np.asarray(size, float) / 2
    bevel = min(bevel, half.min() * 0.9)
    points, quads = [], []
    for first, second, normal in FACES:
        lines = [
            np.concatenate(
                [[-half[i]], np.linspace(bevel - half[i], half[i] - bevel, steps), [half[i]]]
            )
            for i in (first, second)
        ]
        for side in (-1, 1):
            face = np.empty((steps + 2, steps + 2, 3))
            face[..., first], face[..., second] = np.meshgrid(*lines, indexing="ij")
            face[..., normal] = side * half[normal]
            corners = grid_quads(steps + 2, steps + 2) + len(points) * (steps + 2) ** 2
            quads.append(corners[:, ::-1] if side > 0 else corners)
            points.append(face.reshape(-1, 3))
    cube = np.concatenate(points)
    _, keep, merged = np.unique(np.round(cube, 6), axis=0, return_index=True, return_inverse=True)
    cube = cube[keep]
    core = np.clip(cube, bevel - half, half - bevel)
    outward = cube - core
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    offset = rng.uniform(-50, 50, 3)
    dent = sample_noise(cube + offset, 0.12, 1, 2)[:, None]
    longest = int(np.argmax(size))
    grain = np.roll(cube, -longest, axis=1) + offset
    return make_part(
        core + outward * (bevel + wear * dent),
        merged.reshape(-1)[np.concatenate(quads)],
        tint,
        grain,
    )


def turn_profile(profile: Array, segments: int, tint: Array) -> Part:
    """Turn a profile about the z axis.

    Args:
        profile: (P, 2) float64, radius and height in metres, from the bottom outside upwards.
        segments: Steps around.
        tint: (3,) scene-linear colour.

    Returns:
        The turned form; its grain runs upwards.
    """
    angle = np.arange(segments) / segments * 2 * np.pi
    radius, height = profile[:, :1], np.repeat(profile[:, 1:], segments, axis=1)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1).reshape(
        -1, 3
    )
    return make_part(
        points, grid_quads(len(profile), segments, is_closed=True), tint, np.roll(points, 1, axis=1)
    )


def make_tube(path: Array, radius: float | Array, tint: Array, segments: int = 10) -> Part:
    """Lay a tube along a path.

    Args:
        path: (P, 3) float64, metres.
        radius: One radius or (P,) radii, metres.
        tint: (3,) scene-linear colour.
        segments: Steps around.

    Returns:
        The tube, open at both ends; its grain runs along it.
    """
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.where(np.abs(along[:, 2:]) < 0.8, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(helper, along)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(along, side)
    angle = np.arange(segments) / segments * 2 * np.pi
    ring = side[:, None] * np.cos(angle)[:, None] + up[:, None] * np.sin(angle)[:, None]
    reach = np.broadcast_to(np.asarray(radius, float), len(path))[:, None, None]
    points = (path[:, None] + ring * reach).reshape(-1, 3)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    turns = np.broadcast_to(angle, (len(path), segments))
    grain = np.stack(
        [
            np.repeat(length[:, None], segments, 1),
            reach[..., 0] * np.cos(turns),
            reach[..., 0] * np.sin(turns),
        ],
        -1,
    )
    return make_part(
        points,
        grid_quads(len(path), segments, is_closed=True),
        tint,
        grain.reshape(-1, 3) + path[0],
    )


def make_leaves(
    at: Array,
    along: Array,
    facing: Array,
    size: Array,
    tint: Array,
    width: float = 0.5,
    rows: int = 4,
) -> Part:
    """Make one folded leaf at each place.

    Args:
        at: (n, 3) float64, where each stalk ends, metres.
        along: (n, 3) float64, where each tip points.
        facing: (n, 3) float64, roughly where each upper side looks.
        size: (n,) float64, lengths in metres.
        tint: (n, 3) scene-linear colours.
        width: Greatest width as a share of the length.
        rows: Steps along the leaf.

    Returns:
        All leaves as one part, lighter along the middle.
    """
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(facing, along)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    normal = np.cross(along, across)
    step, side = np.meshgrid(np.linspace(0, 1, rows + 1), [-1.0, 0.0, 1.0], indexing="ij")
    reach = side * np.sin(np.pi * step**0.75) ** 0.8 * width / 2
    rise = np.abs(reach) * 0.45 - 0.25 * step**2
    shape = np.stack([step, reach, rise], axis=-1).reshape(-1, 3)
    frame = np.stack([along, across, normal], axis=1) * size[:, None, None]
    points = at[:, None] + shape @ frame
    count = len(shape)
    quads = grid_quads(rows + 1, 3) + np.arange(len(at))[:, None, None] * count
    rib = np.where(side.reshape(-1) == 0, 1.25, 0.9)[None, :, None]
    colours = (tint[:, None] * rib).reshape(-1, 3)
    return make_part(points.reshape(-1, 3), quads.reshape(-1, 4), colours)
