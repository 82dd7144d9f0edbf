# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks, and rounds in which both sides take turns, so that other work hits both alike.

Runs in the benchmark's environment.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Comparison:
    """Seconds of both sides, round by round, and what they say."""

    upstream_s: tuple[float, ...]
    ours_s: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Return how many times faster ours was in each round, in rising order."""
        return sorted(a / b for a, b in zip(self.upstream_s, self.ours_s, strict=True))

    @property
    def ratio(self) -> float:
        """Return the median of the rounds' ratios."""
        return statistics.median(self.ratios)


def time_call(call: Callable[[], object], device: str) -> float:
    """Return the seconds that one call takes.

    On a processor it is the time that all threads of this process spent computing, which other
    programs hardly disturb; on a graphics card the wall time until the card is done.
    """
    if device == "cpu":
        begin = time.process_time()
        call()
        return time.process_time() - begin
    torch.cuda.synchronize()
    begin = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def take_turns(
    calls: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu", warm_ups: int = 0
) -> dict[str, tuple[float, ...]]:
    """Time each call once per round; every second round runs backwards.

    Args:
        calls: name -> what to time.
        rounds: number of samples of each.
        device: see `time_call`.
        warm_ups: untimed calls of each before the first round.

    Returns:
        Name -> seconds, one per round.
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warm_ups):
            call()
    for index in range(rounds):
        names = list(calls) if index % 2 == 0 else list(calls)[::-1]
        for name in names:
            samples[name].append(time_call(calls[name], device))
    return {name: tuple(values) for name, values in samples.items()}
