# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a checkpoint and the name of a device to a predictor that is ready.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..contract.errors import EngineError, ErrorCode
from .precision import choose_dtype
from .predictor import Predictor
from .weights import load_network

if TYPE_CHECKING:
    from pathlib import Path


def choose_device(name: str) -> torch.device:
    """Return the device of a name; "auto" takes CUDA, then Apple's GPU, then the processor.

    Raises:
        EngineError: SETTINGS_INVALID; the device is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, found in there.items() if found), "cpu"))
    if not there.get(name, name == "cpu"):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The device {name!r} cannot be used by the engine on this machine.",
            "Choose auto or cpu, or install a torch build that fits the graphics card.",
        )
    return torch.device(name)


def load_predictor(
    checkpoint: Path, device_name: str = "auto", precision: str = "auto"
) -> Predictor:
    """Load a checkpoint onto a device, in the precision that suits it.

    Args:
        checkpoint: safetensors file, or the folder that holds it.
        device_name: "auto", "cpu", "cuda" or "mps".
        precision: one of `precision.PRECISIONS`.

    Raises:
        EngineError: CHECKPOINT_WRONG, SETTINGS_INVALID or OUT_OF_MEMORY.
    """
    device = choose_device(device_name)
    network, preset = load_network(checkpoint, device, choose_dtype(precision, device))
    return Predictor(network, preset, device, precision)
