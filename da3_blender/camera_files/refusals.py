# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words for camera files that cannot be used.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from pathlib import Path

_AGAIN = "Export the cameras again, or choose another file."


def refuse(path: Path, why: str, remedy: str = _AGAIN) -> EngineError:
    """Return the error for a file that cannot be used, to be raised."""
    return EngineError(
        ErrorCode.INPUT_UNREADABLE, f"The camera file {path} cannot be read: {why}.", remedy
    )


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        EngineError: INPUT_MISSING or INPUT_UNREADABLE.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise report_missing(path) from error
    except (OSError, ValueError) as error:
        raise refuse(path, str(error)) from error


def report_missing(path: Path) -> EngineError:
    """Return the error for a file that is not there, to be raised."""
    return EngineError(
        ErrorCode.INPUT_MISSING, f"There is no camera file {path}.", "Choose another file."
    )
