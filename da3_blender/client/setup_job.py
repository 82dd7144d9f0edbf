# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One piece of work on the engine's environment as Blender's side sees it.

Runs in Blender; panels read it, only the client changes it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from ..contract import protocol
from ..contract.errors import EngineError
from ..contract.setup_request import CHECK, INSTALL, REMOVE, REPAIR
from .job import JobState

if TYPE_CHECKING:
    from ..contract.setup_request import SetupRequest

ACTION_WORDS: Final = {
    INSTALL: "Set-up",
    REPAIR: "Repair",
    CHECK: "Check",
    REMOVE: "Removal",
}
_OVER: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(eq=False)
class SetupJob:
    """One set-up, repair, check or removal, from the click to its last word.

    Args:
        request: what was asked for.
        state: where it stands.
        stage: label of the stage, for the user; "" before the first.
        fraction: of all of it, 0..1; never falls.
        detail: what is counted in this stage, such as "212 MB of 460 MB".
        remaining_s: guess of the seconds left, or None.
        notes: sentences that the user should read.
        findings: what a check or the self-test found, one line each.
        error: why it failed.
        log_tail: last lines that the installer and uv printed; filled at the end.
        began_s: monotonic clock.
        ended_s: monotonic clock, None while it runs.
        is_dismissed: the user has seen how it ended.
    """

    request: SetupRequest
    state: JobState = JobState.STARTING
    stage: str = ""
    fraction: float = 0.0
    detail: str = ""
    remaining_s: float | None = None
    notes: list[str] = field(default_factory=list[str])
    findings: list[str] = field(default_factory=list[str])
    error: EngineError | None = None
    log_tail: list[str] = field(default_factory=list[str])
    began_s: float = field(default_factory=time.monotonic)
    ended_s: float | None = None
    is_dismissed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the last word was said."""
        return self.state in _OVER

    @property
    def words(self) -> str:
        """What it is, for people: "Set-up", "Repair", "Check", "Removal"."""
        return ACTION_WORDS[self.request.action]

    def elapsed_s(self) -> float:
        """Return the seconds from the start to now, or to the end."""
        return (time.monotonic() if self.ended_s is None else self.ended_s) - self.began_s

    def update(self, message: dict[str, Any]) -> bool:
        """Take in one message of the installer.

        Returns:
            Whether it meant something; nothing does after the last word.
        """
        kind = message["type"]
        if self.is_over:
            return False
        if kind == protocol.PROGRESS:
            self._update_progress(message)
        elif kind == protocol.NOTE:
            self.notes.append(str(message.get("text", "")))
        elif kind == protocol.DONE:
            self.findings = [str(line) for line in _as_list(message.get("findings"))]
            self.fraction = 1.0
            self.end(JobState.DONE)
        elif kind == protocol.FAILED:
            error: object = message.get("error")
            self.fail(
                EngineError.from_json(
                    cast(dict[str, object], error) if isinstance(error, dict) else {}
                )
            )
        elif kind == protocol.CANCELLED:
            self.end(JobState.CANCELLED)
        else:
            return False
        self.log_tail = [str(line) for line in _as_list(message.get("log"))] or self.log_tail
        return True

    def fail(self, error: EngineError) -> None:
        """End it with an error."""
        self.error = error
        self.end(JobState.FAILED)

    def end(self, state: JobState) -> None:
        """Enter a final state and stop the clock."""
        self.state = state
        self.remaining_s = None
        self.ended_s = time.monotonic()

    def _update_progress(self, message: dict[str, Any]) -> None:
        if self.state is JobState.STARTING:
            self.state = JobState.RUNNING
        self.stage = str(message.get("stage", ""))
        self.detail = str(message.get("detail", ""))
        fraction = message.get("fraction")
        if isinstance(fraction, (int, float)):
            self.fraction = max(self.fraction, min(float(fraction), 1.0))
        remaining = message.get("remaining_s")
        self.remaining_s = float(remaining) if isinstance(remaining, (int, float)) else None


def _as_list(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []
