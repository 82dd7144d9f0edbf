# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put folders in place and throw folders away, so that a kill at any moment leaves whole ones.

Runs in the installer. A folder is renamed before its files are deleted: half of uv's cache, for
one, would break the next set-up.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Final

from ..contract.engine_home import STAMP_FILE
from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.engine_home import EngineHome

_ATTEMPTS: Final = 10
_PAUSE_S: Final = 0.3


def put_in_place(home: EngineHome, fresh: Path) -> None:
    """Rename a finished environment to its place; the one that was there goes.

    Raises:
        EngineError: OUTPUT_UNWRITABLE; another program uses the old one, which stays.
    """
    old = set_aside(home.environment)
    try:
        _rename(fresh, home.environment)
    except EngineError:
        if old is not None:
            old.rename(home.environment)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def discard(folder: Path) -> None:
    """Throw a folder away; what another program holds goes at the next set-up.

    Raises:
        EngineError: OUTPUT_UNWRITABLE; another program uses it, and it stays.
    """
    old = set_aside(folder)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def set_aside(folder: Path) -> Path | None:
    """Rename a folder to a name that says it is thrown away.

    Returns:
        Its new path, or None if there is no such folder.

    Raises:
        EngineError: OUTPUT_UNWRITABLE; another program uses it.
    """
    if not folder.exists():
        return None
    old = folder.with_name(f"{folder.name}.old-{os.getpid()}")
    _rename(folder, old)
    return old


def remove_unfinished(home: EngineHome) -> None:
    """Throw away what nobody will finish, or finish throwing away.

    A kill between the two renames of `put_in_place` leaves no engine but a finished one beside
    its place; that is put there.
    """
    finished = [f for f in home.list_unfinished() if (f / STAMP_FILE).is_file()]
    if finished and not home.environment.exists():
        _rename(finished[0], home.environment)  # engine.new-... comes before engine.old-...
    for folder in home.list_unfinished():
        shutil.rmtree(folder, ignore_errors=True)


def _rename(source: Path, target: Path) -> None:
    """Rename a folder; virus scanners on Windows hold new files for a moment."""
    for attempt in range(_ATTEMPTS):
        try:
            source.rename(target)
        except PermissionError as error:
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_PAUSE_S)
                continue
            raise EngineError(
                ErrorCode.OUTPUT_UNWRITABLE,
                f"The folder {source} is in use by another program.",
                "Close other Blenders that use the engine, and try again.",
            ) from error
        return
