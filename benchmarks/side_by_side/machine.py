# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark ran on, without names of machines or people.

Runs in the benchmark's environment.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def describe_machine(device: str) -> str:
    """Return one sentence: processor, cores, memory, graphics card, versions."""
    parts = [f"{_read_processor()}, {os.cpu_count()} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        parts.append(f"{memory / 2**30:.0f} GiB")
    if device == "cuda":
        parts.append(torch.cuda.get_device_name())
    parts.append(f"{platform.system()}, Python {platform.python_version()}")
    parts.append(f"torch {torch.__version__}, numpy {version('numpy')}")
    parts.append(f"upstream: depth-anything-3 {version('depth-anything-3')} from PyPI")
    return "; ".join(parts)


def _read_processor() -> str:
    """Return the processor's name and the instructions that matter here."""
    table = Path("/proc/cpuinfo")
    if not table.exists():
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in table.read_text(encoding="utf-8").splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in reversed(lines)}
    flags = facts.get("flags", "").split()
    useful = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(useful)})"
