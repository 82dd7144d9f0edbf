# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: one worker, at most one job at a time, and what became of it.

Runs in Blender, in its main thread; nothing here waits for the worker except `shut_down`.
"""

from __future__ import annotations

import logging
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..contract import protocol
from ..contract.errors import EngineError, ErrorCode
from ..contract.estimates import DeviceFacts
from ..contract.masking import mask_private
from ..contract.models import get_model
from .deaths import explain_death, explain_failed_start, explain_launch_error
from .job import Job, JobKind, JobState
from .leftovers import list_missing_parents, remove_leftovers
from .process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.export_request import ExportRequest
    from ..contract.settings import RunSettings

LOG_TAIL_LINES: Final = 40
_CLOSE_PATIENCE_S: Final = 0.7  # the worker ends its children and its files in 0.4 s

logger = logging.getLogger(__name__)


class EngineClient:
    """Starts the worker when a job needs it, keeps it, and replaces it when it died.

    Args:
        command: program and arguments of the worker.
        environment: all of the worker's environment.
        ready_timeout_s: how long a fresh worker may take to say `ready`.
        cancel_timeout_s: how long a worker may take to answer a cancel before it is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        ready_timeout_s: float = 60.0,
        cancel_timeout_s: float = 1.9,
    ) -> None:
        self.command = list(command)
        self._environment = dict(environment)
        self._ready_timeout_s = ready_timeout_s
        self._cancel_timeout_s = cancel_timeout_s
        self._process: WorkerProcess | None = None
        self._worker_pid: int | None = None  # from `ready`; None until then
        self._has_served = False  # this worker was given a job before the present one
        self._touched: list[tuple[Path, list[Path]]] = []  # results folders it may have begun
        self._job: Job | None = None
        self._check: Job | None = None
        self._leaving: Job | None = None  # a check that was asked to make way
        self.device: DeviceFacts | None = None
        self._run_line: str | None = None  # not sent yet
        self._is_heard = False  # the worker said something about the present job
        self._cancel_sent_s = 0.0

    @property
    def job(self) -> Job | None:
        """The present or last run or download."""
        return self._job

    @property
    def check(self) -> Job | None:
        """The present or last check of an input; it makes way for everything else."""
        return self._check

    @property
    def is_alive(self) -> bool:
        """Whether a worker process runs."""
        return self._process is not None and self._process.exit_code is None

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker once it is ready, else None."""
        return self._worker_pid

    def start_job(self, settings: RunSettings) -> Job:
        """Begin a run, with a new worker if there is none; returns at once.

        Raises:
            EngineError: BUSY, SETTINGS_INVALID, or ENGINE_MISSING and ENGINE_BROKEN when the
                worker's program cannot be started.
        """
        self._check_idle()
        settings.check()
        job = Job(uuid.uuid4().hex, settings)
        if len(job.encode_request()) > protocol.MAX_LINE_BYTES:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"The list of {len(settings.inputs)} files is too long for one run.",
                "Put the photos into one folder and choose the folder.",
            )
        self._begin(job)
        return job

    def start_check(self, settings: RunSettings) -> Job:
        """Begin to look for photos that will not do; returns at once.

        An earlier check ends. A run or a download that is started meanwhile ends this one.

        Raises:
            EngineError: as `start_job`.
        """
        self._check_idle()
        settings.check()
        job = Job(uuid.uuid4().hex, settings, kind=JobKind.CHECK)
        self._begin(job)
        return job

    def start_fetch(self, model_id: str, folder: str = "") -> Job:
        """Begin the download of a model's weights into the cache; returns at once.

        The user has seen the licence and has agreed.

        Args:
            model_id: one of `contract.models.MODELS`.
            folder: used as the cache; "" is the usual one.

        Raises:
            EngineError: BUSY, SETTINGS_INVALID (no such model), or ENGINE_MISSING and
                ENGINE_BROKEN when the worker's program cannot be started.
        """
        self._check_idle()
        model_id = get_model(model_id).id
        job = Job(uuid.uuid4().hex, None, model_id, kind=JobKind.FETCH, folder=folder)
        self._begin(job)
        return job

    def start_export(self, request: ExportRequest) -> Job:
        """Begin to write an existing result for other programs; returns at once.

        Raises:
            EngineError: BUSY, SETTINGS_INVALID, or ENGINE_MISSING and ENGINE_BROKEN when the
                worker's program cannot be started.
        """
        self._check_idle()
        request.check()
        job = Job(uuid.uuid4().hex, None, kind=JobKind.EXPORT, export=request)
        self._begin(job)
        return job

    def finish(self) -> None:
        """Ask the worker to end the present run here and to keep what exists."""
        job = self._job
        if job is not None and job.can_finish and self._process is not None:
            job.is_finishing = True
            self._process.send(protocol.encode(protocol.FINISH, job=job.id))

    def cancel(self) -> None:
        """Ask the worker to stop the present job; it ends as CANCELLED within 2 s of ticks."""
        job = self._job
        if job is None or job.is_over or job.state is JobState.CANCELLING:
            return
        if self._process is None or self._run_line is not None:
            self._run_line = None
            job.end(JobState.CANCELLED)  # the worker does not know of it yet
            return
        job.state = JobState.CANCELLING
        self._cancel_sent_s = time.monotonic()
        self._process.send(protocol.encode(protocol.CANCEL, job=job.id))

    def tick(self) -> bool:
        """Take in what the worker said and notice its end; call some ten times a second.

        Returns:
            Whether the job changed.
        """
        process = self._process
        if process is None:
            return False
        is_drained = process.is_drained  # asked before reading, so that no last word is missed
        is_changed = False
        for message in process.take_messages():
            if self._process is process:
                is_changed |= self._handle(message)
        if self._process is process:
            is_changed |= self._bury() if is_drained else self._check_clocks()
        return is_changed

    def shut_down(self) -> None:
        """End the worker and the present job; takes about a second at most.

        The next `start_job` starts a new worker.
        """
        if self._process is None:
            return
        self._process.close(_CLOSE_PATIENCE_S)
        self._end_job(None)

    def _check_idle(self) -> None:
        if self._job is not None and not self._job.is_over:
            words = {JobKind.RUN: "A run", JobKind.EXPORT: "An export"}
            what = words.get(self._job.kind, "A download")
            raise EngineError(
                ErrorCode.BUSY,
                f"{what} is in progress ({self._job.fraction:.0%} done).",
                "Wait until it is done, or cancel it.",
            )

    def _begin(self, job: Job) -> None:
        if self._process is not None and not self.is_alive:
            self._retire()
        if self._process is None:
            self._spawn()
        self._dismiss_check()
        if job.kind is JobKind.CHECK:
            self._check = job
        else:
            self._job = job
        self._run_line = job.encode_request()
        self._is_heard = False
        self._send_run()

    def _get_active(self) -> Job | None:
        """Return the job that the worker has or gets next; a run comes before a check."""
        for job in (self._job, self._check):
            if job is not None and not job.is_over:
                return job
        return self._job

    def _dismiss_check(self) -> None:
        """Ask a check to stop; what was asked for goes out when it has had its last word."""
        check = self._check
        if check is None or check.is_over:
            return
        if self._run_line is not None or self._process is None or self._leaving is not None:
            check.end(JobState.CANCELLED)  # the worker does not know of it yet
            return
        check.state = JobState.CANCELLING
        self._leaving = check
        self._cancel_sent_s = time.monotonic()
        self._process.send(protocol.encode(protocol.CANCEL, job=check.id))

    def _spawn(self) -> None:
        try:
            self._process = WorkerProcess(self.command, self._environment)
        except OSError as error:
            raise explain_launch_error(error, self.command[0]) from error
        self._worker_pid = None
        self._has_served = False

    def _send_run(self) -> None:
        job = self._get_active()
        if self._process is None or job is None or self._run_line is None:
            return
        if self._worker_pid is None or self._leaving is not None:
            return
        if job.kind is JobKind.RUN and job.settings is not None:
            output = Path(job.settings.output)
            self._touched.append((output, list_missing_parents(output)))
        self._process.send(self._run_line)
        self._run_line = None

    def _handle(self, message: dict[str, Any]) -> bool:
        if message["type"] == protocol.READY:
            return self._greet(message)
        if message["type"] == protocol.DEVICE:
            self.device = DeviceFacts.from_json(message.get("device"))
            return True
        if self._leaving is not None and message.get("job") == self._leaving.id:
            return self._see_off(message)
        job = self._get_active()
        if job is None or not job.update(message):
            return False
        self._is_heard = True
        if job.is_over:
            self._has_served = True
            if job.state is not JobState.CANCELLED:  # a cancelled worker may be on its way out
                self._touched.clear()
            self._fill_log(job)
        return True

    def _see_off(self, message: dict[str, Any]) -> bool:
        """Take the last words of a check that makes way, then send what waits for it."""
        leaving = self._leaving
        if leaving is None or not leaving.update(message):
            return False
        if leaving.is_over:
            self._leaving = None
            self._has_served = True
            self._send_run()
        return True

    def _greet(self, message: dict[str, Any]) -> bool:
        if message.get("protocol") == protocol.PROTOCOL:
            pid = message.get("pid")  # a launcher on Windows has another pid than the worker
            self._worker_pid = pid if isinstance(pid, int) else self._process_pid()
            logger.info("Engine %s ready, pid %s", message.get("version"), self._worker_pid)
            self._send_run()
            return True
        error = EngineError(
            ErrorCode.PROTOCOL_BROKEN,
            f"The engine speaks protocol {message.get('protocol')}, "
            f"the extension {protocol.PROTOCOL}.",
            "Restart Blender after an update, so that both are of the same version.",
        )
        return self._stop_worker(error)

    def _process_pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def _check_clocks(self) -> bool:
        if self._process is None:
            return False
        now = time.monotonic()
        if self._worker_pid is None and now - self._process.began_s > self._ready_timeout_s:
            return self._stop_worker(
                EngineError(
                    ErrorCode.ENGINE_BROKEN,
                    f"The engine did not answer within {self._ready_timeout_s:g} s.",
                    "Run again; if it stays silent, install the engine again.",
                )
            )
        if now - self._cancel_sent_s <= self._cancel_timeout_s:
            return False
        if self._leaving is not None:
            self._process.kill()
            return False  # what waits for it gets a new worker when this one is buried
        job = self._get_active()
        if job is None or job.state is not JobState.CANCELLING:
            return False
        return self._stop_worker(None)

    def _stop_worker(self, error: EngineError | None) -> bool:
        if self._process is not None:
            self._process.kill()
        return self._end_job(error)

    def _bury(self) -> bool:
        """The worker ended by itself: say so if a job was in progress."""
        process = self._process
        if process is None:
            return False
        if self._leaving is not None:
            self._leaving.end(JobState.CANCELLED)
            self._leaving, self._has_served = None, True
        job = self._get_active()
        exit_code = process.exit_code or 0
        if job is None or job.is_over:
            self._retire()
            return False
        if self._worker_pid is None:
            return self._end_job(explain_failed_start(exit_code, process.read_log()))
        if self._has_served and not self._is_heard and job.state is JobState.STARTING:
            return self._start_again(job)
        return self._end_job(explain_death(exit_code, job.settings))

    def _start_again(self, job: Job) -> bool:
        """The worker of earlier jobs was on its way out and never saw this job: take a new one."""
        self._retire()
        try:
            self._spawn()
        except EngineError as error:
            job.fail(error)
            return True
        self._run_line = job.encode_request()
        return False

    def _end_job(self, error: EngineError | None) -> bool:
        """Let go of the worker and end the present job.

        Args:
            error: why; None, or a job that is being cancelled, means CANCELLED.
        """
        job = self._get_active()
        if job is not None and not job.is_over:
            self._fill_log(job)
        if self._leaving is not None:
            self._leaving.end(JobState.CANCELLED)
            self._leaving = None
        self._retire()  # first, so that whoever sees the end finds a clean disk
        if job is None or job.is_over:
            return False
        if error is None or job.state is JobState.CANCELLING:
            job.end(JobState.CANCELLED)
        else:
            job.fail(error)
        return True

    def _retire(self) -> None:
        if self._process is not None:
            self._process.release()
        for output, made in self._touched:
            if self._worker_pid is not None:
                remove_leftovers(output, self._worker_pid, made)
        self._touched.clear()
        self._process = None
        self._worker_pid = None
        self._run_line = None

    def _fill_log(self, job: Job) -> None:
        if not job.log_tail and self._process is not None:
            lines = self._process.read_log()[-LOG_TAIL_LINES:]
            job.log_tail = [mask_private(line) for line in lines]
