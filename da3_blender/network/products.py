# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear layers: on a processor through oneDNN where PyTorch would ask MKL.

Runs in the engine. For float32 products PyTorch calls MKL, which keeps to AVX2 on AMD's processors;
oneDNN, the other library inside PyTorch, uses their AVX-512 and adds bias and GELU on the way:
240 against 100 GFLOP/s on one core of a Zen 5. The operator is the one that torch.compile emits
and has no gradient, so training, other devices and other builds take the plain way.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from torch import nn


@cache
def _has_fast_products(dtype: torch.dtype) -> bool:
    """Tell whether this processor and this build of PyTorch multiply faster through oneDNN."""
    operators = torch.ops.mkldnn
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.enabled:
        return False
    if not torch.backends.mkldnn.is_available() or not hasattr(operators, "_linear_pointwise"):
        return False
    return dtype == torch.float32 or (
        dtype == torch.bfloat16
        and hasattr(operators, "_is_mkldnn_bf16_supported")
        and operators._is_mkldnn_bf16_supported()  # noqa: SLF001 - no public name
    )


def can_multiply_fast(x: Tensor) -> bool:
    """Tell whether `multiply` may be called for tensors like `x` now."""
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and _has_fast_products(x.dtype)
    )


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = "none") -> Tensor:
    """Compute activation(x @ weight.T + bias) with oneDNN.

    Args:
        x: (..., C), of a kind that `can_multiply_fast` approves of.
        weight: (D, C), dtype of x.
        bias: (D,), dtype of x, or None.
        activation: "none" or "gelu" (the exact one).

    Returns:
        (..., D), dtype of x.
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")  # noqa: SLF001


def multiply_any(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute x @ weight.T + bias in the faster way that is possible now."""
    if x.dtype == weight.dtype and can_multiply_fast(x):
        return multiply(x, weight, bias)
    return functional.linear(x, weight, bias)


def apply_linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """Map (..., C) to (..., D) in the dtype of the layer's weights."""
    return multiply_any(x, layer.weight, layer.bias)


def apply_linear_gelu(x: Tensor, layer: nn.Linear) -> Tensor:
    """Map (..., C) to (..., D) and apply the exact GELU."""
    if x.dtype == layer.weight.dtype and can_multiply_fast(x):
        return multiply(x, layer.weight, layer.bias, "gelu")
    return functional.gelu(layer(x))


def apply_conv1(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Apply a 1x1 convolution: (B, C, H, W) to (B, D, H, W), dtype of the layer's weights."""
    if x.dtype == layer.weight.dtype and can_multiply_fast(x):
        weight = layer.weight.flatten(1)  # (D, C)
        return multiply(x.movedim(1, -1).contiguous(), weight, layer.bias).movedim(-1, 1)
    return layer(x)
