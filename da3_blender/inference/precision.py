# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the number format of the backbone's matrix products.

Runs in the engine.
"""

from __future__ import annotations

import re

import torch
from torch import nn

from ..contract.errors import EngineError, ErrorCode

PRECISIONS = ("auto", "float32", "bfloat16", "float16")

_FIRST_CAPABILITY_WITH_BFLOAT16 = (8, 0)
"""Older cards emulate bfloat16, slowly and without a fused attention kernel."""
_MATMUL_PARAMETER = re.compile(
    r"backbone\.pretrained\.(patch_embed\.proj|blocks\.\d+\.(attn\.(qkv|proj)|mlp\.\w+))\."
)


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Choose the format of the matrix products.

    Args:
        precision: one of `PRECISIONS`; auto is float32 on processors, bfloat16 on graphics
            cards that have it, float16 on older ones.
        device: where the network runs.

    Returns:
        The dtype for the backbone's linear layers.

    Raises:
        EngineError: the name is unknown.
    """
    if precision not in PRECISIONS:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"There is no precision called {precision!r}.",
            f"Use one of {', '.join(PRECISIONS)}.",
        )
    if precision != "auto":
        return getattr(torch, precision)
    if device.type != "cuda":
        return torch.float32
    capability = torch.cuda.get_device_capability(device)
    return torch.bfloat16 if capability >= _FIRST_CAPABILITY_WITH_BFLOAT16 else torch.float16


def is_matmul_parameter(key: str) -> bool:
    """Tell whether the parameter `key` of a network may be stored in half precision.

    Everything else (norms, layer scales, tokens, positions, heads, camera parts) stays float32.
    """
    return _MATMUL_PARAMETER.search(key) is not None


def cast_backbone(network: nn.Module, dtype: torch.dtype) -> None:
    """Store the backbone's linear layers in `dtype`, once, instead of at every call.

    Args:
        network: changed in place.
        dtype: format of the matrix products.
    """
    for key, parameter in network.named_parameters():
        if is_matmul_parameter(key):
            parameter.data = parameter.data.to(dtype)
