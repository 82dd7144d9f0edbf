# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of this process, from Linux's own counters.

Runs in the benchmark's environment, on Linux.
"""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def read_bytes(field: str) -> int:
    """Return VmRSS (memory now, mapped files included) or VmHWM (its peak) in bytes."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024
    message = f"{_STATUS} has no field {field}"
    raise LookupError(message)


def forget_peak() -> int:
    """Let the peak begin anew; return the memory in use now, in bytes."""
    _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    return read_bytes("VmRSS")
