# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what a worker that was killed left beside the results folder.

Runs in Blender.
"""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ..contract.result_folder import name_old_folder, name_work_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ATTEMPTS: Final = 10
_PAUSE_S: Final = 0.2


def list_missing_parents(output: Path) -> list[Path]:
    """Return the parents of a results folder that are not there yet, innermost first."""
    return [parent for parent in output.parents if not parent.exists()]


def remove_leftovers(output: Path, pid: int, made: Sequence[Path]) -> None:
    """Remove the work folder of a process that has ended, and empty folders that it made.

    An earlier result that the process was about to replace goes back to its place.

    What cannot be removed yet (Windows keeps files of a killed process open for a moment) is
    tried again from a thread.

    Args:
        output: results folder of the job.
        pid: of the worker.
        made: parents that were missing before the job, innermost first.
    """
    if not _remove(output, pid, made):
        threading.Thread(target=_keep_removing, args=(output, pid, made), daemon=True).start()


def _keep_removing(output: Path, pid: int, made: Sequence[Path]) -> None:
    for _ in range(_ATTEMPTS):
        time.sleep(_PAUSE_S)
        if _remove(output, pid, made):
            return


def _remove(output: Path, pid: int, made: Sequence[Path]) -> bool:
    folder = name_work_folder(output, pid)
    old = name_old_folder(folder)
    if not output.exists():  # it ended between the two renames that replace an earlier result
        with suppress(OSError):
            old.rename(output)
    for place in (folder, old):
        shutil.rmtree(place, ignore_errors=True)
        if place.exists():
            return False
    with suppress(OSError):  # absent, or somebody else uses it by now
        for parent in made:
            parent.rmdir()
    return True
