# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as the network takes them.

Runs in the environment `training`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from da3_blender.inference.preprocess import MEAN, STD


def normalise_images(images: Tensor) -> Tensor:
    """Turn pictures into network input, on any device.

    Args:
        images: (..., H, W, 3) uint8 sRGB.

    Returns:
        (..., 3, H, W) float32, as `inference.preprocess.normalise` gives it.
    """
    mean, std = (torch.from_numpy(x).to(images.device) for x in (MEAN, STD))
    return ((images.float() / 255 - mean) / std).movedim(-1, -3).contiguous()
