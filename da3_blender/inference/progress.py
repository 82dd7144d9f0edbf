# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn finished work into a fraction, and a wish to stop into an exception.

Runs in the engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch

from ..contract.errors import CancelledError

OnProgress = Callable[[float], None]
IsCancelled = Callable[[], bool]

_STEPS_AHEAD = 2
"""Steps that a graphics card may lag behind before we wait: enough to keep it busy."""


class StepReporter:
    """Counts work, tells the caller the finished share and asks whether to go on.

    Args:
        total: work that makes up the whole.
        device: where the work runs; on a graphics card a step counts once the card has done it.
        progress: called with the finished share, 0 to 1.
        is_cancelled: polled after each step.

    Attributes:
        told: work of the steps so far, whether or not the device has finished it.
    """

    def __init__(
        self,
        total: float,
        device: torch.device,
        progress: OnProgress,
        is_cancelled: IsCancelled,
    ) -> None:
        self.told = 0.0
        self._total = total
        self._done = 0.0
        self._progress = progress
        self._is_cancelled = is_cancelled
        self._is_cuda = device.type == "cuda"
        self._pending: deque[tuple[float, torch.cuda.Event | None]] = deque()

    def __call__(self, work: float) -> None:
        """Take note of a step; raise CancelledError if the caller wants to stop."""
        self.told += work
        event = None
        if self._is_cuda:
            event = torch.cuda.Event()
            event.record()
        self._pending.append((work, event))
        while len(self._pending) > (_STEPS_AHEAD if self._is_cuda else 0):
            self._finish_oldest()
        if self._is_cancelled():
            raise CancelledError

    def _finish_oldest(self) -> None:
        work, event = self._pending.popleft()
        if event is not None:
            event.synchronize()
        self._done += work
        self._progress(min(self._done / self._total, 1.0))
