# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's private ends of its pipes: messages out under a lock, lines in.

Runs in the engine.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO

from ..contract.protocol import MAX_LINE_BYTES, encode

if TYPE_CHECKING:
    from collections.abc import Callable

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


class Channel:
    """Writes whole messages to one descriptor, from any thread.

    Args:
        descriptor: open for writing; belongs to the channel from now on.
        on_lost: called when nobody reads any more; it must not return.
    """

    def __init__(self, descriptor: int, on_lost: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_lost = on_lost
        self._lock = threading.Lock()

    def send(self, kind: str, **content: Any) -> None:  # noqa: ANN401 - any JSON value
        """Write one message, or end the process when the reader is gone.

        Raises:
            TypeError: the content is not made of JSON values.
            ValueError: a number is not finite, or the message is too long.
        """
        line = encode(kind, **content).encode("ascii")
        if len(line) > MAX_LINE_BYTES:
            message = f"a {kind} message of {len(line)} bytes is longer than {MAX_LINE_BYTES}"
            raise ValueError(message)
        try:
            with self._lock:
                while line:
                    line = line[os.write(self._descriptor, line) :]
        except OSError:  # a closed pipe; on Windows it can also be EINVAL
            self._on_lost()


def take_stdin() -> BinaryIO:
    """Move stdin to a private descriptor and leave an empty stdin behind.

    A library or child process that reads stdin cannot eat a message then, and on Windows
    cannot hang on the pipe that our reader is waiting for.
    """
    private = os.dup(_STDIN)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, _STDIN)
    os.close(empty)
    return os.fdopen(private, "rb")


def take_stdout() -> int:
    """Move stdout to a private descriptor and point descriptor 1 at stderr.

    Whatever prints from now on, Python or native code, goes to the log.

    Returns:
        The private descriptor; child processes do not inherit it.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        _make_utf8(stream)
    private = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return private


def _make_utf8(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)  # a replaced stream may lack it
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
