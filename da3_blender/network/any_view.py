# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The any-view network: images of one scene to depth, confidence, cameras, rays, Gaussians.

Runs in the engine. Attribute names follow the keys of the official checkpoints, without the
leading `model.`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from .backbone import Level, VisionTransformer
from .camera_parts import CameraDecoder, CameraEncoder
from .dual_dpt import DenseMaps, DualDPT
from .gaussian_head import GaussianHead, GaussianMaps
from .precision import float32_region
from .presets import PATCH_SIZE, AnyViewPreset
from .work import OnStep, count_gaussian_head, count_head, ignore_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dense_head import DenseHead


ProjectedLevels = list[tuple[Tensor, ...]]
"""The levels from shallow to deep, each in chunks of views (B, channels, h, w)."""


def keep_in_place(x: Tensor) -> Tensor:
    """Return the tensor itself: the default for parking and fetching."""
    return x


@dataclass(frozen=True)
class ForwardOptions:
    """What one call of the network computes.

    Attributes:
        reference_view: rule of `reference_view.STRATEGIES`.
        wants_rays: run the ray branch of the head.
        wants_gaussians: run the Gaussian head; only networks that have one can.
        export_layers: blocks whose normalised output is wanted.
        views_per_chunk: views that pass the head together; more is faster on a graphics card
            and needs more memory.
        park: moves what is not needed for a while (levels for the heads, finished maps)
            elsewhere, or returns it as it is.
        fetch: brings what was parked back to the device of the network.
    """

    reference_view: str = "saddle_balanced"
    wants_rays: bool = False
    wants_gaussians: bool = False
    export_layers: tuple[int, ...] = ()
    views_per_chunk: int = 1
    park: Callable[[Tensor], Tensor] = keep_in_place
    fetch: Callable[[Tensor], Tensor] = keep_in_place


class NetworkOutput(NamedTuple):
    """Result of one call.

    Attributes:
        depth: (B, N, H, W) float32.
        confidence: (B, N, H, W) float32, above 1.
        pose_encoding: (B, N, 9) float32, see `pose_encoding`.
        rays: (B, N, 8h, 8w, 6) float32, or None.
        ray_confidence: (B, N, 8h, 8w) float32, or None.
        features: layer -> (B, N, h, w, C) float32, views in the caller's order.
        reference: (B,) int64; None with known cameras or fewer than three views.
        raw_gaussians: (B, N, H, W, 37) float32 as the Gaussian head leaves them, or None.
        opacity: (B, N, H, W) float32 of the Gaussians, 0 to 1, or None.
    """

    depth: Tensor
    confidence: Tensor
    pose_encoding: Tensor
    rays: Tensor | None
    ray_confidence: Tensor | None
    features: dict[int, Tensor]
    reference: Tensor | None
    raw_gaussians: Tensor | None = None
    opacity: Tensor | None = None


