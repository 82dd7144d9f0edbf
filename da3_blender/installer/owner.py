# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One installer at a time in a folder, also with two Blenders open.

Runs in the installer. The system takes the lock away when the process ends, however it ends.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode
from .uv_failures import explain_denied

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PID_OFFSET: Final = 1  # Windows lets nobody read the locked byte, so the owner stands behind it


@contextmanager
def own(path: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Args:
        path: of the lock file; it stays.

    Raises:
        EngineError: BUSY, another process holds it; OUTPUT_UNWRITABLE.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise explain_denied(str(path.parent), error.strerror or str(error)) from error
    try:
        if not _lock(descriptor):
            raise EngineError(
                ErrorCode.BUSY,
                f"Another Blender is setting up the engine in {path.parent} "
                f"(process {_read_owner(descriptor)}).",
                "Wait until it is done, or close that Blender.",
            )
        os.lseek(descriptor, _PID_OFFSET, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid():<12}".encode("ascii"))
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _lock(descriptor: int) -> bool:
    """Lock the first byte; false if somebody else has it."""
    if sys.platform == "win32":
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network folder without locks: better no lock than no set-up
        return True
    return True


def _read_owner(descriptor: int) -> str:
    with suppress(OSError):
        os.lseek(descriptor, _PID_OFFSET, os.SEEK_SET)
        return os.read(descriptor, 12).decode("ascii", "replace").strip() or "unknown"
    return "unknown"
