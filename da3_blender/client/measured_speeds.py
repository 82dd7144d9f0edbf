# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast this machine was: kept in the user's folder, for the estimate before a run.

Runs in Blender; panels read what is in memory.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from ..contract.estimates import DeviceFacts, MeasuredSpeed

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "speeds.json"
_MOST: Final = 50


class _Measured:
    """What is known; the module's only state."""

    speeds: list[MeasuredSpeed] = []  # noqa: RUF012 - replaced as a whole, never changed
    device: DeviceFacts | None = None


def load_speeds(folder: Path) -> None:
    """Read what earlier sessions have measured."""
    content: object = None
    with suppress(OSError, ValueError):
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    entries = cast("dict[str, object]", content) if isinstance(content, dict) else {}
    listed = entries.get("speeds")
    found = [MeasuredSpeed.from_json(e) for e in cast("list[object]", listed or [])]
    _Measured.speeds = [speed for speed in found if speed is not None]
    _Measured.device = DeviceFacts.from_json(entries.get("device"))


def remember_run(speed: object, device: DeviceFacts | None, folder: Path) -> None:
    """Keep the speed of a run and the device that it ran on, also for later sessions.

    Args:
        speed: as JSON, from the summary of a run; None if no network ran.
        device: of the engine, if it has told.
        folder: the extension's own folder.
    """
    measured = MeasuredSpeed.from_json(speed)
    if measured is not None:
        older = [s for s in _Measured.speeds if not _is_alike(s, measured)]
        _Measured.speeds = [*older, measured][-_MOST:]
    if device is not None:
        _Measured.device = device
    content = {
        "speeds": [s.to_json() for s in _Measured.speeds],
        "device": None if _Measured.device is None else _Measured.device.to_json(),
    }
    with suppress(OSError):  # an estimate is not worth a failure
        part = folder / f"{_FILE}.part"
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        part.replace(folder / _FILE)


def find_speed(model_id: str) -> MeasuredSpeed | None:
    """Return how fast a model last was on the device that is known, whatever its precision."""
    device = _Measured.device
    for speed in reversed(_Measured.speeds):
        if device is not None and speed.fits(device.name, model_id, speed.precision):
            return speed
    return None


def read_device() -> DeviceFacts | None:
    """Return the device of the last run, also of an earlier session."""
    return _Measured.device


def _is_alike(one: MeasuredSpeed, other: MeasuredSpeed) -> bool:
    return (one.device, one.architecture, one.precision) == (
        other.device,
        other.architecture,
        other.precision,
    )
