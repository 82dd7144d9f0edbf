# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From any exception to a sentence with a remedy.

Runs in the engine.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from ..contract.settings import RunSettings

_PATCH_PX: Final = 14  # the network's resolutions are multiples of this
_SMALLEST_RESOLUTION_PX: Final = 224
# What torch and CUDA say in a plain RuntimeError.
_MEMORY_PHRASES: Final = ("out of memory", "can't allocate memory", "not enough memory")


def exception_to_error(error: BaseException, settings: RunSettings | None) -> EngineError:
    """Turn whatever stopped a job into an EngineError.

    Args:
        error: the exception; an EngineError is returned as it is.
        settings: of the run, for concrete numbers in the remedy; None for other jobs.
    """
    if isinstance(error, EngineError):
        return error
    if _is_out_of_memory(error):
        return EngineError(
            ErrorCode.OUT_OF_MEMORY,
            f"The memory ran out ({summarise(error)}).",
            "Close other programs and try again."
            if settings is None
            else suggest_smaller(settings),
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or ("a file" if settings is None else settings.output)
        return EngineError(
            ErrorCode.DISK_FULL,
            f"The disk is full; {where} could not be written.",
            "Free some space or choose a results folder on another disk.",
        )
    if isinstance(error, ImportError):
        return EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"The engine lacks a part that it needs ({summarise(error)}).",
            "Install the engine again, or choose another engine Python in the preferences.",
        )
    return EngineError(
        ErrorCode.INTERNAL,
        f"The engine met an error that it does not know ({summarise(error)}).",
        "Copy the report and file an issue.",
    )


def summarise(error: BaseException) -> str:
    """Return the kind and the first line of an exception, at most 200 characters."""
    lines = str(error).strip().splitlines()
    kind = type(error).__name__
    return f"{kind}: {lines[0]}"[:200] if lines else kind


def suggest_smaller(settings: RunSettings) -> str:
    """Return a remedy for too little memory with concrete numbers."""
    now = settings.network_resolution
    smaller = now * 3 // 4 // _PATCH_PX * _PATCH_PX
    if smaller < _SMALLEST_RESOLUTION_PX:
        return "Use fewer photos or a smaller model."
    return f"Lower the process resolution from {now} to {smaller}, or use fewer photos."


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in _MEMORY_PHRASES)
