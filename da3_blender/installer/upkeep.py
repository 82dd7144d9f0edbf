# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look whether the environment is complete and works, mend it, or take it away.

Runs in the installer.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract.engine_home import EngineStamp, read_stamp
from ..contract.engine_lock import hash_lock_files
from ..contract.errors import EngineError, ErrorCode
from .discarding import discard, remove_unfinished, set_aside
from .downloads import format_bytes
from .install import (
    STAGE_DOWNLOAD,
    STAGE_PREPARE,
    STAGE_TEST,
    STAGE_UNPACK,
    describe,
    fetch,
    install,
    install_packages,
    make_stamp,
    plan_packages,
    run_tests,
)
from .records import Record, find_damaged, read_records
from .resolution import read_lock

if TYPE_CHECKING:
    from .work import Work

STAGE_FILES: Final = "Reading all files"
STAGE_REMOVE: Final = "Removing"
_NAMED: Final = 3


def check(work: Work) -> list[str]:
    """Find out whether the environment is complete and computes what it should.

    Returns:
        What was found, one line each.

    Raises:
        EngineError: ENGINE_MISSING, or ENGINE_BROKEN with the reason.
        CancelledError: the user cancelled.
    """
    remove_unfinished(work.home)
    work.progress.plan([(STAGE_FILES, 0.6), (STAGE_TEST, 0.4)])
    work.progress.begin(STAGE_FILES)
    stamp = _need_stamp(work)
    damaged = _find_damaged(work, stamp)
    if damaged:
        raise EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"The engine is damaged: {_name(damaged)}.",
            "Press Repair.",
        )
    work.progress.begin(STAGE_TEST, "Loading all libraries")
    answer = run_tests(work, work.home.environment)
    lines = describe(stamp, answer)
    lines.append("All files are complete")
    if stamp.lock != hash_lock_files():
        lines.append("This version of the extension wants newer libraries: press Update")
    return lines


def repair(work: Work) -> list[str]:
    """Install again what is damaged, or everything if that is what it takes.

    Returns:
        What was done, one line each.

    Raises:
        EngineError: anything that the user can mend.
        CancelledError: the user cancelled.
    """
    remove_unfinished(work.home)
    stamp = read_stamp(work.home.stamp_file)
    is_usable = stamp is not None and work.home.python.is_file()
    if stamp is None or not is_usable or stamp.lock != hash_lock_files():
        return install(work)
    work.progress.plan(
        [
            (STAGE_FILES, 0.3),
            (STAGE_PREPARE, 0.1),
            (STAGE_DOWNLOAD, 0.3),
            (STAGE_UNPACK, 0.2),
            (STAGE_TEST, 0.1),
        ]
    )
    work.progress.begin(STAGE_FILES)
    damaged = _find_damaged(work, stamp)
    if damaged:
        work.progress.begin(STAGE_PREPARE)
        base, packages = plan_packages(work)
        is_same = all(stamp.packages.get(p.name) == p.version for p in packages)
        if not is_same or base.version_text != stamp.python:
            return install(work)
        needed = [package for package in packages if package.name in damaged]
        wheels = fetch(work, needed)
        work.home.stamp_file.unlink()  # it is not complete from here on
        work.progress.begin(STAGE_UNPACK)
        install_packages(work, work.home.environment, needed, wheels)
        work.progress.begin(STAGE_TEST, "Loading all libraries")
        answer = run_tests(work, work.home.environment)
        mended = make_stamp(work, work.home.environment, base, packages, answer)
        mended.write(work.home.stamp_file)
        discard(work.home.workshop)
        return [*describe(mended, answer), f"Installed again: {', '.join(sorted(damaged))}"]
    work.progress.begin(STAGE_TEST, "Loading all libraries")
    try:
        answer = run_tests(work, work.home.environment)
    except EngineError as error:
        work.progress.note(f"All files are complete, yet: {error.message}")
        return install(work)  # perhaps the driver is another one than at the set-up
    return [*describe(stamp, answer), "Nothing was damaged"]


def remove(work: Work) -> list[str]:
    """Take away everything that the set-up made; models and results stay.

    Returns:
        What was done, one line.

    Raises:
        EngineError: OUTPUT_UNWRITABLE; a file is in use.
        CancelledError: the user cancelled.
    """
    home = work.home
    work.progress.plan([(STAGE_REMOVE, 1.0)])
    work.progress.begin(STAGE_REMOVE)
    home.stamp_file.unlink(missing_ok=True)  # from here on it is no engine any more
    for place in (home.environment, home.workshop, home.pythons):
        set_aside(place)
    places = home.list_unfinished()
    freed = 0
    for number, place in enumerate(places):
        work.progress.report(number / len(places), place.name, force=True)
        freed += _remove_tree(work, place)
    return [f"{format_bytes(freed)} were freed"]


def _need_stamp(work: Work) -> EngineStamp:
    home = work.home
    stamp = read_stamp(home.stamp_file)
    if stamp is None:
        raise EngineError(
            ErrorCode.ENGINE_MISSING,
            f"There is no complete engine in {home.environment}.",
            "Press Set Up.",
        )
    if not home.python.is_file():
        raise EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"The Python that the engine was made with is gone ({stamp.base_python}).",
            "Press Repair.",
        )
    return stamp


def _find_damaged(work: Work, stamp: EngineStamp) -> dict[str, str]:
    """Return the packages that are missing or damaged, with the reason."""
    records = read_records(work.home.environment)
    reader = _Reader(work, records)
    damaged = find_damaged(records, reader.count)
    present = {record.name for record in records}
    wanted = {*stamp.packages, *(entry.name for entry in read_lock() if not entry.has_marker)}
    return {**dict.fromkeys(wanted - present, "is missing"), **damaged}


class _Reader:
    """Says how many bytes were read."""

    def __init__(self, work: Work, records: list[Record]) -> None:
        self._work = work
        self._total = max(sum(record.size_bytes for record in records), 1)
        self._read = 0

    def count(self, count: int) -> None:
        """Add bytes and report."""
        self._read += count
        words = f"{format_bytes(self._read)} of {format_bytes(self._total)}"
        self._work.progress.report(self._read / self._total, words)


def _name(damaged: dict[str, str]) -> str:
    words = [f"{name} ({trouble})" for name, trouble in sorted(damaged.items())]
    more = f" and {len(words) - _NAMED} more packages" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more


def _remove_tree(work: Work, place: Path) -> int:
    """Remove a folder, file by file so that a cancel is heard; return the bytes."""
    freed = 0
    for folder, _, names in os.walk(place, topdown=False):
        for name in names:
            path = Path(folder, name)
            try:
                freed += path.lstat().st_size
                path.unlink()
            except PermissionError as error:
                raise EngineError(
                    ErrorCode.OUTPUT_UNWRITABLE,
                    f"The file {path} is in use or may not be removed.",
                    "Close other Blenders that use the engine, and press Remove again.",
                ) from error
        work.progress.report(0.0, place.name)
    shutil.rmtree(place, ignore_errors=True)  # folders, and links to folders
    return freed
