# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell the user when the worker's process ended by itself.

Runs in Blender.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.settings import RunSettings


def describe_exit(exit_code: int) -> str:
    """Return what ended a process: "was killed (SIGKILL)", "stopped with exit code 1"."""
    if exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        verb = "was killed" if name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP") else "crashed"
        return f"{verb} ({name})"
    if exit_code > 0xFFFF:  # noqa: PLR2004 - Windows puts status codes such as 0xC0000005 here
        return f"crashed (0x{exit_code:08X})"
    return f"stopped with exit code {exit_code}"


def explain_death(exit_code: int, settings: RunSettings | None) -> EngineError:
    """Return the error for a worker that ended in the middle of a job.

    Args:
        exit_code: as `subprocess` gives it; negative for signals.
        settings: of the run, for concrete numbers in the remedy; None for a download.
    """
    what = describe_exit(exit_code)
    # No other process sends SIGKILL as often as a system that runs out of memory.
    is_killed = sys.platform != "win32" and exit_code == -signal.SIGKILL
    if is_killed and settings is not None:
        return EngineError(
            ErrorCode.ENGINE_DIED,
            f"The engine {what}, most likely because memory ran out.",
            "Use fewer photos or a resolution below "
            f"{settings.network_resolution}, then run again.",
        )
    return EngineError(
        ErrorCode.ENGINE_DIED,
        f"The engine {what} in the middle of the {'download' if settings is None else 'run'}.",
        "Run again; if it happens again, copy the report and file an issue.",
    )


def explain_failed_start(exit_code: int, log: Sequence[str]) -> EngineError:
    """Return the error for a worker that ended before it was ready.

    Args:
        exit_code: as `subprocess` gives it.
        log: what it printed; the last line goes into the message.
    """
    what = describe_exit(exit_code)
    if what.startswith("was killed"):  # from outside: nothing is wrong with the engine
        return EngineError(
            ErrorCode.ENGINE_DIED,
            f"The engine {what} while it was starting.",
            "Run again; if it happens again, close other programs, or copy the report and file an "
            "issue.",
        )
    last = next((line.strip() for line in reversed(log) if line.strip()), "")
    why = f": {last[:300]}" if last else ", and said nothing"
    return EngineError(
        ErrorCode.ENGINE_BROKEN,
        f"The engine could not start; it {what}{why}",
        "Choose a Python 3.11 or newer that has the engine's libraries in the preferences, "
        "or install the engine again.",
    )


def explain_launch_error(error: OSError, program: str) -> EngineError:
    """Return the error for a program that the system would not start.

    Args:
        error: from `subprocess`.
        program: path of the engine's Python.
    """
    if isinstance(error, FileNotFoundError):
        return EngineError(
            ErrorCode.ENGINE_MISSING,
            f"There is no engine at {program}.",
            "Set the engine's Python in the preferences of DA3 Reconstruction.",
        )
    return EngineError(
        ErrorCode.ENGINE_BROKEN,
        f"The engine's Python {program} cannot be started ({error.strerror or error}).",
        "Choose a Python made for this computer in the preferences, or install the engine again.",
    )
