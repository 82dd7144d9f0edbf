# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel at any moment: within 2 s, with nothing left behind, and the next job works.

Runs in pytest with real worker processes.
"""

from __future__ import annotations

import sys
import time

import pytest

from da3_blender.client.job import JobState

# The promise is 2 s; the rest is for a machine that does other things as well.
CANCEL_LIMIT_S = 2.5
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")


@pytest.mark.parametrize(
    "behaviour",
    ["wait", "stuck", pytest.param("stuck_with_gil", marks=posix_only), "break_when_cancelled"],
)
def test_cancel_ends_a_job_in_time_and_leaves_nothing(
    make_client, tick_until, settings_for, run_job, tmp_path, behaviour
):
    client = make_client()
    job = client.start_job(settings_for(behaviour))
    tick_until(client, lambda: job.stage)
    time.sleep(0.2)  # into the native call
    began_s = time.monotonic()
    client.cancel()
    assert job.state is JobState.CANCELLING
    tick_until(client, lambda: job.is_over)
    assert time.monotonic() - began_s < CANCEL_LIMIT_S
    assert job.state is JobState.CANCELLED
    assert job.error is None
    # At once, while a worker that was stuck may still be on its way out.
    after = run_job(client, "steps")
    assert after.state is JobState.DONE
    assert [path.name for path in tmp_path.rglob("*") if path.name.endswith(".part")] == []


def test_a_job_that_obeys_keeps_its_worker(make_client, tick_until, settings_for, run_job):
    client = make_client()
    job = client.start_job(settings_for("wait"))
    tick_until(client, lambda: job.stage)
    pid = client.worker_pid
    client.cancel()
    tick_until(client, lambda: job.is_over)
    time.sleep(1.5)  # past the moment at which a stuck job would be forced
    assert run_job(client, "steps").state is JobState.DONE
    assert client.worker_pid == pid


def test_cancel_before_the_worker_is_ready_ends_the_job_at_once(make_client, settings_for, run_job):
    client = make_client()
    job = client.start_job(settings_for("stuck"))
    client.cancel()
    assert job.state is JobState.CANCELLED
    after = run_job(client, "steps")
    assert after.state is JobState.DONE
    assert after.summary is not None
    assert after.summary["runs"] == 1  # the first job never reached the pipeline


def test_cancel_right_after_the_run_was_sent(make_client, tick_until, settings_for, run_job):
    client = make_client()
    assert run_job(client, "steps").state is JobState.DONE
    for _ in range(20):
        job = client.start_job(settings_for("wait"))
        client.cancel()
        tick_until(client, lambda job=job: job.is_over)
        assert job.state is JobState.CANCELLED
    assert run_job(client, "steps").state is JobState.DONE


def test_a_result_that_was_complete_before_the_cancel_is_named(
    make_client, tick_until, settings_for
):
    client = make_client()
    job = client.start_job(settings_for("finish_anyway"))
    tick_until(client, lambda: job.stage)
    client.cancel()
    tick_until(client, lambda: job.is_over)
    assert job.state is JobState.CANCELLED
    assert job.summary is not None
    assert job.summary["folder"] == job.settings.output
    assert job.settings.output in job.notes[-1]


@posix_only
def test_cancel_ends_child_processes_too(make_client, tick_until, settings_for, is_running):
    client = make_client()
    job = client.start_job(settings_for("stuck_with_child"))
    tick_until(client, lambda: job.notes)
    child, grandchild = map(int, job.notes[0].split())
    assert is_running(child)
    assert is_running(grandchild)
    client.cancel()
    tick_until(client, lambda: job.is_over)
    assert job.state is JobState.CANCELLED
    tick_until(client, lambda: not is_running(child) and not is_running(grandchild), limit_s=2)


@posix_only
def test_the_client_kills_a_worker_that_does_not_answer(
    make_client, tick_until, settings_for, is_running, tmp_path
):
    client = make_client(cancel_timeout_s=0.3)
    job = client.start_job(settings_for("stuck_with_gil"))
    tick_until(client, lambda: job.stage)
    pid = client.worker_pid
    assert pid is not None
    tick_until(client, lambda: list(tmp_path.rglob("points.npy")))
    client.cancel()
    tick_until(client, lambda: job.is_over, limit_s=1.0)
    assert job.state is JobState.CANCELLED
    assert not is_running(pid)
    assert list(tmp_path.iterdir()) == []  # also the parent folder that the run made
