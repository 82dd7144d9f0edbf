# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set-up that is killed at any moment: nothing is left running, the next one gets there."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from da3_blender.client.engine_status import EngineCondition, read_status
from da3_blender.client.job import JobState
from da3_blender.contract.engine_lock import hash_lock_files

KILLS = int(os.environ.get("DA3_KILLS", "8"))


def list_strangers(folder):
    """Command lines of processes that work in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and "pytest" not in words:
            found.append(words.replace("\0", " "))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux shows them")
def test_killed_at_any_moment_it_gets_there(start, tick_until, run, make_request, index, home):
    index.speed = 6_000_000
    began_s = time.monotonic()
    last = run(make_request())
    assert last.state is JobState.DONE, (last.error, last.log_tail)
    usual_s = time.monotonic() - began_s
    numbers = random.Random(int(os.environ.get("DA3_SEED", "7")))  # noqa: S311 - moments, no secrets
    for number in range(KILLS):
        client = start(make_request())
        stop_s = time.monotonic() + usual_s * (number + numbers.random()) / KILLS
        tick_until(client, lambda end=stop_s, c=client: time.monotonic() > end or c.job.is_over)
        if not client.job.is_over:
            os.kill(client._process.pid, signal.SIGKILL)
        tick_until(client, lambda c=client: c.job.is_over)
        assert client.job.state in (JobState.FAILED, JobState.DONE)
        # the engine of before is there whole, whatever was cut off; if it was cut off between
        # the two renames that change engines, the next set-up begins by putting one there
        is_between = not home.environment.exists() and any(home.folder.glob("engine.*/engine.json"))
        condition = read_status(home, "", hash_lock_files()).condition
        assert is_between or condition is EngineCondition.READY
    end_s = time.monotonic() + 5
    while list_strangers(home.folder) and time.monotonic() < end_s:
        time.sleep(0.1)
    assert list_strangers(home.folder) == []
    last = run(make_request())
    assert last.state is JobState.DONE, (last.error, last.log_tail)
    assert sorted(p.name for p in home.folder.iterdir()) == ["engine", "setup.lock"]
