# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The most memory that a graphics card has given out since it was asked last.

Runs in the engine.
"""

from __future__ import annotations

import torch


def reset_peak(device: torch.device) -> None:
    """Begin to count anew; does nothing where the device does not count."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def read_peak_bytes(device: torch.device) -> int | None:
    """Return the peak in bytes, None where the device does not count."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return None


def name_device(device: torch.device) -> str:
    """Return the name of a device for people, such as "cpu" or "NVIDIA H100"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return device.type
