# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's process and its pipes; nothing here waits for the worker.

Runs in Blender.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..contract import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

LOG_LINES: Final = 200
_DRAIN_LIMIT_S: Final = 0.5  # a stray grandchild may hold the pipes open after the worker's end


class WorkerProcess:
    """One process with three threads that move lines, so that Blender never blocks.

    Args:
        command: program and arguments.
        environment: all of its environment.

    Raises:
        OSError: the system cannot start the program.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        self._process = subprocess.Popen(  # noqa: S603 - the user chose the program
            list(command),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )
        self.began_s = time.monotonic()
        self._exit_seen_s: float | None = None
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._to_write: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None closes stdin
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_lock = threading.Lock()
        pipes = self._process
        self._readers = [
            threading.Thread(target=self._read_messages, args=(pipes.stdout,), daemon=True),
            threading.Thread(target=self._read_log, args=(pipes.stderr,), daemon=True),
        ]
        self._writer = threading.Thread(target=self._write, args=(pipes.stdin,), daemon=True)
        for thread in (*self._readers, self._writer):
            thread.start()

    @property
    def pid(self) -> int:
        """Of the process that was started; a launcher on Windows, so `ready` may name another."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for signals, or None while it runs."""
        return self._process.poll()

    @property
    def is_drained(self) -> bool:
        """Whether it has ended and everything that it said has been read."""
        if self.exit_code is None:
            return False
        if self._exit_seen_s is None:
            self._exit_seen_s = time.monotonic()
        waited_s = time.monotonic() - self._exit_seen_s
        return waited_s > _DRAIN_LIMIT_S or not any(t.is_alive() for t in self._readers)

    def send(self, line: str) -> None:
        """Queue one message; if the worker is gone, its end is noticed elsewhere."""
        self._to_write.put(line)

    def take_messages(self) -> list[dict[str, Any]]:
        """Return the messages that arrived since the last call."""
        messages: list[dict[str, Any]] = []
        with suppress(queue.Empty):
            while True:
                messages.append(self._messages.get_nowait())
        return messages

    def read_log(self) -> list[str]:
        """Return the last LOG_LINES lines that it printed, oldest first."""
        with self._log_lock:
            return list(self._log)

    def kill(self) -> None:
        """End it and its children at once, and wait a moment for the system to do so."""
        if sys.platform == "win32":
            _kill_tree_windows(self._process.pid)
            self._process.kill()
        else:
            self._kill_group()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.1)

    def release(self) -> None:
        """Let go of a process that has ended: its pipes, and children that outlived it."""
        self._to_write.put(None)
        self._kill_group()

    def close(self, patience_s: float) -> None:
        """Close stdin, which ends the worker; then ask, then force.

        Args:
            patience_s: seconds to wait after each step.
        """
        self._to_write.put(None)
        for step in (None, self._process.terminate, self.kill):
            if step is not None:
                step()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
                break
        self._kill_group()
        for thread in (*self._readers, self._writer):
            thread.join(patience_s)

    def _kill_group(self) -> None:
        if sys.platform != "win32":
            # Gone already, or (macOS) only zombies are left.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _add_log(self, line: str) -> None:
        with self._log_lock:
            self._log.append(line.rstrip())

    def _read_messages(self, stream: TextIO) -> None:
        with stream:
            for line in stream:
                try:
                    message = protocol.decode(line)
                except (ValueError, RecursionError):
                    self._add_log(line)  # something printed to the wrong pipe
                else:
                    self._messages.put(message)

    def _read_log(self, stream: TextIO) -> None:
        with stream:
            for line in stream:
                self._add_log(line)

    def _write(self, stream: TextIO) -> None:
        # The worker may be gone: its end is noticed by its exit code.
        with suppress(OSError), stream:
            while (line := self._to_write.get()) is not None:
                stream.write(line)
                stream.flush()


def _kill_tree_windows(pid: int) -> None:
    program = Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "taskkill.exe")
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - a program of the system
            [str(program), "/F", "/T", "/PID", str(pid)],
            capture_output=True,
            timeout=2,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