class AnyViewNetwork(nn.Module):
    """Backbone, heads, camera encoder and camera decoder."""

    def __init__(self, preset: AnyViewPreset) -> None:
        super().__init__()
        self.preset = preset
        self.backbone = nn.ModuleDict({"pretrained": VisionTransformer(preset.backbone)})
        self.head = DualDPT(preset.token_width, preset.head)
        self.cam_enc = CameraEncoder(preset.backbone.width)
        self.cam_dec = CameraDecoder(preset.token_width)
        if preset.has_gaussian_head:
            self.gs_head = GaussianHead(preset.token_width, preset.head)

    def forward(
        self,
        images: Tensor,
        w2c: Tensor | None = None,
        K: Tensor | None = None,
        options: ForwardOptions | None = None,
        on_step: OnStep = ignore_step,
    ) -> NetworkOutput:
        """Run the network.

        Args:
            images: (B, N, 3, H, W) float32 normalised, H and W multiples of 14.
            w2c: (B, N, 4, 4) float32 known cameras, the first one at the origin, or None.
            K: (B, N, 3, 3) float32, pixels of these images; needed with `w2c`.
            options: what to compute; None for the defaults.
            on_step: told of the work done after each block and each chunk of the head.

        Returns:
            Depth, confidence, cameras and what `options` asked for.

        Raises:
            ValueError: a side is no multiple of 14, `w2c` comes without `K`, or Gaussians are
                wanted of a network without their head.
            EngineError: the name of the reference rule is unknown.
        """
        options = options or ForwardOptions()
        scenes, views = images.shape[:2]
        size = (images.shape[-2], images.shape[-1])
        self._check(size, options, has_w2c=w2c is not None, has_K=K is not None)
        camera_tokens = None if w2c is None else self.cam_enc(w2c, K, size)  # (B, N, C)
        projected: ProjectedLevels = []
        projected_gaussians: ProjectedLevels = []

        def project(level: Level) -> None:
            """Reduce a level to the channels of its stage at once, so that it can be freed."""
            projected.append(self._project(level, self.head, size, options))
            if options.wants_gaussians:
                projected_gaussians.append(self._project(level, self.gs_head, size, options))

        result = self.backbone["pretrained"](
            images,
            on_level=project,
            camera_tokens=camera_tokens,
            reference_view=options.reference_view,
            export_layers=options.export_layers,
            on_step=on_step,
        )
        encoding = self.cam_dec(result.camera_tokens)  # (B, N, 9)
        maps: list[Tensor | None] = [*self._run_head(projected, size, options, on_step)]
        if options.wants_gaussians:
            maps += self._run_gaussian_head(
                projected_gaussians, images.flatten(0, 1), options, on_step
            )
        dense = [None if x is None else x.unflatten(0, (scenes, views)) for x in maps]
        depth, confidence, *rays = dense[:4]
        return NetworkOutput(
            *(depth, confidence, encoding, *rays, result.features, result.reference), *dense[4:]
        )

    def _check(
        self, size: tuple[int, int], options: ForwardOptions, *, has_w2c: bool, has_K: bool
    ) -> None:
        if size[0] % PATCH_SIZE or size[1] % PATCH_SIZE:
            msg = f"image sides {size} are no multiples of {PATCH_SIZE}"
            raise ValueError(msg)
        if has_w2c != has_K:
            msg = "known cameras need both w2c and K"
            raise ValueError(msg)
        if options.wants_gaussians and not self.preset.has_gaussian_head:
            msg = f"{self.preset.name} has no Gaussian head"
            raise ValueError(msg)

    def _project(
        self, level: Level, head: DenseHead, size: tuple[int, int], options: ForwardOptions
    ) -> tuple[Tensor, ...]:
        """Return a level for one head, (B, channels, h, w) of each chunk of views."""
        grid = (size[0] // PATCH_SIZE, size[1] // PATCH_SIZE)
        compose = self.backbone["pretrained"].compose_features
        with float32_region(level.main):
            return tuple(
                options.park(head.project(compose(*pair), level.stage, grid))
                for pair in level.split(options.views_per_chunk)
            )

    def _run_head(
        self,
        projected: ProjectedLevels,
        size: tuple[int, int],
        options: ForwardOptions,
        on_step: OnStep,
    ) -> DenseMaps:
        """Run the head chunk by chunk and join the results, views merged into the batch."""
        work = count_head(self.preset.head, size, with_rays=options.wants_rays)
        chunks = []
        with float32_region(projected[0][0]):
            for parked in zip(*projected, strict=True):
                stages = tuple(options.fetch(x) for x in parked)
                maps = self.head(stages, size, wants_rays=options.wants_rays)
                chunks.append([None if x is None else options.park(x) for x in maps])
                on_step(work * parked[0].shape[0])
        columns = zip(*chunks, strict=True)
        return DenseMaps(*(None if c[0] is None else torch.cat(c) for c in columns))

    def _run_gaussian_head(
        self,
        projected: ProjectedLevels,
        images: Tensor,
        options: ForwardOptions,
        on_step: OnStep,
    ) -> GaussianMaps:
        """Run the Gaussian head chunk by chunk, views (B*N, 3, H, W) merged into the batch."""
        size = (images.shape[-2], images.shape[-1])
        work = count_gaussian_head(self.preset.head, size)
        chunks = []
        with float32_region(images):
            parts = (*projected, images.split(options.views_per_chunk))
            for *parked, pictures in zip(*parts, strict=True):
                stages = tuple(options.fetch(x) for x in parked)
                maps = self.gs_head(stages, pictures, size)
                chunks.append([options.park(x) for x in maps])
                on_step(work * pictures.shape[0])
        return GaussianMaps(*(torch.cat(maps) for maps in zip(*chunks, strict=True)))
