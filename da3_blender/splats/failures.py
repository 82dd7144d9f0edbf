# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences for files that hold no Gaussians, or not all of them.

Runs in both processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from pathlib import Path

MOST_GAUSSIANS: Final = 100_000_000
"""More do not fit into the memory of any machine that could draw them."""


def make_unreadable(path: Path, reason: str, hint: str) -> EngineError:
    """Make the error for a file that cannot be read as Gaussians."""
    return EngineError(ErrorCode.INPUT_UNREADABLE, f"{path.name} {reason}", hint)


def check_count(path: Path, count: int) -> None:
    """Refuse numbers of Gaussians that cannot be meant, or that no machine holds.

    Raises:
        EngineError: INPUT_EMPTY or INPUT_UNREADABLE.
    """
    if count == 0:
        raise EngineError(
            ErrorCode.INPUT_EMPTY,
            f"{path.name} has no Gaussians in it.",
            "Export it again from the program that made it.",
        )
    if count > MOST_GAUSSIANS:
        raise make_unreadable(
            path,
            f"says that it holds {count:,} Gaussians, more than {MOST_GAUSSIANS:,}.",
            "Thin it in the program that made it, or check that it is a file of Gaussians.",
        )


def check_length(path: Path, needed: int, found: int, count: int) -> None:
    """Refuse files that end too early.

    Raises:
        EngineError: INPUT_UNREADABLE.
    """
    if found < needed:
        raise make_unreadable(
            path,
            f"ends too early: {count:,} Gaussians need {needed:,} bytes and {found:,} are there.",
            "Copy or download it again.",
        )
