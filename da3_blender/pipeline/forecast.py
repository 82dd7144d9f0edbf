# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will take, said before its network starts, and how fast it was afterwards.

Runs in the engine. The speed of a run stays in its manifest; the next one looks for it in the
results beside its own. Without a measurement no time is named.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from ..contract.estimates import MeasuredSpeed, estimate_run, fit_to_network
from ..contract.models import get_model
from ..contract.names import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.estimates import DeviceFacts
    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import View
    from ..inference.predictor import Predictor

SPEED: Final = "speed"  # entry of manifest and summary
_FREE_SHARE: Final = 0.9
_MOST_RESULTS: Final = 20  # earlier results that are looked at

_log = logging.getLogger(__name__)


def say_forecast(
    predictor: Predictor,
    views: list[View],
    settings: RunSettings,
    speed: MeasuredSpeed | None,
    progress: Progress,
) -> None:
    """Tell what the network is about to take, and warn if it is more than there is.

    Args:
        predictor: of the run.
        views: the photos that it will see.
        settings: of the run.
        speed: of an earlier run like this one, or None.
        progress: shows the sentence.
    """
    device = predictor.describe_device()
    estimate = estimate_run(
        settings.model,
        len(views),
        choose_grid(views, settings),
        predictor.precision,
        speed,
    )
    sentence = estimate.describe(len(views), settings.model, device)
    _log.info("%s", sentence)
    progress.report(0.0, sentence, force=True)
    if 0 < device.total_bytes < estimate.memory_bytes:
        progress.note(
            f"{sentence} If it does not fit, the resolution is lowered; fewer photos or a smaller "
            "model need less."
        )


def fit_chunk(predictor: Predictor, views: list[View], settings: RunSettings, fewest: int) -> int:
    """Return how many frames of a sequence the network can look at together.

    Args:
        predictor: of the run, with its weights loaded.
        views: frames.
        settings: of the run; no more than `chunk_frames`.
        fewest: no less than this, whatever is free.

    Returns:
        `chunk_frames`, or a half, quarter and so on of it that fits into the free memory.
    """
    free, frames = predictor.describe_device().free_bytes, settings.chunk_frames
    size = choose_grid(views, settings)

    def estimate(count: int) -> int:
        return estimate_run(settings.model, count, size, predictor.precision).memory_bytes

    weights = estimate(1)  # are there already
    while free > 0 and frames // 2 >= fewest and estimate(frames) - weights > _FREE_SHARE * free:
        frames //= 2
    return frames


def find_speed(
    measured: list[MeasuredSpeed], output: Path, wanted: tuple[str, str, str]
) -> MeasuredSpeed | None:
    """Find the last speed of a run like this one.

    Args:
        measured: of this process, the last one at the end.
        output: place of the result; those beside it are looked at, newest first.
        wanted: device, model and precision, as `MeasuredSpeed.fits` takes them.

    Returns:
        The speed, or None.
    """
    for speed in reversed(measured):
        if speed.fits(*wanted):
            return speed
    try:
        manifests = sorted(
            output.parent.glob(f"*/{MANIFEST}"), key=lambda p: p.stat().st_mtime, reverse=True
        )
    except OSError:  # a folder that may not be read
        return None
    for path in manifests[:_MOST_RESULTS]:
        speed = _read_speed(path)
        if speed is not None and speed.fits(*wanted):
            return speed
    return None


def measure_speed(
    predictor: Predictor, device: DeviceFacts, settings: RunSettings, views: int, seconds: float
) -> MeasuredSpeed | None:
    """Return how fast a finished run was; None if the network has no measured run.

    Args:
        predictor: of the run.
        device: where it ran.
        settings: of the run.
        views: photos that the network saw.
        seconds: from the loaded network to the finished points.
    """
    if predictor.last_run is None:
        return None
    flops, network_s = predictor.last_run
    return MeasuredSpeed(
        device.name,
        get_model(settings.model).architecture.name,
        predictor.precision,
        flops / network_s,
        max(0.0, seconds - network_s) / views,
    )


def choose_grid(views: list[View], settings: RunSettings) -> tuple[int, int]:
    """Return the grid that all photos fit: the smallest height and width, pixels."""
    is_lower = settings.resize_method.startswith("lower")
    sizes = [
        fit_to_network(v.width, v.height, settings.network_resolution, is_lower_bound=is_lower)
        for v in views
    ]
    return min(height for height, _ in sizes), min(width for _, width in sizes)


def _read_speed(manifest: Path) -> MeasuredSpeed | None:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return MeasuredSpeed.from_json(content.get(SPEED) if isinstance(content, dict) else None)
