# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between OpenCV's world and Nuke's: y up, cameras look along -z, rotations in degrees, ZXY.

Runs in both processes.

Nuke's ZXY turns about z first, then x, then y: R = Ry Rx Rz, so that pan, tilt and roll stay
what they are. Its window is measured in half widths of the picture, up positive:
x = W / 2 (1 + 2 focal / haperture X / -Z - win_translate.u), and the same for y with W / 2, divided
by win_scale.v (`nukescripts.snap3d`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROTATION_ORDER: Final = "ZXY"
# OpenCV's axes in Nuke's, of worlds and of cameras; it is its own inverse.
_TURN: Final = np.diag([1.0, -1.0, -1.0, 1.0])
_STRAIGHT_UP: Final = 1e-9  # cosine of the tilt below which pan and roll are the same


class NukeWindow(NamedTuple):
    """What a Nuke camera needs to match one K; apertures and focal length in mm."""

    focal: float
    haperture: float
    vaperture: float
    win_u: float
    win_v: float
    win_scale_v: float


def to_nuke_matrix(w2c: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn (N, 4, 4) w2c into camera-to-world matrices of Nuke."""
    return _TURN @ invert_rigid(w2c) @ _TURN


def from_nuke_matrix(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn (N, 4, 4) camera-to-world matrices of Nuke into w2c."""
    return invert_rigid(_TURN @ np.asarray(matrix, np.float64) @ _TURN)


def matrix_to_angles(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """Find the angles of rotations, without jumps from one to the next.

    Args:
        matrix: (N, 3, 3) rotations in time order, R = Ry Rx Rz.

    Returns:
        (N, 3) float64, degrees about x, y and z.
    """
    m = np.asarray(matrix, np.float64)
    cosine = np.hypot(m[:, 0, 2], m[:, 2, 2])
    x = np.arctan2(-m[:, 1, 2], cosine)
    is_steep = cosine < _STRAIGHT_UP
    y = np.where(is_steep, np.arctan2(-m[:, 2, 0], m[:, 0, 0]), np.arctan2(m[:, 0, 2], m[:, 2, 2]))
    z = np.where(is_steep, 0.0, np.arctan2(m[:, 1, 0], m[:, 1, 1]))
    angles = np.stack([x, y, z], axis=1)
    for row in range(1, len(angles)):
        angles[row] = _choose_near(angles[row], angles[row - 1])
    return np.rad2deg(angles)


def _choose_near(angles: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the way to say the same rotation that is nearest to the one before."""
    other = np.array([np.pi - angles[0], angles[1] + np.pi, angles[2] + np.pi])
    candidates = [
        turned + 2 * np.pi * np.round((before - turned) / (2 * np.pi)) for turned in (angles, other)
    ]
    return min(candidates, key=lambda turned: float(np.abs(turned - before).sum()))


def angles_to_matrix(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn (N, 3) degrees about x, y and z into (N, 3, 3) rotations Ry Rx Rz."""
    radians = np.deg2rad(np.asarray(angles, np.float64))
    (sx, sy, sz), (cx, cy, cz) = np.sin(radians).T, np.cos(radians).T
    return np.stack(
        [
            np.stack([cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx], -1),
            np.stack([cx * sz, cx * cz, -sx], -1),
            np.stack([-sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx], -1),
        ],
        axis=1,
    )


def to_nuke_window(
    K: NDArray[np.floating], width: int, height: int, haperture: float
) -> NukeWindow:
    """Turn (3, 3) intrinsics in pixels of a picture into the numbers of a Nuke camera."""
    fx, fy, cx, cy = float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])
    scale = fx / fy
    return NukeWindow(
        fx / width * haperture,
        haperture,
        haperture * height / width * scale,
        (width - 2 * cx) / width,
        (2 * cy - height) / width * scale,
        scale,
    )


def from_nuke_window(window: NukeWindow, width: int, height: int) -> NDArray[np.float64]:
    """Turn the numbers of a Nuke camera into (3, 3) intrinsics, pixels of the picture."""
    fx = window.focal / window.haperture * width
    cx = (1 - window.win_u) * width / 2
    cy = (height + window.win_v * width / window.win_scale_v) / 2
    return np.array([[fx, 0, cx], [0, fx / window.win_scale_v, cy], [0, 0, 1.0]])
