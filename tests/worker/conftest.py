# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real worker processes for the tests in this folder.

Runs in pytest, with any Python that can import the contract.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from da3_blender.client.engine import EngineClient
from da3_blender.client.launch import worker_environment
from da3_blender.contract.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from da3_blender.client.job import Job

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def worker_command_of(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-s", "-u", str(HERE / script), *arguments]


@pytest.fixture
def environment() -> dict[str, str]:
    return worker_environment(ROOT)


@pytest.fixture
def worker_command() -> Callable[..., list[str]]:
    return worker_command_of


@pytest.fixture
def make_client(environment: dict[str, str]) -> Iterator[Callable[..., EngineClient]]:
    """A client of `serve_fake.py`, or of another script with arguments; ended after the test."""
    clients: list[EngineClient] = []

    def make(script: str = "serve_fake.py", *arguments: str, **limits: float) -> EngineClient:
        clients.append(EngineClient(worker_command_of(script, *arguments), environment, **limits))
        return clients[-1]

    yield make
    for client in clients:
        client.shut_down()


@pytest.fixture
def tick_until() -> Callable[..., None]:
    """Tick a client as Blender's timer does until a condition holds."""

    def tick(client: EngineClient, condition: Callable[[], object], limit_s: float = 20) -> None:
        end_s = time.monotonic() + limit_s
        while True:
            client.tick()
            if condition():
                return
            if time.monotonic() > end_s:
                pytest.fail(f"not within {limit_s} s; the job is {client.job}")
            time.sleep(0.02)

    return tick


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., RunSettings]:
    """Settings whose first input names a behaviour of the fake pipeline."""

    def make(behaviour: str, *more: str) -> RunSettings:
        return RunSettings((behaviour, *more), str(tmp_path / "made" / "result"))

    return make


@pytest.fixture
def run_job(
    tick_until: Callable[..., None], settings_for: Callable[..., RunSettings]
) -> Callable[..., Job]:
    """Run one behaviour to its end and return the job."""

    def run(client: EngineClient, behaviour: str, *more: str) -> Job:
        job = client.start_job(settings_for(behaviour, *more))
        tick_until(client, lambda: job.is_over)
        return job

    return run


@pytest.fixture
def is_running() -> Callable[[int], bool]:
    """Tell whether a process lives; one that waits for its parent to look (zombie) does not."""
    if sys.platform == "win32":
        pytest.skip("there is no harmless signal on Windows")

    def check(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        status = Path(f"/proc/{pid}/stat")
        try:
            return status.read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return not Path("/proc/self").exists()

    return check
