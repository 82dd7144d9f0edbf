# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network should answer for views whose truth is known.

Runs in the environment `training`. Conventions of the release: the first view's camera is the
world's frame, and one scale for all of a scene, the mean distance of its visible points from
there (Depth Anything 3, arXiv 2511.10647, section on training).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from da3_blender.inference.given_cameras import normalise_cameras
from da3_blender.network.pose_encoding import cameras_to_encoding, invert_rigid

from .worlds.views import make_ray_maps

_LEAST_SCALE = 1e-3
_FARTHEST = 15.0
"""In units of the scale; what is farther away teaches little and weighs much."""


class Targets(NamedTuple):
    """Truth in the network's frame and scale.

    Attributes:
        depth: (B, N, H, W) float32.
        is_valid: (B, N, H, W) bool, where depth is known.
        is_sky: (B, N, H, W) bool.
        rays: (B, N, 8h, 8w, 6) float32, direction and origin.
        encoding: (B, N, 9) float32, cameras, see `network.pose_encoding`.
        w2c: (B, N, 4, 4) float32, cameras in the same frame and scale.
        scale: (B,) float32, world units per network unit.
    """

    depth: Tensor
    is_valid: Tensor
    is_sky: Tensor
    rays: Tensor
    encoding: Tensor
    w2c: Tensor
    scale: Tensor


def make_targets(depth: Tensor, w2c: Tensor, K: Tensor) -> Targets:
    """Bring truth into the network's frame and scale.

    Args:
        depth: (B, N, H, W) float32, world units along the optical axis; 0 for sky.
        w2c: (B, N, 4, 4) float32, OpenCV world-to-camera, any world.
        K: (B, N, 3, 3) float32, pixels.

    Returns:
        The targets, on the device of `depth`.
    """
    size = (depth.shape[-2], depth.shape[-1])
    relative = (w2c.double() @ invert_rigid(w2c[:, :1].double())).float()
    is_valid = depth > 0
    distance = lift(depth, relative, K).norm(dim=-1) * is_valid  # (B, N, H, W)
    count = is_valid.flatten(1).sum(1).clamp_min(1)
    scale = (distance.flatten(1).sum(1) / count).clamp_min(_LEAST_SCALE)  # (B,)
    relative[..., :3, 3] /= scale[:, None, None]
    scaled = depth / scale[:, None, None, None]
    return Targets(
        depth=scaled,
        is_valid=is_valid & (scaled < _FARTHEST),
        is_sky=~is_valid,
        rays=make_ray_maps(relative, K, size),
        encoding=cameras_to_encoding(relative, K, size),
        w2c=relative,
        scale=scale,
    )


def make_known_cameras(w2c: Tensor) -> Tensor:
    """Bring cameras (B, N, 4, 4) into the form in which inference hands known ones over."""
    scenes = [normalise_cameras(scene) for scene in w2c.double().cpu().numpy()]
    return torch.from_numpy(np.stack(scenes)).to(w2c)


def lift(depth: Tensor, w2c: Tensor, K: Tensor) -> Tensor:
    """Return (B, N, H, W, 3), the points of the pixel centres in the frame of `w2c`."""
    height, width = depth.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=K.device) + 0.5,
        torch.arange(width, device=K.device) + 0.5,
        indexing="ij",
    )
    x = (x - K[..., 0, 2, None, None]) / K[..., 0, 0, None, None]
    y = (y - K[..., 1, 2, None, None]) / K[..., 1, 1, None, None]
    local = torch.stack((x, y, torch.ones_like(x)), -1) * depth[..., None]
    shifted = local.flatten(-3, -2) - w2c[..., None, :3, 3]
    return (shifted @ w2c[..., :3, :3]).unflatten(-2, (height, width))


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values where a mask of the same shape is set; 0 if it is nowhere."""
    return (values * mask).sum() / mask.sum().clamp_min(1)
