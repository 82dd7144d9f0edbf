# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A parent that starts a client with a stuck job and waits to be killed.

Runs in a sub-process of `test_worker_parent.py`: `python hold_worker.py SERVE_SCRIPT OUTPUT`.
"""

# ruff: noqa: T201 - its parent test reads what it prints
from __future__ import annotations

import sys
import time
from pathlib import Path

from da3_blender.client.engine import EngineClient
from da3_blender.client.launch import worker_environment
from da3_blender.contract.settings import RunSettings

if __name__ == "__main__":
    script, output = sys.argv[1:]
    root = Path(script).resolve().parents[2]
    client = EngineClient([sys.executable, "-P", "-s", "-u", script], worker_environment(root))
    job = client.start_job(RunSettings(("stuck_with_child",), output))
    while not job.notes:
        client.tick()
        time.sleep(0.02)
    print(client.worker_pid, job.notes[0], flush=True)
    time.sleep(60)
