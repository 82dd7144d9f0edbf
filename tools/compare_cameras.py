# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares cameras with the true ones after a similarity.

Runs in any Python with numpy; used by the demo and by tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.rotations import measure_angle
from da3_blender.contract.similarity import fit_sim3

if TYPE_CHECKING:
    from pathlib import Path


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


def compare_cameras(names: list[str], w2c: np.ndarray, K: np.ndarray, truth: Path) -> CameraErrors:
    """Fit the cameras to the true ones by a similarity of their centres, and measure.

    Args:
        names: file name of each camera's photo.
        w2c: (N, 4, 4) OpenCV world-to-camera.
        K: (N, 3, 3) pixels of the photo.
        truth: cameras.json with "images": [{"file", "K", "w2c"}] and "scene_diagonal".

    Raises:
        ValueError: fewer than three cameras are in both.
    """
    data = json.loads(truth.read_text(encoding="utf-8"))
    true = {image["file"]: image for image in data["images"]}
    known = [i for i, name in enumerate(names) if name in true]
    true_w2c = np.array([true[names[i]]["w2c"] for i in known], float)
    true_K = np.array([true[names[i]]["K"] for i in known], float)
    w2c = np.asarray(w2c)[known]
    centres = invert_rigid(w2c)[:, :3, 3]
    true_centres = invert_rigid(true_w2c)[:, :3, 3]
    truth_from_found = fit_sim3(centres, true_centres)
    fitted = truth_from_found.apply_to_w2c(w2c)
    angle = np.degrees(measure_angle(fitted[:, :3, :3], true_w2c[:, :3, :3]))
    offset = np.linalg.norm(truth_from_found.apply_to_points(centres) - true_centres, axis=1)
    position = 100 * offset / data["scene_diagonal"]
    focal = 100 * np.abs(np.asarray(K)[known][:, 0, 0] / true_K[:, 0, 0] - 1)
    return CameraErrors(
        len(known),
        len(true),
        float(angle.max()),
        float(angle.mean()),
        float(position.max()),
        float(position.mean()),
        float(focal.max()),
    )
