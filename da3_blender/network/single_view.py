# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metric and mono networks: each image by itself to depth and sky.

Runs in the engine. Attribute names follow the keys of the official checkpoints, without the
leading `model.`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .backbone import Level, VisionTransformer
from .dpt import DPT, SkyMaps
from .precision import float32_region
from .presets import PATCH_SIZE, SingleViewPreset
from .work import OnStep, count_sky_head, ignore_step


class SingleViewOutput(NamedTuple):
    """Result of one call.

    Attributes:
        depth: (B, N, H, W) float32, positive; of the metric network metres at 300 pixels of
            focal length.
        sky: (B, N, H, W) float32, 0 or more; the larger, the more it is sky.
        features: layer -> (B, N, h, w, C) float32.
    """

    depth: Tensor
    sky: Tensor
    features: dict[int, Tensor]


class SingleViewNetwork(nn.Module):
    """Backbone without exchange between views, and a head for depth and sky."""

    def __init__(self, preset: SingleViewPreset) -> None:
        super().__init__()
        self.preset = preset
        self.backbone = nn.ModuleDict({"pretrained": VisionTransformer(preset.backbone)})
        self.head = DPT(preset.token_width, preset.head)

    def forward(
        self,
        images: Tensor,
        export_layers: tuple[int, ...] = (),
        views_per_chunk: int = 1,
        on_step: OnStep = ignore_step,
    ) -> SingleViewOutput:
        """Run the network, some views at a time: memory does not grow with their number.

        Args:
            images: (B, N, 3, H, W) float32 normalised, H and W multiples of 14.
            export_layers: blocks whose normalised output is wanted.
            views_per_chunk: views that pass the network together.
            on_step: told of the work done after each block and each chunk of the head.

        Returns:
            Depth, sky and what was asked for.

        Raises:
            ValueError: a side is no multiple of 14.
        """
        size = (images.shape[-2], images.shape[-1])
        if size[0] % PATCH_SIZE or size[1] % PATCH_SIZE:
            msg = f"image sides {size} are no multiples of {PATCH_SIZE}"
            raise ValueError(msg)
        chunks = [
            self._run_chunk(views, export_layers, on_step)
            for views in images.flatten(0, 1).split(views_per_chunk)
        ]
        leading = images.shape[:2]
        maps = [chunk[0] for chunk in chunks]
        features = {
            layer: torch.cat([chunk[1][layer] for chunk in chunks]).unflatten(0, leading)
            for layer in export_layers
        }
        return SingleViewOutput(
            torch.cat([m.depth for m in maps]).unflatten(0, leading),
            torch.cat([m.sky for m in maps]).unflatten(0, leading),
            features,
        )

    def _run_chunk(
        self, images: Tensor, export_layers: tuple[int, ...], on_step: OnStep
    ) -> tuple[SkyMaps, dict[int, Tensor]]:
        """Return maps and features of views (B, 3, H, W), views merged into the batch."""
        size = (images.shape[-2], images.shape[-1])
        backbone = self.backbone["pretrained"]
        projected: list[Tensor] = []

        def project(level: Level) -> None:
            grid = (size[0] // PATCH_SIZE, size[1] // PATCH_SIZE)
            with float32_region(level.main):
                tokens = backbone.compose_features(None, level.main[0])  # (B, P, C)
                projected.append(self.head.project(tokens, level.stage, grid))

        result = backbone(images[None], project, export_layers=export_layers, on_step=on_step)
        with float32_region(projected[0]):
            maps = self.head(tuple(projected), size)
        on_step(count_sky_head(self.preset.head, size) * images.shape[0])
        return maps, {layer: feature[0] for layer, feature in result.features.items()}
