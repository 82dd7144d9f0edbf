# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the state of a training run on disk.

Runs in the environment `training`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from da3_blender.inference.weights import load_network

from .optimization import Decay

if TYPE_CHECKING:
    from pathlib import Path

    from torch.optim import Optimizer


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        seconds: time spent training, all sessions together.
        scenes: scenes shown.
        pictures: pictures shown.
        decay: the last phase.
    """

    step: int
    seconds: float
    scenes: int
    pictures: int
    decay: Decay


def start_progress() -> Progress:
    """Return the progress of a run that has not begun."""
    return Progress(0, 0.0, 0, 0, Decay())


def save_checkpoint(
    path: Path,
    network: nn.Module,
    average: dict[str, Tensor],
    optimizers: list[Optimizer],
    progress: Progress,
    facts: dict[str, Any],
) -> None:
    """Write everything that a run needs to go on; the file is complete or the old one.

    Args:
        path: of the file.
        network: being trained, with what helps it.
        average: moving average of its weights.
        optimizers: with their moments.
        progress: how far the run is.
        facts: plain values about the run: preset, curriculum, seed, rates.
    """
    part = path.with_suffix(".part")
    state = {
        "network": network.state_dict(),
        "average": average,
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "progress": asdict(progress),
        "facts": facts,
    }
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(
    path: Path, network: nn.Module, average: dict[str, Tensor], optimizers: list[Optimizer]
) -> Progress:
    """Fill network, average and optimizers from a file.

    Args:
        path: of the file.
        network: gets the weights.
        average: gets the averaged weights, in place.
        optimizers: made for `network`.

    Returns:
        How far the run is.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    for name, values in state["average"].items():
        average[name].copy_(values)
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    progress = state["progress"]
    return Progress(**{**progress, "decay": Decay(**progress["decay"])})


def load_exported(folder: Path, network: nn.Module) -> Progress:
    """Fill a network with weights that `export` wrote: what a run on another machine begins with.

    Args:
        folder: with weights and `config.json`.
        network: of the same preset.

    Returns:
        How far their run was; the moments of its optimizers are lost.
    """
    loaded, _ = load_network(folder, "cpu")
    network.load_state_dict(loaded.state_dict())
    facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))["training"]
    return Progress(
        step=facts["steps"],
        seconds=3600 * facts["hours"],
        scenes=facts["scenes_shown"],
        pictures=facts["pictures_shown"],
        decay=Decay(),
    )


def read_facts(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says about its run."""
    return torch.load(path, map_location="cpu", weights_only=True)["facts"]
