# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints in the official layout with random weights, for both sides to load.

Runs in the benchmark's environment.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from .missing_libraries import stand_in

if TYPE_CHECKING:
    from pathlib import Path

_FURTHER_NAMES = re.compile(r"output_conv2_aux\.[123]\.2\.")
"""Official files hold the norm that four stacks share once, under the first."""
_SPREADS = (
    (re.compile(r"cls_token|camera_token"), 1.0),
    (re.compile(r"pos_embed"), 0.02),
)
"""Spread of tokens; biases have 0.1, matrices one over the square root of their inputs."""
_GAINS = (
    (re.compile(r"scratch\.output_conv2\.2\.weight$"), 0.5),
    (re.compile(r"cam_dec\.fc_(qvec|fov\.0)\.weight$"), 0.3),
)
"""Depths spread over about one power of e; cameras turn a little and open to about a radian."""


def ensure_checkpoint(model: str, folder: Path) -> Path:
    """Return the folder of a model's checkpoint; make it if it is not there.

    Args:
        model: such as "da3-small".
        folder: where checkpoints are kept between runs.

    Returns:
        Folder with model.safetensors and config.json, as the hub has them.
    """
    place = folder / model
    weights = place / "model.safetensors"
    if not weights.exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.json").write_text(json.dumps({"model_name": model}), encoding="utf-8")
        part = weights.with_suffix(".part")
        save_file(_make_tensors(model), part)
        part.replace(weights)
    return place


def _make_tensors(model: str) -> dict[str, torch.Tensor]:
    stand_in()
    from depth_anything_3.api import DepthAnything3

    shapes = {key: x.shape for key, x in DepthAnything3(model).state_dict().items()}
    return {key: _fill(key, s) for key, s in shapes.items() if not _FURTHER_NAMES.search(key)}


def _fill(key: str, shape: torch.Size) -> torch.Tensor:
    """Return one tensor; a pure function of its name and shape."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    noise = torch.randn(shape, generator=generator)
    if key.endswith("gamma"):
        return 0.3 + 0.05 * noise
    if noise.ndim == 1 and key.endswith("weight"):  # of a norm
        return 1 + 0.1 * noise
    if noise.ndim > 1 and key.endswith("weight"):
        gain = next((g for pattern, g in _GAINS if pattern.search(key)), 1.0)
        return noise.mul_(gain / math.sqrt(math.prod(shape[1:])))
    spread = next((s for pattern, s in _SPREADS if pattern.search(key)), 0.1)
    offset = torch.zeros(shape)
    if key.endswith("cam_dec.fc_qvec.bias"):
        offset[3] = 1  # the rotation that changes nothing
    elif key.endswith("cam_dec.fc_fov.0.bias"):
        offset += 1
    return offset.add_(noise, alpha=spread)
