# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vision transformer that looks at one view and, in most networks, at all views in turn.

Runs in the engine. Attribute names follow the keys of the official checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .block import Block, BlockShape
from .position import resample_position_embedding
from .precision import float32_region
from .presets import HEAD_CHANNELS, PATCH_SIZE, BackbonePreset
from .reference_view import order_from_reference, reorder_views, select_reference_view
from .rotary import build_global_rotation, build_local_rotation
from .work import OnStep, count_block, ignore_step

_BLOCK_NORM_EPS = 1e-6
_FINAL_NORM_EPS = 1e-5
_FEWEST_VIEWS_FOR_REFERENCE = 3


class Level(NamedTuple):
    """What the backbone hands over after one of its out layers.

    Attributes:
        stage: 0 for the shallowest out layer.
        local: (B, N, 1 + P, C) float32, output of the last block that looked at one view; None
            where no block looks at more.
        main: (B, N, 1 + P, C) float32, output of the layer.
        restore: (B, N) int64, where the caller's views stand; None if they are in order.
    """

    stage: int
    local: Tensor | None
    main: Tensor
    restore: Tensor | None = None

    def put_in_order(self) -> Level:
        """Return a copy with the views in the caller's order."""
        if self.restore is None:
            return self
        local = None if self.local is None else reorder_views(self.local, self.restore)
        return Level(self.stage, local, reorder_views(self.main, self.restore))

    def split(self, views: int) -> Iterator[tuple[Tensor | None, Tensor]]:
        """Yield some views at a time, in the caller's order, scenes one after the other.

        Args:
            views: most views (V, 1 + P, C) of a piece.

        Yields:
            Local and main stream; copies where the order differs, never of all views at once.
        """
        streams = [x if x is None else x.flatten(0, 1) for x in (self.local, self.main)]
        scenes, count = self.main.shape[:2]
        place = torch.arange(scenes * count, device=self.main.device)
        if self.restore is not None:
            place = (self.restore + count * place[:scenes, None]).flatten()
        for first, chosen in enumerate(place.split(views)):
            if self.restore is None:
                chosen = slice(first * views, (first + 1) * views)  # noqa: PLW2901 - a view of it
            local, main = (x if x is None else x[chosen] for x in streams)
            yield local, main


OnLevel = Callable[[Level], None]


class BackboneOutput(NamedTuple):
    """What is left when all blocks have run.

    Attributes:
        camera_tokens: (B, N, 2C) float32 of the last level, before any norm; C channels where
            no block looks at more than one view.
        features: layer number -> (B, N, h, w, C) float32, normalised, caller's view order.
        reference: (B,) int64, reference view; None if none was chosen.
    """

    camera_tokens: Tensor
    features: dict[int, Tensor]
    reference: Tensor | None


