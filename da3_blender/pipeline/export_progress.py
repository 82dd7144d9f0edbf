# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports with and without somebody who follows them.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..contract.result_folder import Result
    from .photos import SupportsReport


class Export(Protocol):
    """Writes a result in one format; returns the file, or the folder of several."""

    def __call__(self, result: Result, out: Path, progress: SupportsReport = ..., /) -> Path:
        """Write; `progress` is told of every picture."""
        ...


class Quiet:
    """Listens to reports and does nothing."""

    def report(self, fraction: float, /, detail: str = "") -> None:
        """Take the finished share and forget it."""


QUIET: SupportsReport = Quiet()


def make_quick(write: Callable[[Result, Path], Path]) -> Export:
    """Let a function that has nothing to report be an export."""

    def export(result: Result, out: Path, _progress: SupportsReport = QUIET, /) -> Path:
        return write(result, out)

    return export
