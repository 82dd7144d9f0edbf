# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the engine is there: looked up on the disk when something changed, never while drawing.

Runs in Blender.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..contract.engine_home import EngineHome, EngineStamp, read_stamp
from ..contract.errors import EngineError
from .launch import find_engine_python

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class EngineCondition(enum.Enum):
    """What there is to start."""

    MISSING = "missing"  # nothing was set up yet
    UNFINISHED = "unfinished"  # a set-up was stopped; going on costs less than beginning
    BROKEN = "broken"  # it was set up, but cannot be started any more
    OUTDATED = "outdated"  # it works, but this version of the extension wants other libraries
    READY = "ready"
    OWN = "own"  # a Python that the user named in the preferences


@dataclass(frozen=True)
class EngineStatus:
    """What the disk said when it was last asked.

    Attributes:
        condition: what there is.
        stamp: what the environment is made of; None where there is none.
        trouble: one sentence for BROKEN, else "".
        kept_bytes: packages that an unfinished set-up has kept.
    """

    condition: EngineCondition
    stamp: EngineStamp | None = None
    trouble: str = ""
    kept_bytes: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether a run can be started."""
        return self.condition in (
            EngineCondition.READY,
            EngineCondition.OUTDATED,
            EngineCondition.OWN,
        )


def read_status(home: EngineHome, own_python: str, lock: str) -> EngineStatus:
    """Look at the disk; takes about a millisecond.

    Args:
        home: of the engine.
        own_python: from the preferences; "" for the environment of the set-up.
        lock: hash of the lock files of this version of the extension.
    """
    if own_python.strip():
        try:
            find_engine_python(own_python, home.folder)
        except EngineError as error:
            return EngineStatus(EngineCondition.BROKEN, trouble=error.message)
        return EngineStatus(EngineCondition.OWN)
    kept = _sum_sizes([home.downloads])
    stamp = read_stamp(home.stamp_file)
    if stamp is None:
        if home.environment.exists():
            sentence = "The engine's environment is incomplete."
            return EngineStatus(EngineCondition.BROKEN, trouble=sentence, kept_bytes=kept)
        is_begun = kept > 0 or bool(home.list_unfinished())
        condition = EngineCondition.UNFINISHED if is_begun else EngineCondition.MISSING
        return EngineStatus(condition, kept_bytes=kept)
    if not home.python.is_file():  # a link whose target is gone is no file either
        sentence = f"The Python that the engine was made with is gone ({stamp.base_python})."
        return EngineStatus(EngineCondition.BROKEN, stamp, sentence, kept)
    condition = EngineCondition.READY if stamp.lock == lock else EngineCondition.OUTDATED
    return EngineStatus(condition, stamp, kept_bytes=kept)


def _sum_sizes(folders: Sequence[Path]) -> int:
    """Return the size of the files in folders, without their sub-folders."""
    total = 0
    for folder in folders:
        try:
            total += sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        except OSError:  # it is not there, or a set-up is moving files
            continue
    return total
