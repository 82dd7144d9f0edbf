# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a set of cameras against the truth, after a similarity between the two worlds.

Runs in the engine, and in any Python with numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.rotations import measure_angle
from ..contract.similarity import Sim3, fit_sim3
from ..inference.given_cameras import align_cameras

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST_FOR_FIT = 3


class TrajectoryFit(NamedTuple):
    """Camera centres against the true ones.

    Attributes:
        true_from_found: similarity between the worlds.
        offsets: (N,) float64 distances that remain, units of the truth.
    """

    true_from_found: Sim3
    offsets: NDArray[np.float64]

    @property
    def rmse(self) -> float:
        """Absolute trajectory error: root of the mean square of the offsets."""
        return float(np.sqrt((self.offsets**2).mean()))


class RelativeErrors(NamedTuple):
    """Errors of the step from each frame to the next.

    rotation_deg, translation: (N - 1,) float64; the latter in units of the truth.
    """

    rotation_deg: NDArray[np.float64]
    translation: NDArray[np.float64]


class CameraErrors(NamedTuple):
    """How far cameras are from the truth, the worst of all and the mean.

    Angles in degrees, positions in percent of the scene's size, focal length in percent.
    """

    count: int
    expected: int
    angle_worst: float
    angle_mean: float
    position_worst: float
    position_mean: float
    focal_worst: float

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"{self.count} of {self.expected} cameras; rotation {self.angle_mean:.3f} deg "
            f"(worst {self.angle_worst:.3f}), position {self.position_mean:.3f} % of the scene "
            f"(worst {self.position_worst:.3f} %), focal length within {self.focal_worst:.2f} %"
        )


def fit_trajectory(w2c: NDArray[np.floating], true_w2c: NDArray[np.floating]) -> TrajectoryFit:
    """Fit camera centres to the true ones by least squares.

    Where the centres do not decide a similarity (fewer than three, or all on one line) the
    orientations help.

    Args:
        w2c: (N, 4, 4) OpenCV world-to-camera.
        true_w2c: (N, 4, 4) the truth.
    """
    centres, true_centres = invert_rigid(w2c)[:, :3, 3], invert_rigid(true_w2c)[:, :3, 3]
    try:
        similarity = fit_sim3(centres, true_centres)
    except ValueError:
        similarity = align_cameras(true_w2c, w2c)
    return TrajectoryFit(similarity, _measure_offsets(similarity, centres, true_centres))


def align_robustly(w2c: NDArray[np.floating], true_w2c: NDArray[np.floating]) -> Sim3:
    """Find the similarity to the true world in spite of some cameras that are far off.

    By consensus for any number of cameras, as the published evaluation does.

    Args:
        w2c: (N, 4, 4) OpenCV world-to-camera.
        true_w2c: (N, 4, 4) the truth.

    Returns:
        `true_from_found`.
    """
    return align_cameras(true_w2c, w2c, fewest_for_consensus=_FEWEST_FOR_FIT)


def measure_steps(
    w2c: NDArray[np.floating], true_w2c: NDArray[np.floating], true_from_found: Sim3
) -> RelativeErrors:
    """Measure the relative pose error from frame to frame, in the truth's scale.

    Args:
        w2c: (N, 4, 4) OpenCV world-to-camera, in the order of time.
        true_w2c: (N, 4, 4) the truth.
        true_from_found: similarity between the worlds.
    """
    moved = true_from_found.apply_to_w2c(w2c)
    steps, true_steps = (
        np.asarray(poses, np.float64)[1:] @ invert_rigid(poses)[:-1] for poses in (moved, true_w2c)
    )
    difference = invert_rigid(true_steps) @ steps
    rotation = measure_angle(true_steps[:, :3, :3], steps[:, :3, :3])
    return RelativeErrors(np.degrees(rotation), np.linalg.norm(difference[:, :3, 3], axis=1))


def measure_focal(K: NDArray[np.floating], true_K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (N,) float64, by how many percent each focal length is off (mean of fx and fy).

    Args:
        K: (N, 3, 3) pixels of the photo.
        true_K: (N, 3, 3) the truth, same pixels.
    """
    ratio = np.stack([np.asarray(K)[:, a, a] / np.asarray(true_K)[:, a, a] for a in (0, 1)])
    return 100 * np.abs(ratio - 1).mean(axis=0)


def compare_cameras(
    cameras: tuple[NDArray[np.floating], NDArray[np.floating]],
    truth: tuple[NDArray[np.floating], NDArray[np.floating]],
    expected: int,
    diagonal: float,
) -> CameraErrors:
    """Sum the errors of cameras up for people.

    Args:
        cameras: w2c (N, 4, 4) and K (N, 3, 3) of the cameras that were found.
        truth: the same of the true ones, in the same order.
        expected: number of cameras that could have been found.
        diagonal: size of the scene, units of the truth.
    """
    (w2c, K), (true_w2c, true_K) = cameras, truth
    fit = fit_trajectory(w2c, true_w2c)
    turned = fit.true_from_found.apply_to_w2c(w2c)
    angle = np.degrees(measure_angle(turned[:, :3, :3], np.asarray(true_w2c)[:, :3, :3]))
    position = 100 * fit.offsets / diagonal
    return CameraErrors(
        len(w2c),
        expected,
        float(angle.max()),
        float(angle.mean()),
        float(position.max()),
        float(position.mean()),
        float(measure_focal(K, true_K).max()),
    )


def _measure_offsets(
    true_from_found: Sim3, centres: NDArray[np.float64], true_centres: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.linalg.norm(true_from_found.apply_to_points(centres) - true_centres, axis=1)
