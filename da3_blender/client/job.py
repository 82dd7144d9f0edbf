# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One job as Blender's side sees it.

Runs in Blender; panels read it, only the client changes it.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ..contract import protocol
from ..contract.errors import EngineError

if TYPE_CHECKING:
    from ..contract.export_request import ExportRequest
    from ..contract.settings import RunSettings


class JobState(enum.Enum):
    """Where a job stands; the last three are final."""

    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobKind(enum.Enum):
    """What a job does; the values are the messages that ask for it."""

    RUN = protocol.RUN
    FETCH = protocol.FETCH
    CHECK = protocol.CHECK
    EXPORT = protocol.EXPORT


_FOUND = ("cameras", "views", "points", "file", "live", "drift", "loops")
_FINAL_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(eq=False)
class Job:
    """One run, check of its input, download of a model or export of a result, to its last word.

    Args:
        id: unique; messages name it.
        settings: what a run or a check was asked for; None for others.
        model: of a download, a key of `contract.models.MODELS`; "" for others.
        kind: run, check, download or export.
        folder: cache of a download; "" is the usual one.
        export: what is to be exported; None for others.
        state: where it stands.
        stage: label of the stage, for the user; "" before the first.
        fraction: of the whole job, 0..1; never falls.
        detail: what is counted in this stage.
        remaining_s: guess of the seconds left, or None.
        notes: sentences that the user should read.
        found: the last preview: cameras, views, points, and `file`, or for chunks of a long
            sequence `live`, `drift` and `loops`; None before the first.
        is_finishing: the user wants it to end and to keep what exists.
        summary: what the engine says about the result, with "folder"; None before the end.
        error: why it failed.
        log_tail: last lines of the log, masked; filled at the end.
        began_s: monotonic clock.
        ended_s: monotonic clock, None while it runs.
    """

    id: str
    settings: RunSettings | None
    model: str = ""
    kind: JobKind = JobKind.RUN
    folder: str = ""
    export: ExportRequest | None = None
    state: JobState = JobState.STARTING
    stage: str = ""
    fraction: float = 0.0
    detail: str = ""
    remaining_s: float | None = None
    notes: list[str] = field(default_factory=list[str])
    found: dict[str, Any] | None = None
    is_finishing: bool = False
    summary: dict[str, Any] | None = None
    error: EngineError | None = None
    log_tail: list[str] = field(default_factory=list[str])
    began_s: float = field(default_factory=time.monotonic)
    ended_s: float | None = None

    def encode_request(self) -> str:
        """Return the message that asks the worker for this job."""
        if self.export is not None:
            return protocol.encode(protocol.EXPORT, job=self.id, export=self.export.to_json())
        if self.settings is None:
            return protocol.encode(
                protocol.FETCH, job=self.id, model=self.model, folder=self.folder
            )
        return protocol.encode(self.kind.value, job=self.id, settings=self.settings.to_json())

    @property
    def can_finish(self) -> bool:
        """Whether there is something that could be kept if it ended now."""
        is_running = self.state is JobState.RUNNING and not self.is_finishing
        return is_running and self.kind is JobKind.RUN and self.found is not None

    @property
    def is_over(self) -> bool:
        """Whether the last word was said."""
        return self.state in _FINAL_STATES

    def elapsed_s(self) -> float:
        """Return the seconds from the start to now, or to the end."""
        return (time.monotonic() if self.ended_s is None else self.ended_s) - self.began_s

    def update(self, message: dict[str, Any]) -> bool:
        """Take in one message of the worker about this job.

        Returns:
            Whether it meant something; nothing does after the last word.
        """
        kind = message["type"]
        if self.is_over or message.get("job") != self.id:
            return False
        if kind == protocol.PROGRESS:
            self._update_progress(message)
        elif kind == protocol.NOTE:
            self.notes.append(str(message.get("text", "")))
        elif kind == protocol.PREVIEW:
            self.found = {key: message.get(key) for key in _FOUND}
        elif kind == protocol.DONE:
            self._finish(message)
        elif kind == protocol.FAILED:
            self.fail(EngineError.from_json(_as_object(message.get("error"))))
        elif kind == protocol.CANCELLED:
            self.end(JobState.CANCELLED)
        else:
            return False
        log: list[object] = message.get("log") or []
        if log:
            self.log_tail = [str(line) for line in log]
        return True

    def fail(self, error: EngineError) -> None:
        """End the job with an error."""
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

    def _finish(self, message: dict[str, Any]) -> None:
        folder = str(message.get("folder", ""))
        self.summary = {**_as_object(message.get("summary")), "folder": folder}
        self.fraction = 1.0
        if self.state is JobState.CANCELLING:
            # The user said stop, so nothing is built; but the result is complete and stays.
            self.notes.append(f"The run was complete before it could be cancelled: {folder}")
            self.end(JobState.CANCELLED)
        else:
            self.end(JobState.DONE)


def _as_object(value: object) -> dict[str, Any]:
    """Return a JSON object as it is, and an empty one in place of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
