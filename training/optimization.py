# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How weights are changed: optimizers, learning rate, moving average.

Runs in the environment `training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .muon import Muon

if TYPE_CHECKING:
    from torch.optim import Optimizer

_BETAS = (0.9, 0.98)
_MATRIX_MOMENTUM = 0.95
_AVERAGE_START = 10
_MATRIX_AXES = 2


@dataclass(frozen=True)
class Rates:
    """Learning rates and their course.

    Attributes:
        peak: learning rate of AdamW after the warm-up.
        matrix_peak: the same of Muon, for the matrices of the transformer blocks; 0 leaves them
            to AdamW.
        weight_decay: of all parameters with more than one axis.
        warm_up_steps: the rate grows linearly until there.
        average: decay of the moving average of the weights.
        greatest_gradient: longer gradients are shortened to this norm.
    """

    peak: float = 1e-3
    matrix_peak: float = 2e-3
    weight_decay: float = 0.05
    warm_up_steps: int = 300
    average: float = 0.996
    greatest_gradient: float = 1.0


@dataclass
class Decay:
    """The last phase, in which the rate falls to zero; it may begin at any time.

    Attributes:
        first_step: where it begins; None while the rate is constant.
        steps: its length.
    """

    first_step: int | None = None
    steps: int = 0

    def is_over(self, step: int) -> bool:
        """Tell whether the rate is zero at a step."""
        return self.first_step is not None and step >= self.first_step + self.steps

    def find_share(self, step: int) -> float:
        """Return the share 0..1 of the peak rate at a step."""
        if self.first_step is None:
            return 1.0
        return max(0.0, 1.0 - (step - self.first_step) / max(self.steps, 1))


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return the format of most products of the training: the fastest one that does.

    Processors without instructions for bfloat16 compute in it 20 to 40 times slower than in
    float32.
    """
    is_slow = device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
    return torch.float32 if is_slow else torch.bfloat16


def make_optimizers(network: nn.Module, rates: Rates, dtype: torch.dtype) -> list[Optimizer]:
    """Make the optimizers of all parameters.

    Args:
        network: whose parameters are trained.
        rates: learning rates.
        dtype: of Muon's products.

    Returns:
        AdamW, and Muon if `rates` wants it.
    """
    matrices, decayed, plain = [], [], []
    for name, parameter in network.named_parameters():
        if rates.matrix_peak and parameter.ndim == _MATRIX_AXES and _is_block_matrix(name):
            matrices.append(parameter)
        elif parameter.ndim >= _MATRIX_AXES and "token" not in name and "pos_embed" not in name:
            decayed.append(parameter)
        else:
            plain.append(parameter)
    groups = [
        {"params": decayed, "weight_decay": rates.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = [
        torch.optim.AdamW(groups, lr=rates.peak, betas=_BETAS, fused=True)
    ]
    if matrices:
        optimizers.append(
            Muon(matrices, rates.matrix_peak, rates.weight_decay, _MATRIX_MOMENTUM, dtype)
        )
    return optimizers


def _is_block_matrix(name: str) -> bool:
    return ".blocks." in name or ".trunk." in name


def set_rates(
    optimizers: list[Optimizer], rates: Rates, decay: Decay, step: int, first_step: int = 0
) -> float:
    """Set the learning rates of a step and return their share of the peak.

    Args:
        optimizers: AdamW and perhaps Muon.
        rates: the peaks.
        decay: the last phase.
        step: number of the step.
        first_step: where the optimizers began; the warm-up counts from there.
    """
    share = min(1.0, (step - first_step + 1) / rates.warm_up_steps) * decay.find_share(step)
    for optimizer, peak in zip(optimizers, (rates.peak, rates.matrix_peak), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = peak * share
    return share


@torch.no_grad()
def follow_average(average: dict[str, Tensor], network: nn.Module, step: int, decay: float) -> None:
    """Move the average of the weights towards the weights, faster at first."""
    share = 1 - min(decay, (1 + step) / (_AVERAGE_START + step))
    current = network.state_dict()
    torch._foreach_lerp_(list(average.values()), [current[name] for name in average], share)
