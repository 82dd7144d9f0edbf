# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a 12-megapixel JPEG file to the network's input: seconds and memory.

Runs in the benchmark's environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .gate import check_fast_photos, check_photos
from .memory import forget_peak, read_bytes
from .network_cases import make_time_row
from .pictures import ensure_photos
from .plan import ROOT, SAMPLES
from .rows import Row, format_bytes
from .sides import prepare_like_ours, prepare_like_ours_fast, prepare_like_upstream
from .timing import take_turns

if TYPE_CHECKING:
    from .plan import Plan

GROUP = "Preparing 12-megapixel JPEG photos"
_COUNT = 8
PREPARE = {
    "upstream": prepare_like_upstream,
    "ours": prepare_like_ours,
    "ours fast": prepare_like_ours_fast,
}


def measure_photos(plan: Plan) -> list[Row]:
    """Compare the time per photo and the memory of eight; the gate comes first."""
    paths = ensure_photos(SAMPLES, plan.folder / "photos", _COUNT)
    reference = prepare_like_upstream(paths)
    _, same = check_photos(reference, prepare_like_ours(paths))
    psnr = check_fast_photos(reference, prepare_like_ours_fast(paths))
    plan.say(f"photos: {same:.2%} of the values are the same, fast path {psnr:.1f} dB")
    calls = {side: partial(prepare, paths) for side, prepare in PREPARE.items()}
    seconds = {
        side: tuple(s / _COUNT for s in values)
        for side, values in take_turns(calls, plan.rounds).items()
    }
    peaks = {side: _probe_memory(side, paths) for side in PREPARE}
    upstream_s = seconds["upstream"]
    return [
        Row(GROUP, "exact path: values that are the same", "", f"{same:.2%}"),
        Row(GROUP, "fast path: signal to noise, at least 50 dB", "", f"{psnr:.1f} dB"),
        make_time_row(GROUP, "exact path, per photo", upstream_s, seconds["ours"], 1.6),
        make_time_row(
            GROUP, "fast path (at least 50 dB), per photo", upstream_s, seconds["ours fast"], 3.5
        ),
        _make_memory_row("exact path", peaks["upstream"], peaks["ours"]),
        _make_memory_row("fast path", peaks["upstream"], peaks["ours fast"], 0.1),
    ]


def _make_memory_row(path: str, upstream: int, ours: int, target: float | None = None) -> Row:
    return Row(
        GROUP,
        f"{path}, memory above the imports, {_COUNT} photos",
        format_bytes(upstream),
        format_bytes(ours),
        ours / upstream,
        target=target,
        is_share=True,
    )


def _probe_memory(side: str, paths: list[Path]) -> int:
    """Return the peak in a fresh process, in bytes above what it had after a first photo."""
    script = ROOT / "benchmarks" / "vs_upstream.py"
    command = [
        sys.executable,
        "-P",
        str(script),
        "--here",
        "--probe-photos",
        side,
        *map(str, paths),
    ]
    done = subprocess.run(  # noqa: S603 - our own script
        command, stdout=subprocess.PIPE, text=True, check=True
    )
    return int(json.loads(done.stdout.splitlines()[-1]))


def run_photo_probe(side: str, paths: list[str]) -> None:
    """Measure in this process and write the bytes as the last line of stdout."""
    prepare = PREPARE[side]
    small = sorted(SAMPLES.glob("*.jpg"))[:1]
    prepare(small)  # imports everything
    base = forget_peak()
    prepare([Path(path) for path in paths])
    sys.stdout.write(json.dumps(read_bytes("VmHWM") - base) + "\n")
