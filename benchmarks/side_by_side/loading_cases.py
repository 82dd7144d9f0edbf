# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the engine and loading a checkpoint from a warm disk cache: seconds and memory.

Runs in the benchmark's environment, on Linux.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .network_cases import make_time_row
from .probe import SIDES, ProbeResult, probe
from .random_checkpoint import ensure_checkpoint
from .rows import Row, format_bytes

if TYPE_CHECKING:
    from .plan import Plan

GROUP = "Start and loading, processor"
MODELS = ("da3-small", "da3-base", "da3-large")
_TARGET_MODEL = "da3-large"


def measure_loading(plan: Plan) -> list[Row]:
    """Compare fresh processes that import their engine and load a checkpoint."""
    rows = []
    for model in MODELS:
        checkpoint = ensure_checkpoint(model, plan.folder / "checkpoints")
        plan.say(f"{model}: loading, {plan.rounds} rounds")
        for side in SIDES:
            probe(side, checkpoint, 0)  # fills the disk cache
        samples: dict[str, list[ProbeResult]] = {side: [] for side in SIDES}
        for index in range(plan.rounds):
            for side in SIDES if index % 2 == 0 else reversed(SIDES):
                samples[side].append(probe(side, checkpoint, 0))
        rows += _make_rows(model, samples["upstream"], samples["ours"])
    return rows


def _make_rows(model: str, upstream: list[ProbeResult], ours: list[ProbeResult]) -> list[Row]:
    is_goal = model == _TARGET_MODEL
    sides = (upstream, ours)
    whole = [tuple(r.import_s + r.load_s for r in side) for side in sides]
    load = [tuple(r.load_s for r in side) for side in sides]
    peaks = [max(r.load_peak_bytes for r in side) for side in sides]
    return [
        make_time_row(
            GROUP, f"{model}: imports and loading", *whole, target=2.5 if is_goal else None
        ),
        make_time_row(GROUP, f"{model}: loading alone", *load),
        Row(
            GROUP,
            f"{model}: peak memory of loading, above the imports",
            format_bytes(peaks[0]),
            format_bytes(peaks[1]),
            peaks[1] / peaks[0],
            target=0.1 if is_goal else None,
            is_share=True,
        ),
    ]
