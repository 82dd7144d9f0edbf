# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the process that runs COLMAP, talks to it, and stops it at any moment.

Runs in the engine.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.protocol import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..contract.progress import Progress
    from .work_folder import WorkFolder

_POLL_S: Final = 0.1  # between two looks at the cancel flag
_END: Final = "end"  # our own message: the process is gone
_SIGKILL: Final = 9
# What a full disk and a full memory look like in the last words of the process.
_DISK_FULL: Final = re.compile(
    r"No space left|disk is full|SQLITE_FULL|quota exceeded", re.IGNORECASE
)
_MEMORY_FULL: Final = re.compile(r"MemoryError|bad_alloc|Cannot allocate memory|ArrayMemory")


class Answer(NamedTuple):
    """One message of a COLMAP process.

    Args:
        process: number of the process.
        kind: the message's type.
        content: the message.
    """

    process: int
    kind: str
    content: dict[str, Any]


class ColmapProcesses:
    """A few processes that run COLMAP for one solution; a context manager that ends them.

    Args:
        folder: the work folder, for the logs.
        progress: asked whether the user cancelled while answers are awaited.
    """

    def __init__(self, folder: WorkFolder, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._inbox: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._processes: dict[int, subprocess.Popen[str]] = {}

    @property
    def folder(self) -> WorkFolder:
        """The work folder that the processes share."""
        return self._folder

    def __enter__(self) -> Self:
        """Return itself; processes are started by `start`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all processes."""
        for number in list(self._processes):
            self.stop(number)

    def start(self, number: int) -> None:
        """Start one more process.

        Raises:
            EngineError: ENGINE_BROKEN; the system does not start it.
        """
        # The last two parts of the package's name hold for both names that it has.
        module = ".".join([*(__package__ or "").split(".")[-2:], "colmap_main"])
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).absolute().parents[2])}
        try:
            with self._folder.log(number).open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-P", "-s", "-u", "-m", module],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    text=True,
                    encoding="ascii",
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise EngineError(
                ErrorCode.ENGINE_BROKEN,
                f"COLMAP's process could not be started with {sys.executable} ({error}).",
                "Install the engine again in the preferences.",
            ) from error
        self._processes[number] = process
        threading.Thread(target=self._listen, args=(number, process), daemon=True).start()

    def send(self, number: int, kind: str, **content: Any) -> None:  # noqa: ANN401 - any JSON value
        """Give one process a command; its answers come from `receive`."""
        stdin = self._processes[number].stdin
        try:
            if stdin is not None:
                stdin.write(encode(kind, folder=str(self._folder.path), **content))
                stdin.flush()
        except OSError:  # it has just ended, and `receive` tells why
            return

    def receive(self, on_wait: Callable[[], object] | None = None) -> Answer:
        """Wait for the next answer of any process.

        Args:
            on_wait: called about ten times a second until an answer comes.

        Raises:
            CancelledError: the user cancelled.
            EngineError: a process ended by itself.
        """
        while True:
            if self._progress.is_cancelled():
                raise CancelledError
            try:
                answer = self._inbox.get(timeout=_POLL_S)
            except queue.Empty:
                if on_wait is not None:
                    on_wait()
                continue
            if answer.process not in self._processes:
                continue
            if answer.kind == _END:
                raise self._explain_end(answer.process)
            return answer

    def stop(self, number: int) -> None:
        """End one process, whatever it is doing, and wait until it is gone."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()
        if process.stdin is not None:
            try:
                process.stdin.close()
            except OSError:  # it did not read the last command
                return

    def _listen(self, number: int, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            with process.stdout as lines:
                for line in lines:
                    message = decode(line)
                    self._inbox.put(Answer(number, message["type"], message))
        self._inbox.put(Answer(number, _END, {}))

    def _explain_end(self, number: int) -> EngineError:
        code = self._processes[number].wait()
        text = self._folder.log(number).read_text(encoding="utf-8", errors="replace").strip()
        last = text.splitlines()[-1] if text else f"exit code {code}"
        if code == -_SIGKILL or _MEMORY_FULL.search(text):
            return EngineError(
                ErrorCode.OUT_OF_MEMORY,
                f"COLMAP ran out of memory ({last}).",
                "Use a smaller photo size (1600) and fewer features (4096), or fewer photos.",
            )
        if _DISK_FULL.search(text):
            return EngineError(
                ErrorCode.DISK_FULL,
                f"The disk is full; COLMAP could not write to {self._folder.path}.",
                "Free some space or choose a results folder on another disk.",
            )
        return EngineError(
            ErrorCode.ENGINE_BROKEN,
            f"COLMAP stopped with exit code {code} ({last}).",
            "Run again; if it stops again, install the engine again and send us the report.",
        )
