# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras and sparse points from photos with COLMAP, rough cameras refined, photos undistorted.

Runs in the engine. pycolmap itself is loaded only by the child process (`colmap_main`), so that
its long native calls can be stopped at any moment and a crash there does not end the engine.
"""

from ..contract.lens import Lens
from .refine_start import RefineStart
from .refinement import REFINE_STAGES, Refinement, refine_cameras
from .solution import SparseSolution
from .solver import STAGES, solve_cameras
from .undistortion import undistort_photo

__all__ = [
    "REFINE_STAGES",
    "STAGES",
    "Lens",
    "RefineStart",
    "Refinement",
    "SparseSolution",
    "refine_cameras",
    "solve_cameras",
    "undistort_photo",
]
