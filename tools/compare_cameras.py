# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares cameras with the true ones of a folder of photos.

Runs in any Python with numpy; used by the demo and by tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.cameras import invert_rigid
from da3_blender.evaluation.camera_files import read_cameras
from da3_blender.evaluation.scene_facts import read_scene_facts
from da3_blender.evaluation.trajectory import CameraErrors
from da3_blender.evaluation.trajectory import compare_cameras as compare

if TYPE_CHECKING:
    from pathlib import Path


def compare_cameras(names: list[str], w2c: np.ndarray, K: np.ndarray, folder: Path) -> CameraErrors:
    """Fit the cameras to the true ones by a similarity of their centres, and measure.

    Args:
        names: file name of each camera's photo.
        w2c: (N, 4, 4) OpenCV world-to-camera.
        K: (N, 3, 3) pixels of the photo.
        folder: of the photos, with the true cameras; scene.json may tell the scene's size,
            else it is the extent of the cameras.

    Raises:
        EngineError: the true cameras cannot be read.
    """
    true = read_cameras(folder)
    place = {name: index for index, name in enumerate(true.names)}
    known = [i for i, name in enumerate(names) if name in place]
    chosen = [place[names[i]] for i in known]
    diagonal = read_scene_facts(folder).diagonal
    if diagonal is None:
        centres = invert_rigid(true.w2c)[:, :3, 3]
        diagonal = float(np.linalg.norm(centres.max(axis=0) - centres.min(axis=0))) or 1.0
    found = np.asarray(w2c)[known], np.asarray(K)[known]
    return compare(found, (true.w2c[chosen], true.K[chosen]), len(true.names), diagonal)
