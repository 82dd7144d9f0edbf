# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let upstream's package be imported without the heavy libraries that it names at the top.

Runs in the benchmark's environment. Inert modules stand for moviepy and evo, of which nothing is
called in what is measured. Of torchvision two classes are used by upstream's preparation; they do
the documented arithmetic here, and the gate compares the result with ours. xformers, gsplat and
e3nn are not needed: upstream has its own way without them. No file of upstream is touched.
"""

from __future__ import annotations

import os
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from PIL import Image


class ToTensor:
    """Turn an 8-bit picture into (3, H, W) float32, 0 to 1."""

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """Convert one picture."""
        pixels = torch.from_numpy(np.array(picture))  # (H, W, 3)
        return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div_(255)


class Normalize:
    """Subtract a mean and divide by a spread, colour by colour."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        self._mean = torch.tensor(mean)[:, None, None]
        self._std = torch.tensor(std)[:, None, None]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (3, H, W)."""
        return (x - self._mean).div_(self._std)


def stand_in() -> None:
    """Register the modules that are not installed, and make upstream quiet."""
    os.environ.setdefault("DA3_LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", message="register_new_resolver")
    _register("torchvision.transforms", ToTensor=ToTensor, Normalize=Normalize)
    _register("moviepy.editor")
    _register("evo.core.trajectory", PosePath3D=object)


def _register(name: str, **content: object) -> None:
    """Make a module of this name and its parents, unless the real one is there already."""
    parent: ModuleType | None = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        path = ".".join(parts[:end])
        module = sys.modules.setdefault(path, ModuleType(path))
        if parent is not None:
            setattr(parent, parts[end - 1], module)
        parent = module
    vars(parent).update(content)
