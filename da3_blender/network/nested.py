# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nested network: an any-view network and a metric one in one checkpoint.

Runs in the engine. Attribute names follow the keys of the official checkpoints, without the
leading `model.`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from .any_view import AnyViewNetwork, ForwardOptions, NetworkOutput
from .single_view import SingleViewNetwork, SingleViewOutput
from .work import OnStep, ignore_step

if TYPE_CHECKING:
    from .presets import NestedPreset


class NestedOutput(NamedTuple):
    """What the two branches say; nothing is scaled yet."""

    any_view: NetworkOutput
    metric: SingleViewOutput


class NestedNetwork(nn.Module):
    """Runs both branches on the same images."""

    def __init__(self, preset: NestedPreset) -> None:
        super().__init__()
        self.preset = preset
        self.da3 = AnyViewNetwork(preset.any_view)
        self.da3_metric = SingleViewNetwork(preset.metric)

    def forward(
        self,
        images: Tensor,
        w2c: Tensor | None = None,
        K: Tensor | None = None,
        options: ForwardOptions | None = None,
        on_step: OnStep = ignore_step,
    ) -> NestedOutput:
        """Run the any-view branch on all views, then the metric branch on some at a time.

        Args:
            images: (B, N, 3, H, W) float32 normalised, H and W multiples of 14.
            w2c: (B, N, 4, 4) float32 known cameras, the first one at the origin, or None.
            K: (B, N, 3, 3) float32, pixels of these images; needed with `w2c`.
            options: what to compute; features and Gaussians come from the any-view branch.
            on_step: told of the work done.

        Returns:
            Both results.

        Raises:
            ValueError: a side is no multiple of 14, or `w2c` comes without `K`.
            EngineError: the name of the reference rule is unknown.
        """
        options = options or ForwardOptions()
        any_view = self.da3(images, w2c, K, options, on_step)
        metric = self.da3_metric(images, views_per_chunk=options.views_per_chunk, on_step=on_step)
        return NestedOutput(any_view, metric)
