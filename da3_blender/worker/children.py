# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The child processes of the worker: find them and end them.

Runs in the engine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def kill_children() -> None:
    """End all descendants of this process at once.

    On Windows nothing is killed here: children read a pipe from us and end with its EOF.
    """
    if sys.platform == "win32":
        return
    parents = _list_parents_linux() if sys.platform == "linux" else _list_parents_ps()
    for pid in find_descendants(os.getpid(), parents):
        with suppress(ProcessLookupError, PermissionError):  # it ended by itself meanwhile
            os.kill(pid, signal.SIGKILL)


def find_descendants(pid: int, parents: dict[int, int]) -> list[int]:
    """Return children, grandchildren and so on of `pid`, nearest first.

    Args:
        pid: the process to start from.
        parents: pid of the parent for each pid.
    """
    found: list[int] = []
    generation = [pid]
    while generation:
        generation = [child for child, parent in parents.items() if parent in generation]
        found += generation
    return found


def _list_parents_linux() -> dict[int, int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status = (folder / "stat").read_bytes()
        except OSError:  # it ended while we looked
            continue
        # "pid (name) state parent ...", where the name may hold spaces and brackets
        parents[int(folder.name)] = int(status.rpartition(b")")[2].split()[1])
    return parents


def _list_parents_ps() -> dict[int, int]:
    command = ["/bin/ps", "-axo", "pid=,ppid="]
    try:
        answer = subprocess.run(  # noqa: S603 - a program of the system
            command, capture_output=True, text=True, timeout=0.5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {int(row[0]): int(row[1]) for row in rows if len(row) == 2}  # noqa: PLR2004
