# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loss of Depth Anything 3.

Runs in the environment `training`. The terms are those of arXiv 2511.10647, section 3: L1 on
depth weighted by learned confidence, on the ray map, on points (ray origin + depth * direction),
on the camera, and on the gradients of depth; the last two with weights beta = alpha = 1. Each is
an L1 norm: the sum over the numbers of a ray, point or camera, then a mean over all of them. The
confidence of sky, which has no depth, is pushed to its floor: ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from da3_blender.network.any_view import NetworkOutput

    from .targets import Targets

_CONFIDENCE_WEIGHT = 1.0
"""Reward for the logarithm of the confidence: that of a Laplace distribution. With the 0.2 of
DUSt3R (arXiv 2312.14132) errors as large as ours leave all confidence at its floor."""
_CAMERA_WEIGHT = 1.0
_GRADIENT_WEIGHT = 1.0
_SKY_WEIGHT = 0.05


class Losses(NamedTuple):
    """Terms of the loss, each a scalar; `total` is their weighted sum."""

    total: Tensor
    depth: Tensor
    rays: Tensor
    points: Tensor
    camera: Tensor
    gradient: Tensor
    sky: Tensor


def compute_losses(output: NetworkOutput, targets: Targets) -> Losses:
    """Compare what the network said with the truth.

    Args:
        output: of a call with rays.
        targets: truth in the network's frame and scale.

    Returns:
        All terms.
    """
    valid = targets.is_valid
    depth_error = (output.depth - targets.depth).abs()
    depth = _weigh(depth_error, output.confidence, valid)
    ray_error = (output.rays - targets.rays).abs().sum(-1)  # (B, N, 8h, 8w)
    rays = _weigh(ray_error, output.ray_confidence, torch.ones_like(ray_error, dtype=torch.bool))
    points = _compare_points(output, targets)
    camera = (output.pose_encoding - targets.encoding).abs().sum(-1).mean()
    gradient = _compare_gradients(output.depth - targets.depth, valid)
    sky = _mean(output.confidence.log(), targets.is_sky)
    total = depth + rays + points + _CAMERA_WEIGHT * camera
    total = total + _GRADIENT_WEIGHT * gradient + _SKY_WEIGHT * sky
    return Losses(total, depth, rays, points, camera, gradient, sky)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)


def _weigh(error: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
    """Weigh errors by confidence, and reward confidence."""
    return _mean(confidence * error - _CONFIDENCE_WEIGHT * confidence.log(), mask)


def _compare_points(output: NetworkOutput, targets: Targets) -> Tensor:
    """Compare origin + depth * direction on the grid of the rays."""
    rows, columns = output.rays.shape[2:4]
    height, width = output.depth.shape[-2:]
    device = output.depth.device
    # the pixel in which each ray lies; truth and answer take the same one
    y = ((torch.arange(rows, device=device) + 0.5) * (height / rows)).long()[:, None]
    x = ((torch.arange(columns, device=device) + 0.5) * (width / columns)).long()
    said, true = output.rays, targets.rays
    said_points = said[..., 3:] + output.depth[..., y, x, None] * said[..., :3]
    true_points = true[..., 3:] + targets.depth[..., y, x, None] * true[..., :3]
    return _mean((said_points - true_points).abs().sum(-1), targets.is_valid[..., y, x])


def _compare_gradients(error: Tensor, valid: Tensor) -> Tensor:
    """Return the mean change of the error from pixel to pixel, across and down."""
    across = (error[..., 1:] - error[..., :-1]).abs()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs()
    return _mean(across, valid[..., 1:] & valid[..., :-1]) + _mean(
        down, valid[..., 1:, :] & valid[..., :-1, :]
    )
