# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera encoder and camera decoder: cameras to tokens and tokens to cameras.

Runs in the engine. Attribute names follow the keys of the official checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .block import Block, BlockShape
from .pose_encoding import cameras_to_encoding
from .precision import float32_region

_EPS = 1e-5
_ENCODER_BLOCKS = 4
_ENCODER_HEADS = 16
"""Always 16, whatever the width: the backbone's head size does not apply here."""


class PoseBranch(nn.Module):
    """Two linear layers from the nine numbers of a camera to a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(9, width // 2)
        self.fc2 = nn.Linear(width // 2, width)

    def forward(self, encoding: Tensor) -> Tensor:
        """Map (..., 9) to (..., C)."""
        return self.fc2(functional.gelu(self.fc1(encoding)))


class CameraEncoder(nn.Module):
    """Turns known cameras into one camera token per view."""

    def __init__(self, width: int) -> None:
        super().__init__()
        shape = BlockShape(width, heads=_ENCODER_HEADS, ffn_hidden=4 * width, norm_eps=_EPS)
        self.pose_branch = PoseBranch(width)
        self.token_norm = nn.LayerNorm(width, eps=_EPS)
        self.trunk = nn.ModuleList(Block(shape) for _ in range(_ENCODER_BLOCKS))
        self.trunk_norm = nn.LayerNorm(width, eps=_EPS)

    def forward(self, w2c: Tensor, K: Tensor, size: tuple[int, int]) -> Tensor:
        """Encode the cameras of one scene together.

        Args:
            w2c: (B, N, 4, 4) float32, OpenCV world-to-camera; the first camera is the origin.
            K: (B, N, 3, 3) float32, pixels of an image of `size`.
            size: height and width of the image.

        Returns:
            (B, N, C) float32.
        """
        with float32_region(w2c):
            tokens = self.pose_branch(cameras_to_encoding(w2c, K, size))  # (B, N, C)
            tokens = self.token_norm(tokens)
            for block in self.trunk:
                tokens = block(tokens)
            return self.trunk_norm(tokens)


class CameraDecoder(nn.Module):
    """Turns the last camera token of a view into its camera."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.fc_t = nn.Linear(width, 3)
        self.fc_qvec = nn.Linear(width, 4)
        self.fc_fov = nn.Sequential(nn.Linear(width, 2), nn.ReLU())

    def forward(self, tokens: Tensor) -> Tensor:
        """Decode each view on its own.

        Args:
            tokens: (B, N, 2C) float32, camera tokens before any norm.

        Returns:
            (B, N, 9) pose encoding; the quaternion is not normalised.
        """
        with float32_region(tokens):
            x = self.backbone(tokens)  # (B, N, 2C)
            return torch.cat((self.fc_t(x), self.fc_qvec(x), self.fc_fov(x)), dim=-1)
