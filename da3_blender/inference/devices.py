# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where networks can run on this machine: name of the device, memory there is and is free.

Runs in the engine.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

from ..contract.errors import EngineError, ErrorCode
from ..contract.estimates import DeviceFacts

_CPU_INFO = Path("/proc/cpuinfo")
_MEMORY_INFO = Path("/proc/meminfo")


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


def describe_device(device: torch.device) -> DeviceFacts:
    """Return name and memory of a device.

    Args:
        device: CUDA, Apple's GPU, or the processor; a processor's name ends with the number of
            threads that torch uses.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return DeviceFacts("cuda", torch.cuda.get_device_name(device), total, free)
    free, total = _read_main_memory()
    if device.type == "mps":
        # the GPU shares the main memory; the system lets it use this much
        limit = torch.mps.recommended_max_memory()
        return DeviceFacts("mps", _read_processor_name(), limit, min(free, limit))
    name = f"{_read_processor_name()}, {torch.get_num_threads()} threads"
    return DeviceFacts("cpu", name, total, free)


def read_free_bytes(device: torch.device) -> int:
    """Return the memory that this process can still take on a device.

    What torch's allocator holds without using it counts as free.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return _read_main_memory()[0]


def _read_main_memory() -> tuple[int, int]:
    """Return free and total bytes of the main memory; 0 where the system does not tell."""
    if sys.platform == "linux":
        lines = _MEMORY_INFO.read_text(encoding="ascii").splitlines()
        fields = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
        free, total = (int(fields[n].split()[0]) * 1024 for n in ("MemAvailable", "MemTotal"))
        return free, total
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return status.free, status.total
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    return total, total  # macOS frees caches and compresses on demand: no number tells


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        *((name, ctypes.c_ulonglong) for name in ("a", "b", "c", "d", "e")),
    )


def _read_processor_name() -> str:
    """Return the processor's name for people."""
    if sys.platform == "linux" and _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
        if done.stdout.strip():
            return done.stdout.strip()
    return platform.processor() or platform.machine()
