# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the depth maps of a result with the true ones of a scene in the evaluation's layout.

Runs in the engine's Python: `PYTHONPATH=. .env/engine/bin/python -P tools/compare_depth.py RESULT
SCENE`; the demo calls it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from da3_blender.contract.result_folder import load_result
from da3_blender.evaluation.constant_guess import score_depth_guess
from da3_blender.evaluation.estimate import Cost, Estimate
from da3_blender.evaluation.measure_maps import measure_depth_maps
from da3_blender.evaluation.scene_folder import read_scene
from da3_blender.evaluation.trajectory import fit_trajectory


class DepthComparison(NamedTuple):
    """Mean relative errors of depth, and what the best constant would have.

    Attributes:
        each: after a factor for each photo.
        together: after one factor for all photos.
        in_cameras: after the factor that brings the result's cameras to the true ones.
        constant: of the median of the true depth, one factor for all photos.
        delta: share of pixels within 25 percent, one factor for all photos.
    """

    each: float
    together: float
    in_cameras: float
    constant: float
    delta: float

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"depth AbsRel {self.together:.3f} with one scale for all photos (the best constant "
            f"{self.constant:.3f}), {self.each:.3f} with one for each, {self.in_cameras:.3f} in "
            f"the scale of its cameras; {self.delta:.0%} of the pixels within 25 %"
        )


def compare_depth(result_folder: Path, scene_folder: Path) -> DepthComparison:
    """Measure a result with depth.

    Args:
        result_folder: of a run on photos of the scene.
        scene_folder: with the truth, see docs/evaluation.md.

    Raises:
        EngineError: one of them cannot be read.
        KeyError: the result has a photo that is none of the scene's.
    """
    scene, result = read_scene(scene_folder), load_result(result_folder)
    place = {name: index for index, name in enumerate(scene.frame_names)}
    frames = np.array([place[view["name"]] for view in result.views], np.intp)
    w2c = np.asarray(result.load("w2c"), np.float64)
    similarity = fit_trajectory(w2c, scene.w2c[frames]).true_from_found
    depth = np.asarray(result.load("depth"), np.float32) * np.float32(similarity.scale)
    estimate = Estimate(
        frames=frames,
        w2c=w2c,
        K=np.asarray(result.load("K"), np.float64),
        depth=depth,
        grid_from_photo=np.asarray(result.load("grid_from_photo"), np.float64),
        cost=Cost(0.0, ""),
    )
    found, guess = measure_depth_maps(scene, estimate), score_depth_guess(scene)
    return DepthComparison(
        each=found["median"]["image"]["abs_rel"],
        together=found["median"]["sequence"]["abs_rel"],
        in_cameras=found["none"]["sequence"]["abs_rel"],
        constant=guess["median"]["sequence"]["abs_rel"],
        delta=found["median"]["sequence"]["delta_1"],
    )


def main() -> None:
    """Read the command line and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("scene", type=Path)
    options = parser.parse_args()
    sys.stdout.write(f"{compare_depth(options.result, options.scene)}\n")


if __name__ == "__main__":
    main()
