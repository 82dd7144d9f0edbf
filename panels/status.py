# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and buttons for what can go wrong, and for how long it will take.

Runs in Blender; plain values only.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import ErrorCode


class Remedy(NamedTuple):
    """An operator that mends a failure, and the words on its button."""

    operator: str
    label: str


_CHOOSE: Final = Remedy(names.OP_CHOOSE_FOLDER, "Choose Folder")
_PREFERENCES: Final = Remedy(names.OP_OPEN_PREFERENCES, "Open Preferences")
_DOWNLOAD: Final = Remedy(names.OP_DOWNLOAD_MODEL, "Download Model")
_SET_UP: Final = Remedy(names.OP_INSTALL_ENGINE, "Set Up Engine")
_REPAIR: Final = Remedy(names.OP_REPAIR_ENGINE, "Repair Engine")
_AGAIN: Final = Remedy(names.OP_RECONSTRUCT, "Run Again")
_REMEDIES: Final = {
    ErrorCode.INPUT_MISSING: _CHOOSE,
    ErrorCode.INPUT_EMPTY: _CHOOSE,
    ErrorCode.INPUT_UNREADABLE: _CHOOSE,
    ErrorCode.INPUT_TOO_FEW: _CHOOSE,
    ErrorCode.INPUT_TOO_SMALL: _CHOOSE,
    ErrorCode.INPUT_MISMATCH: _CHOOSE,
    ErrorCode.CHECKPOINT_MISSING: _DOWNLOAD,
    ErrorCode.CHECKPOINT_WRONG: _PREFERENCES,
    ErrorCode.DOWNLOAD_NOT_ALLOWED: _PREFERENCES,
    ErrorCode.ENGINE_MISSING: _SET_UP,
    ErrorCode.ENGINE_BROKEN: _REPAIR,
    ErrorCode.DOWNLOAD_FAILED: _DOWNLOAD,
    ErrorCode.OUT_OF_MEMORY: _AGAIN,
    ErrorCode.OUTPUT_UNWRITABLE: _AGAIN,
    ErrorCode.DISK_FULL: _AGAIN,
    ErrorCode.RESULT_BROKEN: _AGAIN,
    ErrorCode.ENGINE_DIED: _AGAIN,
    ErrorCode.PROTOCOL_BROKEN: _PREFERENCES,
    ErrorCode.SETUP_FAILED: _SET_UP,
    ErrorCode.PYTHON_MISSING: _PREFERENCES,
}


def find_remedy(code: ErrorCode) -> Remedy | None:
    """Return the operator that mends this kind of failure, if there is one."""
    return _REMEDIES.get(code)


def describe_seconds(seconds: float) -> str:
    """Return a length of time in words: "8 s", "3 min 20 s", "1 h 5 min"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
