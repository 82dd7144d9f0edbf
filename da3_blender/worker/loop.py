# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of the worker: read messages, run one job at a time, say how each ended.

Runs in the engine. Jobs run in the main thread, because native libraries expect it; a second
thread listens, so cancel and the end of Blender are noticed at any moment.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import platform
import queue
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..contract import protocol
from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.export_request import ExportRequest
from ..contract.models import get_model
from ..contract.progress import Progress
from ..contract.settings import RunSettings
from .channel import Channel, take_stdin, take_stdout
from .children import kill_children
from .failures import exception_to_error
from .log import RecentLines, start_logging

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from ..contract.estimates import DeviceFacts

    DescribeDevice = Callable[[str], DeviceFacts | None]

CANCEL_GRACE_S: Final = 1.2  # for a job to stop by itself
ABANDON_LIMIT_S: Final = 0.4  # for removing its files; both together stay below the client's 1.9 s
EXIT_AFTER_CANCEL: Final = 3
IDLE_S: Final = 0.3  # without a job, before the device is described

logger = logging.getLogger(__name__)


class Pipeline(Protocol):
    """Does the work of a job. It may offer `abandon()`.

    `abandon()` deletes the unfinished files of the run in progress. It is called from another
    thread, while `run` is stuck, just before the process ends.
    """

    def run(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Do everything and return the summary with "folder"; plain JSON values.

        Raises:
            CancelledError: `progress` said that the user cancelled.
            EngineError: anything that the user can mend.
        """
        ...

    def fetch(self, model_id: str, progress: Progress, folder: str = "") -> dict[str, Any]:
        """Download the weights of a model and return a summary; plain JSON values.

        A folder is used as the cache; "" means the usual one.

        Raises:
            CancelledError: `progress` said that the user cancelled.
            EngineError: anything that the user can mend.
        """
        ...

    def export(self, request: ExportRequest, progress: Progress) -> dict[str, Any]:
        """Write an existing result for other programs; plain JSON values.

        Raises:
            CancelledError: `progress` said that the user cancelled.
            EngineError: anything that the user can mend.
        """
        ...

    def check(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Look at the input without running anything; plain JSON values.

        Raises:
            CancelledError: `progress` said that the user cancelled.
            EngineError: anything that the user can mend.
        """
        ...


@dataclass(eq=False)
class _ActiveJob:
    """The job that was accepted and has not had its last word.

    A run, a check of its input, a model to fetch, or an export of a result.
    """

    id: str
    kind: str
    settings: RunSettings | None
    model_id: str = ""
    folder: str = ""
    export: ExportRequest | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    finishing: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Everything that one worker process remembers.

    Args:
        pipeline_factory: builds the pipeline; called in the main thread at the first run.
        stdin: the private stream of messages from the client.
        stdout: the private descriptor for messages to the client.
        recent: the last lines of the log.
        describe_device: returns what there is to say about the device that a run's setting
            names, or None; may take a second. None tells nothing.
    """

    def __init__(
        self,
        pipeline_factory: Callable[[], Pipeline],
        stdin: BinaryIO,
        stdout: int,
        recent: RecentLines,
        describe_device: DescribeDevice | None = None,
    ) -> None:
        self._describe_device = describe_device
        self._device = "auto"  # what the last run asked for
        self._pipeline_factory = pipeline_factory
        self._pipeline: Pipeline | None = None
        self._stdin = stdin
        self._channel = Channel(stdout, on_lost=self._end)
        self._recent = recent
        self._job: _ActiveJob | None = None
        self._lock = threading.Lock()  # guards _job and the order of last words
        self._accepted: queue.SimpleQueue[_ActiveJob] = queue.SimpleQueue()

    def run_forever(self) -> None:
        """Say `ready`, then run jobs until stdin ends; the process ends with it."""
        self._channel.send(
            protocol.READY,
            protocol=protocol.PROTOCOL,
            version=protocol.VERSION,
            pid=os.getpid(),
            python=platform.python_version(),
        )
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        is_told = self._describe_device is None
        while True:
            try:
                job = self._accepted.get(timeout=None if is_told else IDLE_S)
            except queue.Empty:  # nobody waits, so the heavy libraries may load now
                is_told = self._tell_device()
            else:
                self._run(job)
                is_told = self._describe_device is None

    # Main thread

    def _tell_device(self) -> bool:
        """Say where networks run and how much memory there is; also after each job."""
        facts = None if self._describe_device is None else self._describe_device(self._device)
        if facts is not None:
            self._channel.send(protocol.DEVICE, device=facts.to_json())
        return True

    def _run(self, job: _ActiveJob) -> None:
        self._recent.forget()
        if job.settings is not None:
            self._device = job.settings.device
        logger.info("Job %s begins", job.id)
        try:
            summary = self._call_pipeline(job)
            self._say_last(
                job, protocol.DONE, folder=str(summary.get("folder", "")), summary=summary
            )
        except CancelledError:
            self._say_last(job, protocol.CANCELLED)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - here all become `failed`
            self._fail(job, error)
        gc.collect()  # a failed job may leave large arrays in reference cycles

    def _call_pipeline(self, job: _ActiveJob) -> dict[str, Any]:
        def listen(stage: str, fraction: float, detail: str, remaining_s: float | None) -> None:
            self._channel.send(
                protocol.PROGRESS,
                job=job.id,
                stage=stage,
                fraction=float(fraction),
                detail=detail,
                remaining_s=remaining_s,
            )

        def note(text: str) -> None:
            logger.info("Note: %s", text)
            self._channel.send(protocol.NOTE, job=job.id, text=text)

        def show(found: dict[str, Any]) -> None:
            self._channel.send(protocol.PREVIEW, job=job.id, **found)

        if self._pipeline is None:
            self._pipeline = self._pipeline_factory()
        if job.cancelled.is_set():
            raise CancelledError
        progress = Progress(listen, job.cancelled.is_set, note, show, job.finishing.is_set)
        if job.export is not None:
            return self._pipeline.export(job.export, progress)
        if job.settings is None:
            return self._pipeline.fetch(job.model_id, progress, job.folder)
        if job.kind == protocol.CHECK:
            return self._pipeline.check(job.settings, progress)
        return self._pipeline.run(job.settings, progress)

    def _fail(self, job: _ActiveJob, error: BaseException) -> None:
        if job.cancelled.is_set():
            # Whatever broke while everything was being stopped is not news for the user.
            logger.info("Job %s ended with an error after cancel", job.id, exc_info=error)
            self._say_last(job, protocol.CANCELLED)
            return
        reason = exception_to_error(error, job.settings)
        logger.error("Job %s failed: %s", job.id, reason, exc_info=error)
        self._say_last(job, protocol.FAILED, error=reason.to_json(), log=self._recent.read_masked())

    # Any thread

    def _say_last(self, job: _ActiveJob, kind: str, **content: Any) -> None:  # noqa: ANN401
        """Send the one last word of a job; a second one is dropped."""
        with self._lock:
            if self._job is not job:
                return
            self._channel.send(kind, job=job.id, **content)
            self._job = None

    def _end(self, exit_code: int = 0) -> None:
        """Leave nothing behind and end the process, whatever the main thread does."""
        kill_children()
        self._abandon()
        os._exit(exit_code)

    def _abandon(self) -> None:
        abandon = getattr(self._pipeline, "abandon", None)
        if self._job is None or abandon is None:
            return
        # In a thread of its own: the end must come even if a lock or a slow disk holds this up.
        thread = threading.Thread(target=abandon, name="abandon", daemon=True)
        thread.start()
        thread.join(ABANDON_LIMIT_S)

    # Listening thread

    def _listen(self) -> None:
        try:
            for line in self._stdin:
                self._handle(line)
        except OSError:
            logger.info("The pipe from the parent process broke")
        finally:
            self._end()  # also after a bug: a worker that cannot hear must not stay

    def _handle(self, line: bytes) -> None:
        try:
            message = protocol.decode(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            logger.warning("Ignored a line that is no message: %s", error)
            return
        kind = message["type"]
        if kind in (protocol.RUN, protocol.FETCH, protocol.CHECK, protocol.EXPORT):
            self._accept(str(message.get("job", "")), message)
        elif kind == protocol.CANCEL:
            self._cancel(str(message.get("job", "")))
        elif kind == protocol.FINISH:
            self._finish(str(message.get("job", "")))
        elif kind == protocol.QUIT:
            self._end()
        else:
            logger.warning("Ignored a message of unknown type %r", kind)

    def _accept(self, job_id: str, message: dict[str, Any]) -> None:
        with self._lock:
            busy_with = self._job
        if busy_with is not None:
            self._refuse(
                job_id,
                EngineError(
                    ErrorCode.BUSY,
                    f"The engine is still busy with another run ({busy_with.id}).",
                    "Wait until it is done, or cancel it.",
                ),
            )
            return
        try:
            job = _make_job(job_id, message)
        except EngineError as error:
            self._refuse(job_id, error)
            return
        with self._lock:
            self._job = job
        self._accepted.put(job)

    def _refuse(self, job_id: str, error: EngineError) -> None:
        logger.warning("Job %s refused: %s", job_id, error)
        self._channel.send(
            protocol.FAILED, job=job_id, error=error.to_json(), log=self._recent.read_masked()
        )

    def _cancel(self, job_id: str) -> None:
        with self._lock:
            job = self._job
        if job is None or job.id != job_id:
            logger.info("Job %s is over, nothing to cancel", job_id)
            return
        job.cancelled.set()
        timer = threading.Timer(CANCEL_GRACE_S, self._force_cancel, [job])
        timer.daemon = True
        timer.start()

    def _finish(self, job_id: str) -> None:
        with self._lock:
            job = self._job
        if job is not None and job.id == job_id:
            job.finishing.set()

    # Timer thread

    def _force_cancel(self, job: _ActiveJob) -> None:
        """End the process if the job is stuck in a native call."""
        with self._lock:
            if self._job is not job:
                return
        logger.warning("Job %s did not stop within %s s; the worker ends", job.id, CANCEL_GRACE_S)
        kill_children()
        self._abandon()
        self._say_last(job, protocol.CANCELLED)
        os._exit(EXIT_AFTER_CANCEL)


def _make_job(job_id: str, message: dict[str, Any]) -> _ActiveJob:
    """Read a `run`, a `check`, a `fetch` or an `export`.

    Raises:
        EngineError: SETTINGS_INVALID.
    """
    kind = message["type"]
    if kind == protocol.FETCH:
        model_id = get_model(str(message.get("model", ""))).id
        return _ActiveJob(job_id, kind, None, model_id, str(message.get("folder", "")))
    if kind == protocol.EXPORT:
        content = message.get("export")
        request = ExportRequest.from_json(content if isinstance(content, dict) else {})
        request.check()
        return _ActiveJob(job_id, kind, None, export=request)
    values = message.get("settings")
    settings = RunSettings.from_json(values if isinstance(values, dict) else {})
    settings.check()
    return _ActiveJob(job_id, kind, settings)


def serve(
    pipeline_factory: Callable[[], Pipeline], describe_device: DescribeDevice | None = None
) -> None:
    """Be a worker until stdin ends; does not return.

    Args:
        pipeline_factory: builds the pipeline; may import heavy libraries.
        describe_device: see `Worker`.
    """
    stdout = take_stdout()
    stdin = take_stdin()
    recent = start_logging()
    faulthandler.enable(all_threads=False)  # a crash in native code leaves its place in the log
    # Ctrl+C in Blender's terminal is for Blender; the parent decides when the worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The plain action of the system ends the process even inside a native call.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Worker(pipeline_factory, stdin, stdout, recent, describe_device).run_forever()
