# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of one run: stages with weights, one fraction, a guess of the time left.

Runs in the engine; Blender's side only shows the numbers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _show_nothing(_found: dict[str, Any]) -> None:
    """Nobody looks."""


def _never() -> bool:
    return False


class Progress:
    """Follows a run through its stages and tells a listener.

    Args:
        listener: called with (stage label, fraction of the whole run 0..1, detail,
            seconds left or None).
        is_cancelled: asked at every report.
        note: called with a sentence that the user should read.
        show: called with what has been found so far: cameras, views, points, file.
        wants_end: asked at every report: the user wants to stop and keep what exists.
    """

    def __init__(
        self,
        listener: Callable[[str, float, str, float | None], None],
        is_cancelled: Callable[[], bool],
        note: Callable[[str], None],
        show: Callable[[dict[str, Any]], None] = _show_nothing,
        wants_end: Callable[[], bool] = _never,
    ) -> None:
        self._listener = listener
        self._is_aborted = is_cancelled
        self._wants_end = wants_end
        self._is_end_accepted = False
        self.note = note
        self.show = show
        self._weights: dict[str, float] = {"": 1.0}
        self._stage = ""
        self._fraction = 0.0
        self._began_s = time.monotonic()
        self._shown_s = 0.0

    def is_cancelled(self) -> bool:
        """Tell whether to stop: cancelled, or an end that nobody has accepted yet."""
        return self._is_aborted() or (self._wants_end() and not self._is_end_accepted)

    def accept_end(self) -> bool:
        """Go on after a CancelledError where the user wants what exists to be kept.

        Returns:
            Whether that is so; `is_cancelled` is then false until the user really cancels.
        """
        if self._is_aborted() or not self._wants_end():
            return False
        self._is_end_accepted = True
        return True

    @property
    def is_ending(self) -> bool:
        """Whether the rest of the way is only to keep what exists."""
        return self._is_end_accepted

    def plan(self, stages: Sequence[tuple[str, float]]) -> None:
        """Set the stages still to come as (label, expected share of the time), in order.

        May be called again when the way changes; the fraction never falls.
        """
        self._weights = dict(stages)
        self._stage = ""

    def begin(self, stage: str, detail: str = "") -> None:
        """Enter a stage of the plan.

        Raises:
            CancelledError: the user cancelled.
        """
        self._stage = stage
        self.report(0.0, detail, force=True)

    def report(self, stage_fraction: float, detail: str = "", *, force: bool = False) -> None:
        """Tell how far the stage is; calls closer than 0.1 s are thinned.

        Args:
            stage_fraction: 0..1 of the current stage.
            detail: what is counted, such as "3 of 14 photos".
            force: tell even if the last report was just now.

        Raises:
            CancelledError: the user cancelled.
        """
        if self.is_cancelled():
            raise CancelledError
        now = time.monotonic()
        if not force and now - self._shown_s < 0.1 and stage_fraction < 1:  # noqa: PLR2004
            return
        self._shown_s = now
        total = sum(self._weights.values()) or 1.0
        before = 0.0
        for label, weight in self._weights.items():
            if label == self._stage:
                break
            before += weight
        share = self._weights.get(self._stage, 0.0)
        fraction = (before + share * min(max(stage_fraction, 0.0), 1.0)) / total
        self._fraction = max(self._fraction, min(fraction, 1.0))
        self._listener(self._stage, self._fraction, detail, self._guess_remaining(now))

    def _guess_remaining(self, now: float) -> float | None:
        elapsed = now - self._began_s
        if self._fraction < 0.03 or elapsed < 1.0:  # noqa: PLR2004 - too early to tell
            return None
        return elapsed * (1 - self._fraction) / self._fraction
