# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker tells where it computes, and how much memory there is, when it has time.

Runs in the engine's environment, with the real worker.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from da3_blender.client.engine import EngineClient
from da3_blender.client.launch import worker_command
from da3_blender.contract.settings import RunSettings

if TYPE_CHECKING:
    from da3_blender.client.job import Job


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_an_idle_worker_describes_its_device(tmp_path: Path, environment: dict[str, str]) -> None:
    client = EngineClient(worker_command(Path(sys.executable)), environment)
    settings = RunSettings((str(tmp_path / "no photos"),), str(tmp_path / "out"), device="cpu")
    try:
        failed: Job = client.start_job(settings)
        deadline_s = time.monotonic() + 60
        while client.device is None and time.monotonic() < deadline_s:
            client.tick()
            time.sleep(0.05)
    finally:
        client.shut_down()
    assert failed.error is not None
    device = client.device
    assert device is not None
    assert device.kind == "cpu"
    assert device.name.endswith("threads")
    assert device.total_bytes >= device.free_bytes > 10**8
