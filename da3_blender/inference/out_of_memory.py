# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise that memory ran out and say what would fit.

Runs in the engine.
"""

from __future__ import annotations

import gc
import math

import torch

from ..contract.errors import EngineError, ErrorCode
from ..network.presets import PATCH_SIZE

_MARKS = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
_GIB = 2**30


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that memory ran out, whatever the device calls it."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(mark in text for mark in _MARKS)


def list_chunk_sizes(device: torch.device) -> tuple[int, ...]:
    """Return how many views pass the heads together: the usual number, then what needs less.

    One view leaves a graphics card idle in small heads; more than four need memory without
    being faster. A processor is busy with one.
    """
    return (4, 2, 1) if device.type == "cuda" else (1,)


def free_memory(device: torch.device) -> None:
    """Give back what a failed attempt held."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def explain_out_of_memory(views: int, size: tuple[int, int], device: torch.device) -> EngineError:
    """Make the error that tells the user which numbers to try.

    Args:
        views: number of views that did not fit.
        size: height and width of the grid.
        device: where memory ran out.

    Returns:
        An OUT_OF_MEMORY error; memory grows with views times pixels, the hint halves it.
    """
    half = math.sqrt(0.5)
    smaller = max(PATCH_SIZE, int(max(size) * half) // PATCH_SIZE * PATCH_SIZE)
    advice = f"Try a resolution of {smaller}"
    if views > 1:
        advice += f", or {max(1, views // 2)} views at a time"
    free = ""
    if device.type == "cuda":
        bytes_free, bytes_total = torch.cuda.mem_get_info(device)
        free = f" ({bytes_free / _GIB:.1f} of {bytes_total / _GIB:.1f} GiB free now)"
        torch.cuda.empty_cache()
    return EngineError(
        ErrorCode.OUT_OF_MEMORY,
        f"Memory of {device} ran out with {views} views of {size[1]} x {size[0]} pixels{free}.",
        f"{advice}, or a smaller model.",
    )