class PatchEmbedding(nn.Module):
    """Cuts an image into patches and maps each to a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH_SIZE, stride=PATCH_SIZE)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, P, C), row-major, in the dtype of the weights."""
        return self.proj(images.to(self.proj.weight.dtype)).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """The backbone below the key `backbone.pretrained`."""

    def __init__(self, preset: BackbonePreset) -> None:
        super().__init__()
        self.preset = preset
        width = preset.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        if preset.is_multi_view:
            self.camera_token = nn.Parameter(torch.zeros(1, 2, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + preset.position_grid**2, width))
        self.patch_embed = PatchEmbedding(width)
        self.blocks = nn.ModuleList(
            Block(
                BlockShape(
                    width=width,
                    heads=preset.heads,
                    ffn_hidden=preset.ffn_hidden,
                    norm_eps=_BLOCK_NORM_EPS,
                    has_gated_ffn=preset.has_gated_ffn,
                    has_query_key_norm=preset.has_camera_stage(index),
                )
            )
            for index in range(preset.depth)
        )
        self.norm = nn.LayerNorm(width, eps=_FINAL_NORM_EPS)

    def forward(
        self,
        images: Tensor,
        on_level: OnLevel,
        camera_tokens: Tensor | None = None,
        reference_view: str = "saddle_balanced",
        export_layers: tuple[int, ...] = (),
        on_step: OnStep = ignore_step,
    ) -> BackboneOutput:
        """Run all blocks.

        Args:
            images: (B, N, 3, H, W) normalised, H and W multiples of 14.
            on_level: called four times, from shallow to deep; nothing of a level is kept here.
            camera_tokens: (B, N, C) float32 of known cameras, or None.
            reference_view: how the reference is chosen; only used for three views or more
                without known cameras.
            export_layers: blocks whose output is wanted as features.
            on_step: told of the work done after each block.

        Returns:
            Camera tokens, features and the reference.

        Raises:
            EngineError: the name of the reference rule is unknown.
        """
        preset = self.preset
        x = self.embed(images)  # (B, N, 1+P, C)
        views, tokens = x.shape[1:3]
        rows, columns = images.shape[-2] // PATCH_SIZE, images.shape[-1] // PATCH_SIZE
        local_rotation = build_local_rotation(rows, columns, HEAD_CHANNELS, x.device)
        global_rotation = build_global_rotation(tokens, HEAD_CHANNELS, x.device)
        local, reference, restore, last_tokens = None, None, None, None
        features = {}
        for index, block in enumerate(self.blocks):
            if index + 1 == preset.multi_view_start and camera_tokens is None:
                x, reference, restore = self._put_reference_first(x, reference_view)
            if index == preset.multi_view_start:
                x = self._set_camera_tokens(x, camera_tokens)
            rotation = local_rotation if preset.has_camera_stage(index) else None
            if preset.is_global(index):
                x = block(x.flatten(1, 2), global_rotation).unflatten(1, (views, tokens))
            else:
                local = None  # the last one has been used, and is as large as all tokens
                x = block(x.flatten(0, 1), rotation).unflatten(0, (-1, views))
                local = x if preset.is_multi_view else None
            if index in export_layers:
                feature = self.norm(x[:, :, 1:]).unflatten(2, (rows, columns))
                features[index] = _restore_order(feature, restore)  # (B, N, h, w, C)
            if index in preset.out_layers:
                level = Level(preset.out_layers.index(index), local, x, restore)
                on_level(level)
                last_tokens = read_camera_tokens(level)
                del level
            on_step(count_block(preset, index, x.shape[0] * views, tokens))
        return BackboneOutput(last_tokens, features, reference)

    def embed(self, images: Tensor) -> Tensor:
        """Turn images into tokens with positions.

        Args:
            images: (B, N, 3, H, W) normalised.

        Returns:
            (B, N, 1 + P, C) float32; the class token comes first.
        """
        patches = self.patch_embed(images.flatten(0, 1))  # (B*N, P, C)
        rows, columns = images.shape[-2] // PATCH_SIZE, images.shape[-1] // PATCH_SIZE
        positions = resample_position_embedding(self.pos_embed, rows, columns)
        x = patches.new_empty(
            (patches.shape[0], 1 + patches.shape[1], patches.shape[2]), dtype=positions.dtype
        )
        x[:, :1] = self.cls_token
        x[:, 1:] = patches
        x += positions
        return x.unflatten(0, images.shape[:2])

    def compose_features(self, local: Tensor | None, main: Tensor) -> Tensor:
        """Join the two streams of a level for the heads.

        Args:
            local: (..., 1 + P, C), stays as it is; None where there is one stream only.
            main: (..., 1 + P, C), passes the final norm.

        Returns:
            (..., P, 2C), or (..., P, C) of one stream.
        """
        main = self.norm(main[..., 1:, :])
        return main if local is None else torch.cat((local[..., 1:, :], main), dim=-1)

    def _put_reference_first(
        self, x: Tensor, strategy: str
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the reordered tokens, the reference and the order that leads back."""
        if x.shape[1] < _FEWEST_VIEWS_FOR_REFERENCE:
            return x, None, None
        with float32_region(x):
            reference = select_reference_view(x[:, :, 0], strategy)
        order = order_from_reference(reference, x.shape[1])
        return reorder_views(x, order), reference, order.argsort(dim=1)

    def _set_camera_tokens(self, x: Tensor, camera_tokens: Tensor | None) -> Tensor:
        """Overwrite the first token of each view; the first view is the reference."""
        if camera_tokens is None:
            first, other = self.camera_token.split(1, dim=1)  # (1, 1, C) each
            camera_tokens = torch.cat((first, other.expand(-1, x.shape[1] - 1, -1)), dim=1)
        x[:, :, 0] = camera_tokens
        return x


def read_camera_tokens(level: Level) -> Tensor:
    """Take the camera tokens of a level.

    Args:
        level: output of one out layer.

    Returns:
        (B, N, 2C) float32, local stream first, before any norm; (B, N, C) of one stream; views
        in the caller's order.
    """
    streams = (level.main,) if level.local is None else (level.local, level.main)
    return _restore_order(torch.cat([x[:, :, 0] for x in streams], dim=-1), level.restore)


def _restore_order(x: Tensor, restore: Tensor | None) -> Tensor:
    return x if restore is None else reorder_views(x, restore)
