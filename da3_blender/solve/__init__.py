# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras and sparse points from photos with COLMAP, and lenses with distortion.

Runs in the engine. pycolmap itself is loaded only by the child process (`colmap_main`), so that
its long native calls can be stopped at any moment and a crash there does not end the engine.
"""

from ..contract.lens import Lens
from .solution import SparseSolution
from .solver import STAGES, solve_cameras
from .undistortion import undistort_photo

__all__ = ["STAGES", "Lens", "SparseSolution", "solve_cameras", "undistort_photo"]
