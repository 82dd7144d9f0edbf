# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The optimizer Muon in a precision of one's choice.

Runs in the environment `training`. PyTorch's own Muon multiplies in bfloat16 only, 40 times
slower than float32 on processors without instructions for it, and takes one matrix at a time;
this one takes all of a shape together. Source: Jordan et al. 2024 (the iteration and its
coefficients); Liu et al. 2025, arXiv 2502.16982 (size of the steps, decay).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_ADAM_STEP = 0.2
"""Root mean square of AdamW's steps; ours get the same."""
_EPS = 1e-7


class Muon(Optimizer):
    """Steps along the nearest orthogonal matrix of the gradient's average.

    Args:
        matrices: parameters with two axes.
        lr: learning rate, on AdamW's scale.
        weight_decay: decoupled from the gradient.
        momentum: of the average, Nesterov's.
        dtype: of the products with whole matrices; those of the smaller side are float32.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        momentum: float,
        dtype: torch.dtype,
    ) -> None:
        self._dtype = dtype
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002 - the base class has it
        """Change all parameters that have a gradient."""
        for group in self.param_groups:
            shapes = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.shape].append(parameter)
            for parameters in shapes.values():
                self._change(parameters, group)

    def _change(self, parameters: list[nn.Parameter], group: dict) -> None:
        momentum, rate = group["momentum"], group["lr"]
        directions = []
        for parameter in parameters:
            state, gradient = self.state[parameter], parameter.grad
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            average = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
            directions.append(gradient.lerp(average, momentum))
        steps = orthogonalise(torch.stack(directions).to(self._dtype))
        scale = _ADAM_STEP * max(parameters[0].shape) ** 0.5
        for parameter, step in zip(parameters, steps, strict=True):
            parameter.mul_(1 - rate * group["weight_decay"])
            parameter.add_(step.to(parameter.dtype), alpha=-rate * scale)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring all singular values near 1, roughly: between about 0.7 and 1.2.

    Args:
        matrices: (M, R, C).

    Returns:
        (M, R, C), same dtype.
    """
    a, b, c = _COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(_EPS)
    # the polynomials act on the smaller side only: their product is found there, from x x^T, in
    # float32, because errors of bfloat16 would grow from one iteration to the next
    gram = x.float() @ x.float().mT
    product = None
    for left in reversed(range(_ITERATIONS)):
        step = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        step.diagonal(dim1=1, dim2=2).add_(a)
        product = step if product is None else step @ product
        if left:
            gram = step @ gram @ step
    x = product.to(x.dtype) @ x
    return x.mT if is_tall else x
