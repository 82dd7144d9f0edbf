# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera on the way from one pose to another, looking at what both look at.

Runs in both processes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray

_PARALLEL = 1e-4


class _Frame(NamedTuple):
    """Where the poses are described: the point both look at and a frame upright to both."""

    pivot: Array
    y: Array
    axes: Array


def interpolate_pose(start: Array, end: Array, t: Array) -> Array:
    """Turn around the common point of view while the distance to it changes evenly.

    Roll and turn follow the shorter way; tilt against the plane of both viewing directions is
    dropped, so that the ends are met exactly where the viewing axes meet or are parallel.

    Args:
        start: (4, 4) camera-to-world at t = 0.
        end: (4, 4) camera-to-world at t = 1.
        t: (F,) 0 to 1.

    Returns:
        (F, 4, 4) float64 camera-to-world.
    """
    start, end = (np.asarray(pose, np.float64) for pose in (start, end))
    frame = _build_frame(start, end)
    (move_a, turn_a, roll_a), (move_b, turn_b, roll_b) = (
        _describe(pose, frame) for pose in (start, end)
    )
    moves = move_a + t[:, None] * (move_b - move_a)
    turns, rolls = _follow_arc(turn_a, turn_b, t), _follow_arc(roll_a, roll_b, t)
    result = np.tile(np.eye(4), (len(t), 1, 1))
    for pose, move, turn, roll in zip(result, moves, turns, rolls, strict=True):
        pose[:3, :3] = frame.axes @ _rotate_y(turn) @ _rotate_z(roll)
        pose[:3, 3] = frame.pivot - _build_axes(frame.y, pose[:3, 2]) @ move
    return result


def _build_frame(start: Array, end: Array) -> _Frame:
    a, b = start[:3, 2], end[:3, 2]
    centre_a, centre_b = start[:3, 3], end[:3, 3]
    pivot = (centre_a + centre_b) / 2
    if _is_parallel(a, b):
        b = np.array([0.0, 0.0, 1.0])
        if _is_parallel(a, b):
            b = np.array([0.0, 1.0, 0.0])
    else:
        along_a, along_b = (np.outer(v, v) - np.eye(3) for v in (a, b))
        pivot = np.linalg.solve(along_a + along_b, along_a @ centre_a + along_b @ centre_b)
    y = np.cross(a, b)
    y /= np.linalg.norm(y)
    return _Frame(pivot, y, _build_axes(y, a))


def _is_parallel(a: Array, b: Array) -> bool:
    return bool(abs(abs(a @ b) - 1) < _PARALLEL)


def _build_axes(y: Array, z: Array) -> Array:
    return np.stack([np.cross(y, z), y, z], axis=1)


def _describe(pose: Array, frame: _Frame) -> tuple[Array, float, float]:
    """Return the way to the pivot in the pose's own frame, turn and roll (tilt is dropped)."""
    move = _build_axes(frame.y, pose[:3, 2]).T @ (frame.pivot - pose[:3, 3])
    turned = frame.axes.T @ pose[:3, :3]
    turn = float(np.arctan2(turned[0, 2], turned[2, 2]))
    return move, turn, float(np.arctan2(turned[1, 0], turned[1, 1]))


def _follow_arc(start: float, end: float, t: Array) -> Array:
    """Interpolate angles along the shorter arc."""
    difference = (end - start + np.pi) % (2 * np.pi) - np.pi
    return start + t * difference


def _rotate_y(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _rotate_z(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
