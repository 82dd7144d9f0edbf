# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A million points into Blender, in each Blender of this checkout's environments.

Runs in the benchmark's environment; starts `blender_points.py` in Blender's Python.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from .network_cases import make_time_row
from .plan import ROOT

if TYPE_CHECKING:
    from .plan import Plan
    from .rows import Row

GROUP = "A million points into Blender"
_TARGET = 100.0


def measure_blender(plan: Plan) -> list[Row]:
    """Compare the ways in each Blender that `make test` has set up; none is no error."""
    script = ROOT / "benchmarks" / "side_by_side" / "blender_points.py"
    rows = []
    for python in sorted((ROOT / ".env").glob("blender-*/bin/python")):
        plan.say(f"points in {python.parents[1].name}")
        done = subprocess.run(  # noqa: S603 - our own script
            [python, "-P", script], stdout=subprocess.PIPE, text=True, check=True
        )
        figures = json.loads(done.stdout.splitlines()[-1])
        case = f"Blender {figures['version']}: Python lists (DA3-blender); ours"
        rows.append(
            make_time_row(GROUP, case, tuple(figures["upstream"]), tuple(figures["ours"]), _TARGET)
        )
    return rows
