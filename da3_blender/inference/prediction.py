# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prediction is asked for, and what it consists of.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..network.reference_view import STRATEGIES
from .ray_pose import FACTORISATIONS

if TYPE_CHECKING:
    from ..contract.similarity import Sim3
    from .gaussians import Gaussians

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class PredictOptions:
    """What to compute and how.

    Attributes:
        process_resolution: pixels of the side that `resize_method` names.
        resize_method: one of `preprocess.RESIZE_METHODS`.
        reference_view: one of `network.reference_view.STRATEGIES`.
        use_ray_pose: take cameras from the ray maps instead of the camera decoder.
        ray_factorisation: one of `ray_pose.FACTORISATIONS`.
        w2c: (N, 4, 4) or (N, 3, 4), known OpenCV world-to-camera of the views, or None.
        K_original: (N, 3, 3), pixels of the original pictures; needed with `w2c`. The metric
            model takes it alone and gives metres then.
        align_to_input_scale: with known cameras, return them as they are and scale the depth to
            them; otherwise move them to the predicted cameras and leave the depth.
        export_layers: blocks whose features are wanted.
        wants_rays: return the ray maps.
        wants_gaussians: return Gaussians; giant and nested have them.
        matches_release: repeat what the release does where we do better, to compare numbers:
            sky mask from 0.5 on, one far sky for all views, mean instead of median scale, scale
            of the Gaussians bent towards known cameras. See docs/differences.md.
        seed: of the random draws of the pose from rays.
    """

    process_resolution: int = 504
    resize_method: str = "upper_bound_resize"
    reference_view: str = STRATEGIES[0]
    use_ray_pose: bool = False
    ray_factorisation: str = FACTORISATIONS[0]
    w2c: Array | None = None
    K_original: Array | None = None
    align_to_input_scale: bool = True
    export_layers: tuple[int, ...] = ()
    wants_rays: bool = False
    wants_gaussians: bool = False
    matches_release: bool = False
    seed: int = 0


class RayMaps(NamedTuple):
    """Rays as predicted, in the network's world, 8/14 of the image size.

    Attributes:
        rays: (N, 8h, 8w, 6) float32, direction (not normalised) and origin.
        confidence: (N, 8h, 8w) float32.
    """

    rays: Array
    confidence: Array


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth of one set of views, and cameras where the model finds them.

    Attributes:
        depth: (N, H, W) float32, along the optical axis, scene units; sky is put far away.
        confidence: (N, H, W) float32, 1 or more, larger is better; None from models that look
            at single views.
        w2c: (N, 4, 4) float64, OpenCV world-to-camera; None from models of single views, where
            each depth map has a world (and, from the mono model, a unit) of its own.
        K: (N, 3, 3) float64, pixels of the H x W grid; from models of single views the given
            one, or None.
        images: (N, H, W, 3) uint8 sRGB, what the network saw.
        grid_from_original: (N, 3, 3) float64, original pixels to pixels of the grid.
        cropped_share: (N,) float64, share of each original picture outside the grid.
        features: layer -> (N, h, w, C) float32.
        rays: ray maps if they were wanted; never moved to given cameras.
        reference_index: reference view; None with known cameras or fewer than three views.
        sky: (N, H, W) bool; None from models that do not see sky.
        is_metric: depth and cameras are in metres.
        metres_per_unit: metres per unit of this result: 1 if it is metric, another number if a
            model that knows metres was fitted to given cameras, None if nobody knows.
        scale_factor: what the network's own depth was multiplied with to get metres, or None.
        gaussians: Gaussians in the network's own world, or None.
        world_from_gaussians: takes them to the world of `w2c`; see `gaussians.move_gaussians`.
    """

    depth: Array
    confidence: Array | None
    w2c: Array | None
    K: Array | None
    images: Array
    grid_from_original: Array
    cropped_share: Array
    features: dict[int, Array] = field(default_factory=dict)
    rays: RayMaps | None = None
    reference_index: int | None = None
    sky: Array | None = None
    is_metric: bool = False
    metres_per_unit: float | None = None
    scale_factor: float | None = None
    gaussians: Gaussians | None = None
    world_from_gaussians: Sim3 | None = None
