# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error type that crosses the wall between the two processes.

Runs in both processes.
"""

from __future__ import annotations

import enum


class ErrorCode(enum.Enum):
    """Kinds of failure; the panel maps some of them to an operator that mends them."""

    INPUT_MISSING = "input_missing"
    INPUT_EMPTY = "input_empty"
    INPUT_UNREADABLE = "input_unreadable"
    INPUT_TOO_FEW = "input_too_few"
    INPUT_TOO_SMALL = "input_too_small"
    INPUT_MISMATCH = "input_mismatch"
    SETTINGS_INVALID = "settings_invalid"
    CAMERAS_NOT_FOUND = "cameras_not_found"
    CHECKPOINT_MISSING = "checkpoint_missing"
    CHECKPOINT_WRONG = "checkpoint_wrong"
    DOWNLOAD_NOT_ALLOWED = "download_not_allowed"
    DOWNLOAD_FAILED = "download_failed"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_UNWRITABLE = "output_unwritable"
    DISK_FULL = "disk_full"
    RESULT_BROKEN = "result_broken"
    ENGINE_MISSING = "engine_missing"
    ENGINE_BROKEN = "engine_broken"
    ENGINE_DIED = "engine_died"
    SETUP_FAILED = "setup_failed"
    PYTHON_MISSING = "python_missing"
    PROTOCOL_BROKEN = "protocol_broken"
    BUSY = "busy"
    INTERNAL = "internal"


class EngineError(Exception):
    """A failure that a user can read: what happened, and what to do about it.

    Args:
        code: the kind of failure.
        message: one sentence with the number or the path that matters.
        hint: one sentence that says what to do.
    """

    def __init__(self, code: ErrorCode, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.code = code
        self.message = message
        self.hint = hint

    def to_json(self) -> dict[str, str]:
        """Return the three parts as plain strings, for a message or a log."""
        return {"code": self.code.value, "message": self.message, "hint": self.hint}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> EngineError:
        """Build the error from `to_json`'s dictionary; an unknown code becomes INTERNAL."""
        known = {code.value: code for code in ErrorCode}
        code = known.get(str(data.get("code", "")), ErrorCode.INTERNAL)
        return cls(code, str(data.get("message", "")), str(data.get("hint", "")))


class CancelledError(Exception):
    """The user cancelled: an answer, not a failure."""
