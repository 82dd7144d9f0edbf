# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few numbers on held-out worlds, for the log; no replacement for the evaluation.

Runs in the environment `training`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from da3_blender.evaluation.relative_pose import measure_auc, measure_pairs
from da3_blender.network.any_view import AnyViewNetwork, ForwardOptions
from da3_blender.network.pose_encoding import encoding_to_cameras, quaternion_to_matrix

from .batches import FIRST_TRAINING_SEED
from .network_input import normalise_images
from .targets import make_known_cameras, make_targets
from .worlds.views import make_views

if TYPE_CHECKING:
    from .curriculum import Size

_FIRST_SEED = FIRST_TRAINING_SEED // 2
"""Far from the seeds that the evaluation uses, so that nothing is tuned on those."""

_AUC_DEGREES = 30


class HeldOut:
    """Some scenes that are never trained on.

    Args:
        scenes: number of scenes.
        views: pictures of each.
        size: height and width.
    """

    def __init__(self, scenes: int, views: int, size: Size) -> None:
        made = [make_views(_FIRST_SEED + i, views, size) for i in range(scenes)]
        self.images = torch.stack([views.images for views in made])
        self.w2c = torch.stack([views.w2c for views in made])
        self.K = torch.stack([views.K for views in made])
        depth = torch.stack([views.depth for views in made])
        self.targets = make_targets(depth, self.w2c, self.K)
        self.size = size

    @torch.no_grad()
    def measure(self, network: AnyViewNetwork, device: torch.device) -> dict[str, float]:
        """Run the network on all scenes, without and with known cameras.

        Args:
            network: in any mode; comes back in the same.
            device: where it is.

        Returns:
            Median relative error of depth after a common scale for each scene, median error of
            rotation and of direction to the first camera in degrees, error of the field of view
            in degrees, AUC@30 of `evaluation` in percent; `known_depth` is the first with known
            cameras.
        """
        was_training = network.training
        network.eval()
        options = ForwardOptions(reference_view="first", views_per_chunk=4)
        known = make_known_cameras(self.w2c)
        depth, depth_known, encoding = [], [], []
        for i in range(len(self.images)):
            images = normalise_images(self.images[i : i + 1].to(device))
            output = network(images, options=options)
            depth.append(output.depth.cpu())
            encoding.append(output.pose_encoding.cpu())
            w2c, K = known[i : i + 1].to(device), self.K[i : i + 1].to(device)
            depth_known.append(network(images, w2c, K, options).depth.cpu())
        network.train(was_training)
        return {
            "depth": self._compare_depth(torch.cat(depth)),
            "known_depth": self._compare_depth(torch.cat(depth_known)),
            **self._compare_cameras(torch.cat(encoding)),
        }

    def measure_constant(self) -> dict[str, float]:
        """Return the same numbers for the best constant: one depth, cameras of mean motion."""
        encoding = self.targets.encoding
        mean = encoding.mean(0, keepdim=True).expand_as(encoding)
        return {
            "depth": self._compare_depth(torch.ones_like(self.targets.depth)),
            **self._compare_cameras(mean),
        }

    def _compare_depth(self, depth: Tensor) -> float:
        errors = []
        for said, true, valid in zip(depth, self.targets.depth, self.targets.is_valid, strict=True):
            said, true = said[valid], true[valid]  # noqa: PLW2901
            scale = (true / said).median()
            errors.append(float(((scale * said - true).abs() / true).mean()))
        return float(torch.tensor(errors).mean())

    def _compare_cameras(self, encoding: Tensor) -> dict[str, float]:
        said, true = encoding[:, 1:], self.targets.encoding[:, 1:]
        turn = quaternion_to_matrix(said[..., 3:7]).transpose(-1, -2) @ quaternion_to_matrix(
            true[..., 3:7]
        )
        trace = turn.diagonal(dim1=-2, dim2=-1).sum(-1)
        rotation = ((trace - 1) / 2).clamp(-1, 1).acos().rad2deg()
        cosine = functional.cosine_similarity(said[..., :3], true[..., :3], dim=-1)
        direction = cosine.clamp(-1, 1).acos().rad2deg()
        lens = (said[..., 7:] - true[..., 7:]).abs().rad2deg()
        cameras, _ = encoding_to_cameras(encoding, self.size)
        aucs = [
            measure_auc(measure_pairs(ours.numpy(), theirs.numpy()).worst, _AUC_DEGREES)
            for ours, theirs in zip(cameras, self.targets.w2c, strict=True)
        ]
        return {
            "auc30": 100 * sum(aucs) / len(aucs),
            "rotation_degrees": float(rotation.median()),
            "direction_degrees": float(direction.median()),
            "lens_degrees": float(lens.mean()),
        }
