# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the view whose camera the network takes as the origin.

Runs in the engine.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..contract.errors import EngineError, ErrorCode

STRATEGIES = ("saddle_balanced", "saddle_sim_range", "first", "middle")
"""Names of the rules; the first is the default of the release."""


def select_reference_view(tokens: Tensor, strategy: str) -> Tensor:
    """Choose one reference view per scene.

    Args:
        tokens: (B, N, C) float32, class token of each view.
        strategy: one of `STRATEGIES`.

    Returns:
        (B,) int64, index of the view.

    Raises:
        EngineError: the strategy is unknown.
    """
    scenes, views = tokens.shape[:2]
    if strategy in ("first", "middle"):
        index = 0 if strategy == "first" else views // 2
        return torch.full((scenes,), index, dtype=torch.int64, device=tokens.device)
    if strategy not in STRATEGIES:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"There is no way to choose a reference view called {strategy!r}.",
            f"Use one of {', '.join(STRATEGIES)}.",
        )
    norms = tokens.norm(dim=-1)  # (B, N)
    unit = functional.normalize(tokens, dim=-1, eps=0.0)  # (B, N, C)
    eye = torch.eye(views, device=tokens.device, dtype=tokens.dtype)
    # the diagonal stays in, at zero: the published rule takes extremes over it too
    similarity = unit @ unit.transpose(1, 2) - eye  # (B, N, N)
    if strategy == "saddle_sim_range":
        return (similarity.amax(-1) - similarity.amin(-1)).argmax(-1)
    metrics = (similarity.sum(-1) / max(views - 1, 1), norms, unit.var(dim=-1))
    distance = torch.stack([(_rescale(metric) - 0.5).abs() for metric in metrics])  # (3, B, N)
    return distance.sum(0).argmin(-1)


def order_from_reference(reference: Tensor, views: int) -> Tensor:
    """Return the order that puts the reference first and leaves the others ascending.

    Args:
        reference: (B,) int64, index of the reference view.
        views: number of views N.

    Returns:
        (B, N) int64, old index of each new place.
    """
    index = torch.arange(views, device=reference.device).expand(reference.shape[0], -1)
    return (index != reference[:, None]).to(torch.int8).argsort(dim=1, stable=True)


def reorder_views(x: Tensor, order: Tensor) -> Tensor:
    """Take the views of each scene in another order.

    Args:
        x: (B, N, ...).
        order: (B, N) int64, old index of each new place.

    Returns:
        (B, N, ...), a copy.
    """
    scene = torch.arange(x.shape[0], device=x.device)[:, None]
    return x[scene, order]


def _rescale(metric: Tensor) -> Tensor:
    """Map (B, N) to 0..1 over the views of each scene."""
    low = metric.amin(dim=1, keepdim=True)
    high = metric.amax(dim=1, keepdim=True)
    return (metric - low) / (high - low + 1e-8)
