# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs through the client: results, progress, failures, and that the next job works.

Runs in pytest with real worker processes.
"""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from da3_blender.client.job import JobState
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.settings import RunSettings


def test_a_run_reports_stages_in_order_and_ends_with_its_summary(
    make_client, tick_until, settings_for
):
    client = make_client()
    job = client.start_job(settings_for("steps", "14 photos"))
    assert job.state is JobState.STARTING
    seen: list[tuple[str, float, str]] = []

    def watch() -> bool:
        if job.stage and (not seen or seen[-1] != (job.stage, job.fraction, job.detail)):
            seen.append((job.stage, job.fraction, job.detail))
        return job.is_over

    tick_until(client, watch)
    assert job.state is JobState.DONE
    assert job.error is None
    assert job.notes == ["2 of 14 photos got no camera: a.jpg, b.jpg"]
    assert job.summary is not None
    assert job.summary["folder"] == job.settings.output
    assert job.summary["runs"] == 1
    assert job.fraction == 1.0
    fractions = [fraction for _, fraction, _ in seen]
    assert fractions == sorted(fractions)
    order = ["Reading photos", "Solving cameras", "Writing"]
    positions = [order.index(stage) for stage, _, _ in seen]
    assert positions == sorted(positions)
    assert job.ended_s is not None
    assert job.elapsed_s() == job.ended_s - job.began_s


def test_the_worker_and_its_pipeline_are_kept_between_jobs(make_client, run_job):
    client = make_client()
    first, second = run_job(client, "steps"), run_job(client, "steps")
    assert first.summary is not None
    assert second.summary is not None
    assert second.summary["pid"] == first.summary["pid"] == client.worker_pid
    assert (first.summary["runs"], second.summary["runs"]) == (1, 2)


def test_a_second_job_is_refused_while_one_runs(make_client, settings_for, run_job, tick_until):
    client = make_client()
    job = client.start_job(settings_for("wait"))
    with pytest.raises(EngineError) as caught:
        client.start_job(settings_for("steps"))
    assert caught.value.code is ErrorCode.BUSY
    tick_until(client, lambda: job.state is JobState.RUNNING)
    client.cancel()
    tick_until(client, lambda: job.is_over)
    assert run_job(client, "steps").state is JobState.DONE


def test_settings_are_checked_before_anything_starts(make_client, tmp_path):
    client = make_client()
    with pytest.raises(EngineError) as caught:
        client.start_job(RunSettings((), str(tmp_path)))
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    assert not client.is_alive
    with pytest.raises(EngineError) as caught:
        client.start_job(RunSettings(("/photos/" + "x" * 100,) * 50_000, str(tmp_path)))
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    assert "50000 files" in caught.value.message


def test_unicode_survives_both_ways(make_client, settings_for, tick_until):
    client = make_client()
    name = 'Фото/日本語 ünï 😀/\u2028 "quoted" \\ back.jpg'
    job = client.start_job(settings_for("wait", name))
    tick_until(client, lambda: job.detail)
    assert job.detail == name


def test_noise_on_stdout_breaks_no_message_and_goes_to_the_log(make_client, run_job):
    client = make_client()
    job = run_job(client, "noise")
    assert job.state is JobState.DONE
    assert job.notes == ["heard"]
    log = "\n".join(job.log_tail)
    assert "half a line" in log
    assert "from a child" in log
    assert "übergroß → 日本" in log


def test_a_library_that_reads_stdin_gets_nothing(make_client, run_job):
    client = make_client()
    job = run_job(client, "read_stdin")
    assert job.summary is not None
    assert job.summary["read"] == ""
    assert run_job(client, "steps").state is JobState.DONE


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("raise_error", ErrorCode.INTERNAL, "ValueError: no such thing)"),
        ("memory", ErrorCode.OUT_OF_MEMORY, "12.0 GiB"),
        ("torch_memory", ErrorCode.OUT_OF_MEMORY, "can't allocate memory"),
        ("disk", ErrorCode.DISK_FULL, "result"),
        ("missing_module", ErrorCode.ENGINE_BROKEN, "a_module_that_is_not_there"),
        ("engine_error", ErrorCode.INPUT_TOO_FEW, "/données/é"),
        ("exit", ErrorCode.INTERNAL, "SystemExit: 5"),
        ("bad_summary", ErrorCode.INTERNAL, "ValueError"),
    ],
)
def test_a_failure_has_a_sentence_and_the_same_worker_goes_on(
    make_client, run_job, behaviour, code, words
):
    client = make_client()
    job = run_job(client, behaviour)
    pid = client.worker_pid
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code is code
    assert words in job.error.message
    assert job.error.hint.endswith(".")
    after = run_job(client, "steps")
    assert after.state is JobState.DONE
    assert client.worker_pid == pid


def test_memory_remedy_names_a_smaller_resolution(make_client, run_job):
    job = run_job(make_client(), "memory")
    assert job.error is not None
    found = re.search(r"from 504 to (\d+)", job.error.hint)
    assert found is not None
    assert 224 <= int(found[1]) < 504
    assert int(found[1]) % 14 == 0


def test_the_log_of_a_failure_has_the_traceback_without_the_user(
    make_client, environment, tick_until, tmp_path
):
    home = tmp_path / "home" / "annabel"
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "USER": "annabel"}
    client = make_client()
    job = client.start_job(RunSettings(("raise_error",), str(home / "results of annabel")))
    tick_until(client, lambda: job.is_over)
    log = "\n".join(job.log_tail)
    assert "Traceback (most recent call last):" in log
    assert "in raise_error" in log
    assert "~/results of <user>" in log
    assert "annabel" not in log
    assert len(job.log_tail) <= 40


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_worker_is_explained_and_the_next_job_works(make_client, run_job):
    client = make_client()
    assert run_job(client, "steps").state is JobState.DONE
    job = run_job(client, "kill")
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.ENGINE_DIED
    assert "SIGKILL" in job.error.message
    assert "memory" in job.error.message
    assert "fewer photos" in job.error.hint
    assert not client.is_alive
    assert run_job(client, "steps").state is JobState.DONE


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_crash_leaves_its_place_in_the_log_and_no_files(make_client, run_job, tmp_path):
    client = make_client()
    job = run_job(client, "abort")
    assert job.error is not None
    assert job.error.code is ErrorCode.ENGINE_DIED
    assert "SIGABRT" in job.error.message
    assert any("in abort" in line for line in job.log_tail)
    assert list(tmp_path.iterdir()) == []
    assert run_job(client, "steps").state is JobState.DONE


def test_a_worker_that_exits_in_a_job_is_explained(make_client, run_job):
    client = make_client()
    job = run_job(client, "leave")
    assert job.error is not None
    assert job.error.code is ErrorCode.ENGINE_DIED
    assert "exit code 7" in job.error.message
    assert run_job(client, "steps").state is JobState.DONE


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_children_of_a_killed_worker_end_too(make_client, tick_until, settings_for, is_running):
    client = make_client()
    job = client.start_job(settings_for("stuck_with_child"))
    tick_until(client, lambda: job.notes)
    children = [int(word) for word in job.notes[0].split()]
    assert all(map(is_running, children))
    os.kill(client.worker_pid, signal.SIGKILL)
    tick_until(client, lambda: job.is_over)
    assert job.state is JobState.FAILED
    tick_until(client, lambda: not any(map(is_running, children)), limit_s=2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_worker_killed_between_jobs_is_replaced(make_client, run_job, is_running, tick_until):
    client = make_client()
    assert run_job(client, "steps").state is JobState.DONE
    pid = client.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    # No wait and no tick: the client has not noticed when the next job begins.
    assert run_job(client, "steps").state is JobState.DONE
    assert client.worker_pid != pid
    tick_until(client, lambda: not is_running(pid))
