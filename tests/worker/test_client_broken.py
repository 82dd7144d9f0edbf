# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that cannot start or speak another protocol.

Runs in pytest with real processes.
"""

from __future__ import annotations

import os
import sys

import pytest

from da3_blender.client.engine import EngineClient
from da3_blender.client.job import JobState
from da3_blender.contract.errors import EngineError, ErrorCode


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("lack_module", "No module named 'torch'"),
        ("leave", "stopped with exit code 0"),
        pytest.param(
            "abort",
            "SIGABRT",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="signals"),
        ),
    ],
)
def test_an_end_before_ready_is_a_broken_engine(make_client, run_job, behaviour, words):
    client = make_client("serve_broken.py", behaviour)
    job = run_job(client, "steps")
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.ENGINE_BROKEN
    assert words in job.error.message
    assert "preferences" in job.error.hint
    # The client does not stay broken: the next job tries again.
    again = run_job(client, "steps")
    assert again.error is not None
    assert again.error.code is ErrorCode.ENGINE_BROKEN


def test_a_silent_worker_is_given_up(make_client, run_job):
    client = make_client("serve_broken.py", "silent", ready_timeout_s=0.5)
    job = run_job(client, "steps")
    assert job.error is not None
    assert job.error.code is ErrorCode.ENGINE_BROKEN
    assert "0.5 s" in job.error.message
    assert not client.is_alive


def test_another_protocol_is_refused_before_the_job_is_sent(make_client, run_job):
    client = make_client("serve_broken.py", "other_protocol")
    job = run_job(client, "steps")
    assert job.error is not None
    assert job.error.code is ErrorCode.PROTOCOL_BROKEN
    assert "99" in job.error.message
    assert not client.is_alive


def test_a_missing_program_is_named(environment, settings_for, tmp_path):
    client = EngineClient([str(tmp_path / "nothing" / "python")], environment)
    with pytest.raises(EngineError) as caught:
        client.start_job(settings_for("steps"))
    assert caught.value.code is ErrorCode.ENGINE_MISSING
    assert str(tmp_path) in caught.value.message
    assert client.job is None


@pytest.mark.skipif(sys.platform == "win32", reason="execute permission")
@pytest.mark.parametrize(("content", "mode"), [(b"\x7fELF nonsense", 0o755), (b"#!", 0o644)])
def test_a_program_of_another_machine_is_a_broken_engine(
    environment, settings_for, tmp_path, content, mode
):
    program = tmp_path / "python"
    program.write_bytes(content)
    program.chmod(mode)
    client = EngineClient([os.fspath(program)], environment)
    with pytest.raises(EngineError) as caught:
        client.start_job(settings_for("steps"))
    assert caught.value.code is ErrorCode.ENGINE_BROKEN
    assert str(program) in caught.value.message
