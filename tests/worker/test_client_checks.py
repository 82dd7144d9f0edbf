# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of an input make way for runs; runs show what they find and can end early."""

from __future__ import annotations

import sys

import pytest

from da3_blender.client.job import JobState
from da3_blender.contract.errors import EngineError, ErrorCode


def test_a_check_tells_its_findings_and_leaves_the_last_run_alone(
    make_client, tick_until, run_job, settings_for
):
    client = make_client()
    run = run_job(client, "steps")
    check = client.start_check(settings_for("a.jpg"))
    tick_until(client, lambda: check.is_over)
    assert check.state is JobState.DONE
    assert check.summary is not None
    assert check.summary["findings"][0]["name"] == "a.jpg"
    assert client.job is run
    assert client.check is check
    assert run.summary is not None
    assert check.summary["pid"] == run.summary["pid"]


def test_a_run_ends_a_check_and_uses_the_same_worker(make_client, tick_until, settings_for):
    client = make_client()
    check = client.start_check(settings_for("slow"))
    tick_until(client, lambda: check.fraction == 0.5)
    pid = client.worker_pid
    run = client.start_job(settings_for("steps"))
    tick_until(client, lambda: run.is_over)
    assert run.state is JobState.DONE, run.error
    assert check.state is JobState.CANCELLED
    assert client.worker_pid == pid


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_does_not_wait_for_a_check_that_hears_nothing(make_client, tick_until, settings_for):
    client = make_client()
    check = client.start_check(settings_for("deaf"))
    tick_until(client, lambda: check.state is JobState.RUNNING)
    run = client.start_job(settings_for("steps"))
    tick_until(client, lambda: run.is_over, limit_s=10)
    assert run.state is JobState.DONE, run.error
    assert check.state is JobState.CANCELLED


def test_a_check_before_the_worker_is_ready_is_forgotten(make_client, tick_until, settings_for):
    client = make_client()
    first = client.start_check(settings_for("slow"))
    second = client.start_check(settings_for("b.jpg"))
    assert first.state is JobState.CANCELLED
    run = client.start_job(settings_for("steps"))
    assert second.state is JobState.CANCELLED
    tick_until(client, lambda: run.is_over)
    assert run.state is JobState.DONE, run.error


def test_a_newer_check_replaces_the_older_one(make_client, tick_until, settings_for):
    client = make_client()
    first = client.start_check(settings_for("slow"))
    tick_until(client, lambda: first.fraction == 0.5)
    second = client.start_check(settings_for("b.jpg"))
    tick_until(client, lambda: second.is_over)
    assert first.state is JobState.CANCELLED
    assert second.summary is not None
    assert second.summary["findings"][0]["name"] == "b.jpg"


def test_no_check_while_a_run_is_in_progress(make_client, tick_until, settings_for):
    client = make_client()
    run = client.start_job(settings_for("wait"))
    tick_until(client, lambda: run.fraction > 0)
    with pytest.raises(EngineError) as caught:
        client.start_check(settings_for("a.jpg"))
    assert caught.value.code is ErrorCode.BUSY
    client.cancel()
    tick_until(client, lambda: run.is_over)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_worker_that_dies_in_a_check_is_replaced(make_client, tick_until, run_job, settings_for):
    client = make_client()
    check = client.start_check(settings_for("kill"))
    tick_until(client, lambda: check.is_over)
    assert check.state is JobState.FAILED
    assert run_job(client, "steps").state is JobState.DONE


def test_a_run_shows_what_it_finds_and_keeps_it_on_request(make_client, tick_until, settings_for):
    client = make_client()
    run = client.start_job(settings_for("find"))
    assert not run.can_finish
    tick_until(client, lambda: run.can_finish and run.state is JobState.RUNNING)
    assert run.found is not None
    assert run.found["views"] == 14
    assert run.found["file"] == "/x.npz"
    client.finish()
    assert run.is_finishing
    assert not run.can_finish
    tick_until(client, lambda: run.is_over)
    assert run.state is JobState.DONE, run.error
    assert run.summary is not None
    assert run.summary["cameras"] >= 2


def test_an_end_can_still_be_cancelled(make_client, tick_until, settings_for):
    client = make_client()
    run = client.start_job(settings_for("find"))
    tick_until(client, lambda: run.can_finish)
    client.cancel()
    client.finish()
    tick_until(client, lambda: run.is_over)
    assert run.state is JobState.CANCELLED


def test_a_download_can_go_to_a_folder(make_client, tick_until):
    client = make_client()
    job = client.start_fetch("da3-base", "/my models")
    tick_until(client, lambda: job.is_over)
    assert job.summary is not None
    assert job.summary["folder"] == "/my models"
