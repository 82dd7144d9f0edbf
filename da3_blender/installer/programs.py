# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the installer starts: they end with it, with a cancel, and with Blender.

Runs in the installer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from ..contract.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TextIO

_POLL_S: Final = 0.1
_LOG_LINES: Final = 200
_NICENESS: Final = 10


def step_back() -> None:
    """Let other programs, Blender above all, go first; what this process starts does so too."""
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), subprocess.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        with suppress(OSError):
            os.nice(_NICENESS)


class Finished(NamedTuple):
    """How a program ended and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


class Programs:
    """Starts one program at a time and stops it when asked.

    Args:
        cancelled: set by the thread that listens to Blender.
    """

    def __init__(self, cancelled: threading.Event) -> None:
        self.cancelled = cancelled
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def run(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        folder: Path | None = None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> Finished:
        """Run a program to its end.

        Args:
            command: program and arguments.
            environment: all of its environment.
            folder: to run in.
            on_poll: called some ten times a second; may raise.

        Raises:
            CancelledError: the user cancelled; the program was ended.
            OSError: the system cannot start it.
        """
        if self.cancelled.is_set():
            raise CancelledError
        process = subprocess.Popen(  # noqa: S603 - our own uv and Python
            list(command),
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with self._lock:
            self._process = process
        out: list[str] = []
        err: list[str] = []

        def log(line: str) -> None:
            err.append(line)
            self.log.append(line.rstrip())

        readers = [
            threading.Thread(target=_read, args=(process.stdout, out.append), daemon=True),
            threading.Thread(target=_read, args=(process.stderr, log), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            while process.poll() is None:
                if self.cancelled.is_set():
                    raise CancelledError
                on_poll()
                time.sleep(_POLL_S)
        finally:
            self.kill()
            for reader in readers:
                reader.join(1.0)
        if self.cancelled.is_set() and process.returncode != 0:
            raise CancelledError
        return Finished(process.returncode, "".join(out), "".join(err))

    def kill(self) -> None:
        """End the program that runs, if one does; from any thread."""
        with self._lock:
            process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        if sys.platform == "win32":  # what it started ends too
            tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(tree, capture_output=True, timeout=2, check=False)  # noqa: S603
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _read(stream: TextIO, keep: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            keep(line)
