# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one switch for parts that must run in float32.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def float32_region(tensor: Tensor) -> AbstractContextManager:
    """Return a context that switches autocast off on the device of `tensor`.

    Heads, camera encoder, camera decoder and reference choice run inside it, whatever the
    caller set up around the network.

    Args:
        tensor: any tensor on the device in question.

    Returns:
        A context manager.
    """
    return torch.autocast(device_type=tensor.device.type, enabled=False)
