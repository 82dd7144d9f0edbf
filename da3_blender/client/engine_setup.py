# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the installer, follows it, and remembers whether there is an engine.

Runs in Blender, in its main thread; nothing here waits for the installer except `shut_down_setup`.
"""

from __future__ import annotations

import atexit
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract import protocol
from ..contract.engine_home import EngineHome
from ..contract.engine_lock import hash_lock_files
from ..contract.errors import EngineError, ErrorCode
from ..contract.masking import mask_private
from .deaths import describe_exit, explain_launch_error
from .engine_status import EngineStatus, read_status
from .job import JobState
from .launch import worker_environment
from .process import WorkerProcess
from .session import current_job
from .setup_job import SetupJob

if TYPE_CHECKING:
    from ..contract.setup_request import SetupRequest

LOG_TAIL_LINES: Final = 40
_CANCEL_TIMEOUT_S: Final = 2.5  # the installer takes a second to end uv and to say so
_CLOSE_PATIENCE_S: Final = 0.7


class SetupClient:
    """One installer process and what it said.

    Args:
        python: interpreter with a standard library; Blender's own will do.
        request: what to do.
        module: what to start; tests have one of their own.

    Raises:
        EngineError: the interpreter cannot be started.
    """

    def __init__(
        self, python: str, request: SetupRequest, module: str = "da3_blender.installer"
    ) -> None:
        self.job = SetupJob(request)
        self._cancel_sent_s = 0.0
        command = [python, "-P", "-s", "-u", "-m", module]
        try:
            self._process = WorkerProcess(command, worker_environment(Path(request.extension_root)))
        except OSError as error:
            raise explain_launch_error(error, python) from error
        self._process.send(protocol.encode(request.action, request=request.to_json()))

    def tick(self) -> bool:
        """Take in what the installer said and notice its end; never blocks.

        Returns:
            Whether the job changed.
        """
        if self.job.is_over:
            return False
        is_drained = self._process.is_drained  # asked before reading, so no last word is missed
        is_changed = False
        for message in self._process.take_messages():
            is_changed |= self.job.update(message)
        if self.job.is_over:
            self._bury()
        elif is_drained:
            self._end_by_death()
        elif self._is_deaf():
            self._process.kill()
            self.job.end(JobState.CANCELLED)
            self._bury()
        else:
            return is_changed
        return True

    def cancel(self) -> None:
        """Ask the installer to stop; what has arrived is kept."""
        if self.job.is_over or self.job.state is JobState.CANCELLING:
            return
        self.job.state = JobState.CANCELLING
        self._cancel_sent_s = time.monotonic()
        self._process.send(protocol.encode(protocol.CANCEL))

    def shut_down(self) -> None:
        """End the installer and uv; takes about a second at most."""
        self._process.close(_CLOSE_PATIENCE_S)
        if not self.job.is_over:
            self.job.end(JobState.CANCELLED)

    def _is_deaf(self) -> bool:
        waited_s = time.monotonic() - self._cancel_sent_s
        return self.job.state is JobState.CANCELLING and waited_s > _CANCEL_TIMEOUT_S

    def _end_by_death(self) -> None:
        if self.job.state is JobState.CANCELLING:
            self.job.end(JobState.CANCELLED)
        else:
            what = describe_exit(self._process.exit_code or 0)
            self.job.fail(
                EngineError(
                    ErrorCode.SETUP_FAILED,
                    f"The {self.job.words.lower()} of the engine {what}.",
                    "Start it again; it goes on with what has arrived.",
                )
            )
        self._bury()

    def _bury(self) -> None:
        if not self.job.log_tail:
            self.job.log_tail = [
                mask_private(line) for line in self._process.read_log()[-LOG_TAIL_LINES:]
            ]
        self._process.release()


class _Setup:
    """The set-up in progress and the last look at the disk; the module's only state."""

    client: SetupClient | None = None
    status: EngineStatus | None = None
    is_registered: bool = False


def start_setup(python: str, request: SetupRequest) -> SetupJob:
    """Begin a set-up, repair, check or removal; returns at once.

    Args:
        python: interpreter for the installer.
        request: what to do.

    Raises:
        EngineError: BUSY; a run or another set-up is in progress. ENGINE_MISSING or
            ENGINE_BROKEN; the interpreter cannot be started.
    """
    check_no_setup()
    job = current_job()
    if job is not None and not job.is_over:
        raise EngineError(
            ErrorCode.BUSY,
            "The engine is in use by a run.",
            "Wait until it is done, or cancel it.",
        )
    if not _Setup.is_registered:
        atexit.register(shut_down_setup)
        _Setup.is_registered = True
    _Setup.client = SetupClient(python, request)
    return _Setup.client.job


def check_no_setup() -> None:
    """Refuse while a set-up is in progress.

    Raises:
        EngineError: BUSY.
    """
    job = current_setup()
    if job is not None and not job.is_over:
        raise EngineError(
            ErrorCode.BUSY,
            f"A {job.words.lower()} of the engine is in progress ({job.fraction:.0%} done).",
            "Wait until it is done, or cancel it.",
        )


def current_setup() -> SetupJob | None:
    """Return the present or last set-up of this session, or None; cheap, for panels."""
    return None if _Setup.client is None else _Setup.client.job


def is_setup_running() -> bool:
    """Tell whether a set-up, repair, check or removal is in progress; cheap, for panels."""
    job = current_setup()
    return job is not None and not job.is_over


def tick_setup() -> bool:
    """Take in news; call some five times a second while a set-up runs.

    Returns:
        Whether the job changed.
    """
    return _Setup.client is not None and _Setup.client.tick()


def cancel_setup() -> None:
    """Ask the set-up in progress to stop."""
    if _Setup.client is not None:
        _Setup.client.cancel()


def dismiss_setup() -> None:
    """Remember that the user has seen how the last set-up ended."""
    job = current_setup()
    if job is not None and job.is_over:
        job.is_dismissed = True


def shut_down_setup() -> None:
    """End a set-up in progress; for `unregister()` and the end of Blender."""
    if _Setup.client is not None:
        _Setup.client.shut_down()
        _Setup.client = None


def refresh_status(home: Path, own_python: str) -> EngineStatus:
    """Look at the disk again; after a set-up, a change of preferences, or a failed start.

    Args:
        home: folder of the engine's home.
        own_python: from the preferences.
    """
    _Setup.status = read_status(EngineHome(home), own_python, hash_lock_files())
    return _Setup.status


def current_status() -> EngineStatus | None:
    """Return what the disk said last; None if it was never asked. Cheap, for panels."""
    return _Setup.status


def is_engine_ready() -> bool:
    """Tell whether a run can be started, as far as is known; cheap, for panels."""
    return _Setup.status is not None and _Setup.status.is_ready
