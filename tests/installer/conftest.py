# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real uv, a tiny package index, and set-ups of a tiny engine from it.

Runs in pytest, with any Python 3.11 to 3.13.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from da3_blender.client.engine_setup import SetupClient
from da3_blender.contract.engine_home import EngineHome
from da3_blender.contract.setup_request import INSTALL, PYTHON_BLENDER, SetupRequest

from .tiny_index import TinyIndex, make_wheels, write_lock
from .unpacked_uv import unpack_uv

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def uv_program(tmp_path_factory):
    return unpack_uv(tmp_path_factory.mktemp("uv"))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels") / "Räder 中"
    make_wheels(folder)
    return folder


@pytest.fixture
def lock(tmp_path, wheels, monkeypatch):
    """Lock files of the tiny engine, for this process and for installers that it starts."""
    from da3_blender.contract import engine_lock

    folder = tmp_path / "lock"
    write_lock(folder, wheels)
    monkeypatch.setenv("TINY_LOCK", str(folder))
    monkeypatch.setattr(engine_lock, "INSTALLER_FOLDER", folder)
    return folder


@pytest.fixture
def index(wheels):
    server = TinyIndex(wheels)
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path):
    return EngineHome(tmp_path / "Zu Hause ü")


@pytest.fixture
def make_request(uv_program, lock, index, home):
    """Return a function: a request for the tiny engine, from the tiny index unless told."""

    def make(action=INSTALL, **changes):
        values = {
            "uv": str(uv_program),
            "python": PYTHON_BLENDER,
            "blender_python": sys.executable,
            "default_index": index.url,
            "torch_index": index.url,
            **changes,
        }
        return SetupRequest(action, str(home.folder), str(ROOT), **values)

    return make


@pytest.fixture
def start():
    """Start an installer process; ended after the test."""
    clients = []

    def begin(request):
        client = SetupClient(sys.executable, request, "tests.installer.serve_tiny")
        clients.append(client)
        return client

    yield begin
    for client in clients:
        client.shut_down()


@pytest.fixture
def tick_until():
    """Tick as Blender's timer does until a condition holds."""

    def tick(client, condition, limit_s=60):
        end_s = time.monotonic() + limit_s
        while True:
            client.tick()
            if condition():
                return
            if time.monotonic() > end_s:
                pytest.fail(f"not within {limit_s} s; the set-up is {client.job}")
            time.sleep(0.02)

    return tick


@pytest.fixture
def run(start, tick_until):
    """Carry a request out to its end and return the job."""

    def carry_out(request):
        client = start(request)
        tick_until(client, lambda: client.job.is_over)
        return client.job

    return carry_out
