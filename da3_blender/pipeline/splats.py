# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussians of a prediction in the world of a result's cameras.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid
from ..contract.similarity import Sim3, identity_sim3
from ..splats.axes import move_cloud
from ..splats.cloud import GaussianCloud, find_sound, join_clouds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..inference.prediction import Prediction

_LEAST_OPACITY: Final = 1 / 255  # never reaches the least step of a picture


def gather_splats(
    prediction: Prediction,
    w2c: NDArray[np.float64],
    depth: NDArray[np.float32],
    most: int,
    progress: Progress,
) -> GaussianCloud | None:
    """Bring the network's Gaussians to the cameras and the depth of a result.

    Each Gaussian lies on the ray of a pixel. It goes with its camera, and its distance and size
    change by as much as the depth of the pixel did: known cameras, metres, depth that was fitted
    to points. What could never be seen is left out: no size, no opacity, sky.

    Args:
        prediction: with Gaussians.
        w2c: (N, 4, 4) cameras of the result, OpenCV world-to-camera.
        depth: (N, H, W) depth of the result, its units.
        most: no more Gaussians than these; every n-th view is taken where all are too many.
        progress: is told if views are left out.

    Returns:
        The cloud with view, confidence, border and far share; None if nothing is left.
    """
    views, height, width = depth.shape
    count = max(1, min(views, most // (height * width)))
    chosen = np.unique(np.linspace(0, views - 1, count).round().astype(int))
    if len(chosen) < views:
        progress.note(
            f"The splats come from {len(chosen)} of {views} photos, so that they are no more than "
            f"{most:,}; raise Max Splats for more."
        )
    border = measure_border(height, width).reshape(-1)
    clouds = []
    for view in chosen.tolist():
        cloud = _place_view(prediction, view, w2c[view], depth[view], border)
        if cloud.count:
            clouds.append(cloud)
    return join_clouds(clouds) if clouds else None


def _place_view(
    prediction: Prediction,
    view: int,
    w2c: NDArray[np.float64],
    depth: NDArray[np.float32],
    border: NDArray[np.float32],
) -> GaussianCloud:
    gaussians, old_depth = prediction.gaussians, prediction.depth[view].reshape(-1)
    size = depth.size
    part = slice(view * size, (view + 1) * size)
    new_depth = depth.reshape(-1)
    is_kept = (old_depth > 0) & (new_depth > 0) & np.isfinite(new_depth)
    is_kept &= gaussians.opacities[part] >= _LEAST_OPACITY
    is_kept &= (gaussians.scales[part] > 0).all(axis=1)
    if prediction.sky is not None:
        is_kept &= ~prediction.sky[view].reshape(-1)
    place = np.flatnonzero(is_kept)
    rows = part.start + place
    confidence = prediction.confidence
    cloud = GaussianCloud(
        gaussians.means[rows],
        gaussians.scales[rows],
        gaussians.rotations[rows],
        gaussians.opacities[rows],
        gaussians.harmonics[rows],
        views=np.full(len(place), view, np.int32),
        confidence=None if confidence is None else confidence[view].reshape(-1)[place],
        border=border[place],
        far=rank_shares(new_depth[place]),
    )
    camera_from_world = Sim3(1.0, prediction.w2c[view][:3, :3], prediction.w2c[view][:3, 3])
    world = prediction.world_from_gaussians or identity_sim3()
    local = move_cloud(move_cloud(cloud, world), camera_from_world)
    ratio = (new_depth[place] / old_depth[place]).astype(np.float32)[:, None]
    c2w = invert_rigid(w2c[None])[0]
    local = replace(local, positions=local.positions * ratio, scales=local.scales * ratio)
    moved = move_cloud(local, Sim3(1.0, c2w[:3, :3], c2w[:3, 3]))
    return moved.take(find_sound(moved)) if moved.count else moved


def measure_border(height: int, width: int) -> NDArray[np.float32]:
    """Return (H, W): distance of each pixel's middle from the nearest edge, share of that side."""
    down = (np.arange(height, dtype=np.float32) + 0.5) / height
    across = (np.arange(width, dtype=np.float32) + 0.5) / width
    return np.minimum(np.minimum(down, 1 - down)[:, None], np.minimum(across, 1 - across))


def rank_shares(depth: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (P,): which share of the depths is nearer, 0 to less than 1."""
    ranks = np.empty(len(depth), np.float32)
    ranks[np.argsort(depth, kind="stable")] = np.arange(len(depth), dtype=np.float32)
    return ranks / np.float32(max(len(depth), 1))
