# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's log: to stderr, and the last lines in memory for a failure's report.

Runs in the engine.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from typing import Final

from ..contract.masking import mask_private

LOG_LINES: Final = 40
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RecentLines(logging.Handler):
    """Keeps the last LOG_LINES lines of the log, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        lines = self.format(record).splitlines()
        with self._guard:
            self._lines.extend(lines)

    def read_masked(self) -> list[str]:
        """Return the lines, oldest first, without home folder and user name."""
        with self._guard:
            lines = list(self._lines)
        return [mask_private(line) for line in lines]

    def forget(self) -> None:
        """Drop all lines: a new job begins."""
        with self._guard:
            self._lines.clear()


def start_logging() -> RecentLines:
    """Send the root logger to stderr and to memory; warnings are logged too."""
    recent = RecentLines()
    formatter = logging.Formatter(_FORMAT)
    root = logging.getLogger()
    for handler in (logging.StreamHandler(sys.stderr), recent):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    return recent
