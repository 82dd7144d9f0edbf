# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes files so that they appear whole or not at all.

Runs in both processes.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from .result_folder import translate_disk_errors

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def open_whole(path: Path) -> Generator[BinaryIO]:
    """Open a file for writing under a temporary name; it gets its own when all is written.

    Raises:
        EngineError: DISK_FULL or OUTPUT_UNWRITABLE with the path; nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with translate_disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
