# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Blender does not answer: a timer that notes when it was called late.

Runs in a Blender with a window, for the scenarios beside this file.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

BEAT_S = 0.005
SAMPLE_S = 0.02
LATE_S = 0.1


class Pulse:
    """A timer of 5 ms that remembers the longest time in which Blender did not call it."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.gaps: list[float] = []
        self.late: Counter[str] = Counter()
        self.left_out_s = 0.0
        self._last_s = time.perf_counter()
        threading.Thread(target=self._look_who_is_late, daemon=True).start()
        bpy.app.timers.register(self.beat, persistent=True)

    def beat(self) -> float:
        """Note the time since the last call."""
        now = time.perf_counter()
        self.gaps.append(now - self._last_s)
        self.longest_s = max(self.longest_s, self.gaps[-1])
        self._last_s = now
        return BEAT_S

    def forget(self) -> None:
        """Begin anew: what came before was the screenshot, not the extension."""
        self.longest_s, self.gaps, self._last_s = 0.0, [], time.perf_counter()
        self.late.clear()

    def leave_out(self, owner: Any, name: str) -> None:  # noqa: ANN401 - a class or module
        """Do not count the time of calls of `owner.name`: only what comes before and after."""
        inner = getattr(owner, name)

        def called(*arguments: Any) -> Any:  # noqa: ANN401 - passed through
            self.beat()
            began_s = time.perf_counter()
            try:
                return inner(*arguments)
            finally:
                self._last_s = time.perf_counter()
                self.left_out_s = max(self.left_out_s, self._last_s - began_s)

        setattr(owner, name, called)

    def _look_who_is_late(self) -> None:
        """Note what the main thread does whenever it has not answered for longer than LATE_S."""
        main = threading.main_thread().ident or 0
        while True:
            time.sleep(SAMPLE_S)
            if time.perf_counter() - self._last_s < LATE_S:
                continue
            frame = sys._current_frames().get(main)  # noqa: SLF001 - there is no other way
            code = None if frame is None else frame.f_code
            name = "Blender itself" if code is None else f"{Path(code.co_filename).name}"
            self.late[name if frame is None else f"{name}:{frame.f_lineno}"] += 1

    def describe(self) -> dict[str, Any]:
        """Return the longest gap, and the one that only a thousandth exceeds, in milliseconds.

        `late` counts samples of what was being done later than LATE_S after the last call.
        """
        gaps = sorted(self.gaps) or [0.0]
        return {
            "late": dict(self.late.most_common(4)),
            "longest_ms": round(1000 * gaps[-1], 1),
            "99.9_percent_ms": round(1000 * gaps[int(0.999 * (len(gaps) - 1))], 1),
            "beats": len(gaps),
        }


class OwnTime:
    """The longest time that single calls of the extension's own code took in the main thread.

    The rest of a gap is Blender itself: drawing its window, which software rendering makes slow.
    """

    def __init__(self) -> None:
        self.longest_s: dict[str, float] = {}

    def watch(self, owner: Any, name: str) -> None:  # noqa: ANN401 - a class or module
        """Measure every call of `owner.name` from now on."""
        inner = getattr(owner, name)
        label = f"{getattr(owner, '__name__', owner)}.{name}".rpartition("da3_reconstruction.")[2]

        @contextmanager
        def measure() -> Iterator[None]:
            began_s = time.perf_counter()
            try:
                yield
            finally:
                took = time.perf_counter() - began_s
                self.longest_s[label] = max(self.longest_s.get(label, 0.0), took)

        def timed(*arguments: Any) -> Any:  # noqa: ANN401 - passed through
            with measure():
                return inner(*arguments)

        def timed_draw(self: Any, context: Any) -> None:  # noqa: ANN401 - Blender's types
            with measure():
                inner(self, context)

        # Blender counts the parameters of a panel's functions.
        is_draw = name.startswith("draw")
        setattr(owner, name, timed_draw if is_draw else timed)

    def take(self) -> dict[str, float]:
        """Return the longest call of each in milliseconds, slowest first, and begin anew."""
        order = sorted(self.longest_s.items(), key=lambda item: -item[1])
        self.longest_s = {}
        return {name: round(1000 * seconds, 1) for name, seconds in order[:6]}
