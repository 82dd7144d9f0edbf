# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights that training starts from.

Runs in the environment `training`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from da3_blender.network.any_view import AnyViewNetwork

if TYPE_CHECKING:
    from da3_blender.network.presets import AnyViewPreset

_TOKEN_SPREAD = 0.02
_START_VIEW = 1.0
"""Field of view, radians, that the camera decoder says before it knows anything."""
_LAYER_SCALE = 0.5
_PATCH_SPREAD = 0.5
_LEAST_VARIANCE = 0.02
"""Directions with less spread than this are mostly noise and stay quiet."""


def make_network(preset: AnyViewPreset, seed: int) -> AnyViewNetwork:
    """Make a network with random weights; the same seed gives the same ones.

    Args:
        preset: sizes.
        seed: of the random numbers.

    Returns:
        The network in float32 on the CPU, ready for training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AnyViewNetwork(preset)
        backbone = network.backbone["pretrained"]
        for module in (*backbone.modules(), *network.cam_enc.modules()):
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for token in (backbone.cls_token, backbone.camera_token):
            nn.init.normal_(token, std=_TOKEN_SPREAD)
    with torch.no_grad():
        backbone.pos_embed.copy_(_make_positions(preset.backbone.position_grid, preset))
        for name, parameter in network.named_parameters():
            if name.endswith((".ls1.gamma", ".ls2.gamma")):
                parameter.fill_(_LAYER_SCALE)
        decoder = network.cam_dec
        for layer in (decoder.fc_t, decoder.fc_qvec, decoder.fc_fov[0]):
            layer.weight.mul_(0.1)
            layer.bias.zero_()
        decoder.fc_qvec.bias[3] = 1.0
        # the last layer of the field of view is a ReLU: it must not start dead
        decoder.fc_fov[0].bias.fill_(_START_VIEW)
    return network.train()


@torch.no_grad()
def whiten_patches(network: AnyViewNetwork, images: Tensor) -> None:
    """Let the first layer see what patches differ in, instead of their brightness alone.

    Neighbouring pixels are alike, so random filters answer almost only to the mean colour of a
    patch. The filters become the principal components of the patches, each scaled to the same
    spread. (Whitening the first layer is known to speed up training, e.g. arXiv 2404.00498.)

    Args:
        network: its patch embedding is changed.
        images: (M, 3, H, W) float32 as the network takes them, H and W multiples of 14.
    """
    projection = network.backbone["pretrained"].patch_embed.proj
    side = projection.kernel_size[0]
    patches = functional.unfold(images, side, stride=side).transpose(1, 2).flatten(0, 1).double()
    mean = patches.mean(0)
    covariance = (patches - mean).T @ (patches - mean) / len(patches)
    variance, directions = torch.linalg.eigh(covariance)  # ascending
    count = projection.out_channels
    variance, directions = variance[-count:], directions[:, -count:]
    filters = _PATCH_SPREAD * directions.T / (variance[:, None] + _LEAST_VARIANCE).sqrt()
    projection.weight.copy_(filters.unflatten(1, projection.weight.shape[1:]))
    projection.bias.copy_(-(filters @ mean))


def _make_positions(side: int, preset: AnyViewPreset) -> Tensor:
    """Return (1, 1 + side^2, C): sines and cosines of row and column, zero for the class token."""
    width = preset.backbone.width
    count = width // 4
    place = (torch.arange(side) + 0.5) / side  # the grid covers the picture, whatever its size
    periods = torch.exp(torch.linspace(math.log(2.0), math.log(2.0 / side * 2), count))
    angle = 2 * math.pi * place[:, None] / periods  # (side, C/4)
    waves = torch.cat((angle.sin(), angle.cos()), -1)  # (side, C/2)
    rows = waves[:, None].expand(-1, side, -1)
    columns = waves[None].expand(side, -1, -1)
    grid = torch.cat((rows, columns), -1).flatten(0, 1)
    return 0.5 * torch.cat((torch.zeros(1, width), grid))[None]
