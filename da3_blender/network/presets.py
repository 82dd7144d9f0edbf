# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of the published Depth Anything 3 networks, and of a small one of ours.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

PATCH_SIZE = 14
HEAD_CHANNELS = 64
"""Channels of one attention head in every backbone."""


@dataclass(frozen=True)
class BackbonePreset:
    """What differs between the backbones.

    Attributes:
        width: channels C of the token stream.
        depth: number of transformer blocks.
        ffn_hidden: hidden channels of the feed-forward part.
        has_gated_ffn: SwiGLU instead of a GELU perceptron.
        out_layers: blocks (from 0) whose output the heads read, ascending.
        multi_view_start: first block with camera token, query/key norm, rotary positions and
            (odd numbers only) attention across views; None if each view stays alone.
        position_grid: side of the stored position grid in patches.
    """

    width: int
    depth: int
    ffn_hidden: int
    has_gated_ffn: bool
    out_layers: tuple[int, int, int, int]
    multi_view_start: int | None
    position_grid: int = 37

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // HEAD_CHANNELS

    @property
    def is_multi_view(self) -> bool:
        """Whether views exchange information at all."""
        return self.multi_view_start is not None

    def has_camera_stage(self, block: int) -> bool:
        """Tell whether block number `block` runs with camera token and rotary positions."""
        return self.multi_view_start is not None and block >= self.multi_view_start

    def is_global(self, block: int) -> bool:
        """Tell whether block number `block` attends across views."""
        return self.has_camera_stage(block) and block % 2 == 1


@dataclass(frozen=True)
class HeadPreset:
    """Channels of a dense head: pyramid stages and fusion width."""

    out_channels: tuple[int, int, int, int]
    features: int


@dataclass(frozen=True)
class AnyViewPreset:
    """One any-view network: backbone and head; the camera parts follow from the width."""

    name: str
    backbone: BackbonePreset
    head: HeadPreset
    has_gaussian_head: bool = False

    @property
    def token_width(self) -> int:
        """Channels of a token handed to the heads: local and global stream side by side."""
        return 2 * self.backbone.width


@dataclass(frozen=True)
class SingleViewPreset:
    """One network that looks at each view by itself: depth and sky.

    Attributes:
        name: of the architecture.
        backbone: sizes.
        head: channels.
        is_metric: the depth is metres at 300 pixels of focal length; otherwise it has no unit.
    """

    name: str
    backbone: BackbonePreset
    head: HeadPreset
    is_metric: bool

    @property
    def token_width(self) -> int:
        """Channels of a token handed to the head."""
        return self.backbone.width


@dataclass(frozen=True)
class NestedPreset:
    """An any-view network and a metric one that gives it its scale."""

    name: str
    any_view: AnyViewPreset
    metric: SingleViewPreset


Preset = AnyViewPreset | SingleViewPreset | NestedPreset


_SMALL = AnyViewPreset(
    name="da3-small",
    backbone=BackbonePreset(
        width=384,
        depth=12,
        ffn_hidden=1536,
        has_gated_ffn=False,
        out_layers=(5, 7, 9, 11),
        multi_view_start=4,
    ),
    head=HeadPreset(out_channels=(48, 96, 192, 384), features=64),
)
# Ours, trained on synthetic worlds by `training/`; the coarse grid of positions lets pictures of
# any size train all of it.
_TINY = AnyViewPreset(
    name="da3-tiny",
    backbone=replace(_SMALL.backbone, width=192, ffn_hidden=640, position_grid=16),
    head=HeadPreset(out_channels=(24, 48, 96, 192), features=32),
)
_BASE = AnyViewPreset(
    name="da3-base",
    backbone=replace(_SMALL.backbone, width=768, ffn_hidden=3072),
    head=HeadPreset(out_channels=(96, 192, 384, 768), features=128),
)
_LARGE = AnyViewPreset(
    name="da3-large",
    backbone=BackbonePreset(
        width=1024,
        depth=24,
        ffn_hidden=4096,
        has_gated_ffn=False,
        out_layers=(11, 15, 19, 23),
        multi_view_start=8,
    ),
    head=HeadPreset(out_channels=(256, 512, 1024, 1024), features=256),
)
_GIANT = AnyViewPreset(
    name="da3-giant",
    backbone=BackbonePreset(
        width=1536,
        depth=40,
        ffn_hidden=4096,
        has_gated_ffn=True,
        out_layers=(19, 27, 33, 39),
        multi_view_start=13,
    ),
    head=_LARGE.head,
    has_gaussian_head=True,
)

_METRIC = SingleViewPreset(
    name="da3metric-large",
    backbone=replace(_LARGE.backbone, out_layers=(4, 11, 17, 23), multi_view_start=None),
    head=_LARGE.head,
    is_metric=True,
)
_MONO = replace(_METRIC, name="da3mono-large", is_metric=False)
_NESTED = NestedPreset(name="da3nested-giant-large", any_view=_GIANT, metric=_METRIC)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (_SMALL, _BASE, _LARGE, _GIANT, _METRIC, _MONO, _NESTED, _TINY)
}
