# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One side alone in a fresh process: seconds and memory of import, load, and first result.

Runs in the benchmark's environment, on Linux: `vs_upstream.py --probe` starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .memory import forget_peak, read_bytes
from .plan import ROOT, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from .sides import Maps

SIDES = ("upstream", "ours")


@dataclass(frozen=True)
class ProbeResult:
    """Figures of one process; seconds are processor time of all its threads.

    Attributes:
        import_s: importing torch and the engine.
        load_s: building the network and reading the checkpoint.
        run_s: the first run, 0 without pictures.
        imported_bytes: memory after the imports.
        load_peak_bytes: peak while loading, above that.
        loaded_bytes: memory after loading, above that.
        run_peak_bytes: peak of the first run, above that.
    """

    import_s: float
    load_s: float
    run_s: float
    imported_bytes: int
    load_peak_bytes: int
    loaded_bytes: int
    run_peak_bytes: int

    @property
    def peak_bytes(self) -> int:
        """Return the peak of loading and running, above the memory after the imports."""
        return max(self.load_peak_bytes, self.run_peak_bytes)


def probe(side: str, checkpoint: Path, views: int) -> ProbeResult:
    """Run one side in a fresh process.

    Args:
        side: one of SIDES.
        checkpoint: folder of the weights.
        views: pictures of the first run; 0 to load only.

    Raises:
        subprocess.CalledProcessError: the process failed; it said why on stderr.
    """
    script = ROOT / "benchmarks" / "vs_upstream.py"
    command = [
        sys.executable,
        "-P",
        str(script),
        "--here",
        "--probe",
        side,
        str(checkpoint),
        str(views),
    ]
    done = subprocess.run(  # noqa: S603 - our own script
        command, stdout=subprocess.PIPE, text=True, check=True
    )
    return ProbeResult(**json.loads(done.stdout.splitlines()[-1]))


def run_probe(side: str, checkpoint: Path, views: int) -> None:
    """Measure in this process and write the result as the last line of stdout."""
    clock = time.process_time
    start = clock()
    import torch

    torch.set_num_threads(1)
    _import_engine(side)
    imported = clock()
    base = forget_peak()
    run = _load(side, checkpoint)
    loaded = clock()
    load_peak, loaded_bytes = read_bytes("VmHWM"), read_bytes("VmRSS")
    forget_peak()
    run_s = 0.0
    if views:
        from .pictures import load_network_pictures

        images = load_network_pictures(SAMPLES, views)
        began = clock()
        run(images)
        run_s = clock() - began
    result = ProbeResult(
        import_s=imported - start,
        load_s=loaded - imported,
        run_s=run_s,
        imported_bytes=base,
        load_peak_bytes=load_peak - base,
        loaded_bytes=loaded_bytes - base,
        run_peak_bytes=read_bytes("VmHWM") - base,
    )
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


def _import_engine(side: str) -> None:
    if side == "upstream":
        from .missing_libraries import stand_in

        stand_in()
        import depth_anything_3.api  # noqa: F401 - what is timed
    else:
        import da3_blender.inference.loading  # noqa: F401 - what is timed


def _load(side: str, checkpoint: Path) -> Callable[[list[np.ndarray]], Maps]:
    from .sides import OurSide, UpstreamSide

    if side == "upstream":
        return UpstreamSide(checkpoint, "cpu").run_as_shipped
    return OurSide(checkpoint, "cpu", "float32").run
