# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a checkpoint and the name of a device to a predictor that is ready.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .devices import choose_device
from .precision import choose_dtype
from .predictor import Predictor
from .weights import load_network

if TYPE_CHECKING:
    from pathlib import Path


def load_predictor(
    checkpoint: Path, device_name: str = "auto", precision: str = "auto", *, compiles: bool = False
) -> Predictor:
    """Load a checkpoint onto a device, in the precision that suits it.

    Args:
        checkpoint: safetensors file, or the folder that holds it.
        device_name: "auto", "cpu", "cuda" or "mps".
        precision: one of `precision.PRECISIONS`.
        compiles: let torch.compile have the blocks, where it can.

    Raises:
        EngineError: CHECKPOINT_WRONG, SETTINGS_INVALID or OUT_OF_MEMORY.
    """
    device = choose_device(device_name)
    network, preset = load_network(checkpoint, device, choose_dtype(precision, device))
    return Predictor(network, preset, device, precision, compiles=compiles)
