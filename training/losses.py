# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loss of Depth Anything 3.

Runs in the environment `training`. The terms are those of arXiv 2511.10647, section 3: L1 on
depth weighted by learned confidence, on the ray map, on points (ray origin + depth * direction),
on the camera, and on the gradients of depth; the last two with weights beta = alpha = 1. Each is
an L1 norm: the sum over the numbers of a ray, point or camera, then a mean over all of them.
Ours: the confidence of sky, which has no depth, is pushed to its floor; the angles by which the
rotation and the direction from view to view are wrong, which the benchmark judges, count too; and
attention is taught what shows the same place (`matching`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from da3_blender.network.pose_encoding import quaternion_to_matrix

from .patch_head import compare_patches
from .targets import mean_where

if TYPE_CHECKING:
    from da3_blender.network.any_view import NetworkOutput

    from .matching import Verdict
    from .targets import Targets

_CONFIDENCE_WEIGHT = 1.0
"""Reward for the logarithm of the confidence: that of a Laplace distribution. With the 0.2 of
DUSt3R (arXiv 2312.14132) errors as large as ours leave all confidence at its floor."""
_CAMERA_WEIGHT = 1.0
_GRADIENT_WEIGHT = 1.0
_SKY_WEIGHT = 0.05
_PAIR_WEIGHT = 0.5
_MATCH_WEIGHT = 10.0
"""The other terms have gradients some twenty times as long and would drown it."""
_TURN_WEIGHT = 6.0
_NOTHING = (torch.zeros(()), torch.zeros(()))
_EPS = 1e-6
_STANDING = 0.05
"""Views nearer to each other than this, in units of the scene's scale, have little direction."""


class Losses(NamedTuple):
    """Terms of the loss, each a scalar; `total` is their weighted sum, without `hits`."""

    total: Tensor
    depth: Tensor
    rays: Tensor
    points: Tensor
    camera: Tensor
    gradient: Tensor
    sky: Tensor
    pairs: Tensor
    matches: Tensor
    hits: Tensor


def compute_losses(
    output: NetworkOutput, targets: Targets, verdict: Verdict | None = None
) -> Losses:
    """Compare what the network said with the truth.

    Args:
        output: of a call with rays.
        targets: truth in the network's frame and scale.
        verdict: what `matching.AttentionTeacher` says about attention; None counts as 0.

    Returns:
        All terms.
    """
    valid = targets.is_valid
    depth_error = (output.depth - targets.depth).abs()
    depth = _weigh(depth_error, output.confidence, valid)
    ray_error = (output.rays - targets.rays).abs().sum(-1)  # (B, N, 8h, 8w)
    rays = _weigh(ray_error, output.ray_confidence, torch.ones_like(ray_error, dtype=torch.bool))
    points = _compare_points(output, targets)
    camera, pairs = _compare_cameras(output.pose_encoding, targets)
    gradient = _compare_gradients(output.depth - targets.depth, valid)
    sky = mean_where(output.confidence.log(), targets.is_sky)
    total = depth + rays + points + _CAMERA_WEIGHT * camera + _PAIR_WEIGHT * pairs
    total = total + _GRADIENT_WEIGHT * gradient + _SKY_WEIGHT * sky
    losses = Losses(total, depth, rays, points, camera, gradient, sky, pairs, *_NOTHING)
    return _add_attention(losses, verdict)


def compute_patch_losses(
    said: tuple[Tensor, Tensor], encoding: Tensor, targets: Targets, verdict: Verdict
) -> Losses:
    """Return the losses of a step without the dense head.

    Args:
        said: of `patch_head.PatchHead`.
        encoding: (B, N, 9) of the camera decoder.
        targets: truth in the network's frame and scale.
        verdict: of `matching.AttentionTeacher`.
    """
    depth, rays, points = compare_patches(said, targets)
    camera, pairs = _compare_cameras(encoding, targets)
    total = depth + rays + points + _CAMERA_WEIGHT * camera + _PAIR_WEIGHT * pairs
    zero, _ = _NOTHING
    losses = Losses(total, depth, rays, points, camera, zero, zero, pairs, *_NOTHING)
    return _add_attention(losses, verdict)


def compute_attention_losses(verdict: Verdict) -> Losses:
    """Return the losses of a step that teaches attention only."""
    zero, _ = _NOTHING
    return Losses(verdict.loss, zero, zero, zero, zero, zero, zero, zero, *verdict)


def _add_attention(losses: Losses, verdict: Verdict | None) -> Losses:
    if verdict is None:
        return losses
    total = losses.total + _MATCH_WEIGHT * verdict.loss
    return losses._replace(total=total, matches=verdict.loss, hits=verdict.hits)


def _compare_cameras(said: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """Return L1 of the encoding, and what `_compare_pairs` says."""
    camera = (said - targets.encoding).abs().sum(-1).mean()
    return camera, _compare_pairs(said, targets.encoding)


def _compare_pairs(said: Tensor, true: Tensor) -> Tensor:
    """Return the mean error of rotation, direction and log length from view to view."""
    views = said.shape[1]
    if views == 1:
        return said.new_zeros(())
    (said_turn, said_way), (true_turn, true_way) = (_relate(x) for x in (said, true))
    turn = _root((said_turn - true_turn).square().sum((-1, -2)) / 2)  # (B, N, N)
    length = true_way.norm(dim=-1)
    ways = [x / (x.square().sum(-1, keepdim=True) + _EPS).sqrt() for x in (said_way, true_way)]
    way = _root((ways[0] - ways[1]).square().sum(-1)) * (length / _STANDING).clamp_max(1)
    # L1 on positions pulls what is unsure to 0; then no direction can be measured
    said_length = (said_way.square().sum(-1) + _EPS).sqrt()
    way = way + (said_length.clamp_min(_STANDING) / length.clamp_min(_STANDING)).log().abs()
    way = way + ((_STANDING - said_length) / _STANDING).relu() * (length > _STANDING)
    others = ~torch.eye(views, dtype=torch.bool, device=said.device)
    return (_TURN_WEIGHT * turn + way)[:, others].mean()


def _root(square: Tensor) -> Tensor:
    """Return the square root, 0 for 0, with a bounded gradient there."""
    return (square + _EPS).sqrt() - _EPS**0.5


def _relate(encoding: Tensor) -> tuple[Tensor, Tensor]:
    """Return rotations (B, N, N, 3, 3) and vectors (B, N, N, 3) to each view in each frame."""
    turn = quaternion_to_matrix(encoding[..., 3:7])  # (B, N, 3, 3) camera to world
    place = encoding[..., :3]
    to_local = turn.transpose(-1, -2)[:, :, None]  # (B, N, 1, 3, 3)
    way = (to_local @ (place[:, None] - place[:, :, None])[..., None])[..., 0]
    return to_local @ turn[:, None], way


def _weigh(error: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
    """Weigh errors by confidence, and reward confidence."""
    return mean_where(confidence * error - _CONFIDENCE_WEIGHT * confidence.log(), mask)


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
    return mean_where((said_points - true_points).abs().sum(-1), targets.is_valid[..., y, x])


def _compare_gradients(error: Tensor, valid: Tensor) -> Tensor:
    """Return the mean change of the error from pixel to pixel, across and down."""
    across = (error[..., 1:] - error[..., :-1]).abs()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs()
    return mean_where(across, valid[..., 1:] & valid[..., :-1]) + mean_where(
        down, valid[..., 1:, :] & valid[..., :-1, :]
    )
