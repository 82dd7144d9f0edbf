# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run uses memory, what to do with less, and which numbers to try when nothing fits.

Runs in the engine. The order: as many views at a time in the heads as fit, then half of them,
then the levels that wait for the heads in the main memory. A lower resolution comes after
that, in `pipeline.dense`, because it changes the result.
"""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..contract.errors import EngineError, ErrorCode
from ..network.presets import PATCH_SIZE, NestedPreset
from ..network.work import count_head_bytes, count_projected_bytes
from .devices import read_free_bytes

if TYPE_CHECKING:
    from torch import Tensor

    from ..network.presets import Preset

_MARKS = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
_GIB = 2**30
_MOST_VIEWS = 4
"""One view leaves a graphics card idle in small heads; more than four only take memory."""
_LIBRARY_FACTOR = 2.0
"""Convolution libraries may take as much again as the maps themselves."""


@dataclass(frozen=True)
class MemoryPlan:
    """How one attempt uses memory; the numbers of the result do not depend on it.

    Attributes:
        views_per_chunk: views that pass the heads together.
        parks_on_host: what waits for the heads, and finished maps, lie in the main memory.
    """

    views_per_chunk: int
    parks_on_host: bool = False


def has_own_memory(device: torch.device) -> bool:
    """Tell whether the device's memory is another one than the processor's."""
    return device.type not in ("cpu", "mps")


def plan_memory(
    preset: Preset, views: int, size: tuple[int, int], device: torch.device, *, with_rays: bool
) -> MemoryPlan:
    """Choose how many views pass the heads together, from the memory that is free now.

    Args:
        preset: sizes of the network.
        views: of the run.
        size: height and width of the network's input.
        device: where it runs; a processor is busy with one view.
        with_rays: the ray branch runs.

    Returns:
        The plan of the first attempt.
    """
    if device.type == "cpu":
        return MemoryPlan(1)
    branch = preset.any_view if isinstance(preset, NestedPreset) else preset
    waiting = views * count_projected_bytes(branch.head, size)
    each = _LIBRARY_FACTOR * count_head_bytes(branch.head, size, with_rays=with_rays)
    fitting = int((read_free_bytes(device) - waiting) / each)
    return MemoryPlan(max(1, min(_MOST_VIEWS, views, fitting)))


def plan_less_memory(
    plan: MemoryPlan, device: torch.device, *, failed_before_heads: bool
) -> MemoryPlan | None:
    """Choose the next attempt after memory ran out.

    Args:
        plan: what did not fit.
        device: where it ran.
        failed_before_heads: memory ran out in the backbone of all views, where the number of
            views in the heads does not matter.

    Returns:
        The next plan; None if nothing smaller is left at this resolution.
    """
    if plan.views_per_chunk > 1 and not failed_before_heads:
        return MemoryPlan(plan.views_per_chunk // 2, plan.parks_on_host)
    if not plan.parks_on_host and has_own_memory(device):
        return MemoryPlan(1, parks_on_host=True)
    return None


def park_on_host(x: Tensor) -> Tensor:
    """Copy a tensor to the main memory, page-locked where the system allows it.

    Page-locked memory is copied at the full speed of the bus and without a second copy. The
    function returns when the copy is complete.
    """
    try:
        parked = torch.empty(x.shape, dtype=x.dtype, pin_memory=torch.cuda.is_available())
    except RuntimeError:  # the system limits how much may be locked
        parked = torch.empty(x.shape, dtype=x.dtype)
    return parked.copy_(x)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that memory ran out, whatever the device calls it."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(mark in text for mark in _MARKS)


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
