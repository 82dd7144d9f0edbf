# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads of models as jobs: through the client, and with the real pipeline and a local hub.

Runs in pytest with real worker processes; the last tests need the engine's libraries.
"""

from __future__ import annotations

import importlib.util
import sys

import pytest

from da3_blender.client.engine import EngineClient
from da3_blender.client.job import JobState
from da3_blender.client.launch import worker_command
from da3_blender.client.report import make_report
from da3_blender.contract.errors import EngineError, ErrorCode
from tests.engine.local_hub import run_hub

has_engine = all(map(importlib.util.find_spec, ("huggingface_hub", "numpy", "pycolmap", "av")))
needs_engine = pytest.mark.skipif(not has_engine, reason="no engine in this Python")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def test_a_download_ends_with_its_summary_and_a_run_can_follow(make_client, tick_until, run_job):
    client = make_client()
    job = client.start_fetch("da3-base")
    tick_until(client, lambda: job.is_over)
    assert (job.state, job.fraction) == (JobState.DONE, 1.0)
    assert job.settings is None
    assert job.summary is not None
    assert (job.summary["model"], job.summary["bytes"]) == ("da3-base", 7)
    after = run_job(client, "steps")
    assert after.state is JobState.DONE
    assert after.summary is not None
    assert after.summary["pid"] == job.summary["pid"]


def test_a_download_is_one_job_like_a_run(make_client, tick_until, settings_for):
    client = make_client()
    job = client.start_fetch("da3-giant")
    tick_until(client, lambda: job.detail == "1 of 2 GB")
    assert job.stage == "Downloading the model"
    for start in (
        lambda: client.start_fetch("da3-base"),
        lambda: client.start_job(settings_for("steps")),
    ):
        with pytest.raises(EngineError, match="download is in progress") as caught:
            start()
        assert caught.value.code is ErrorCode.BUSY
    client.cancel()
    tick_until(client, lambda: job.is_over, limit_s=2)
    assert job.state is JobState.CANCELLED


def test_an_unknown_model_starts_nothing(make_client):
    client = make_client()
    with pytest.raises(EngineError) as caught:
        client.start_fetch("da3-huge")
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    assert not client.is_alive


def test_a_failed_download_is_explained(make_client, tick_until):
    client = make_client()
    job = client.start_fetch("da3-large-1.0")
    tick_until(client, lambda: job.is_over)
    assert job.error is not None
    assert job.error.code is ErrorCode.DOWNLOAD_FAILED
    report = make_report(job, {})
    assert "Download of da3-large-1.0." in report
    assert "No da3-large-1.0." in report


@posix_only
def test_a_worker_killed_in_a_download_is_explained(make_client, tick_until):
    client = make_client()
    job = client.start_fetch("da3-large")
    tick_until(client, lambda: job.is_over)
    assert job.error is not None
    assert job.error.code is ErrorCode.ENGINE_DIED
    assert "in the middle of the download" in job.error.message


@pytest.fixture
def hub():
    files = {"config.json": b"{}", "model.safetensors": b"weights!" * 250_000}
    with run_hub(files) as server:
        yield server


@pytest.fixture
def real_client(hub, environment, tmp_path):
    """The engine's own worker, whose hub is the test's."""
    environment |= {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path / "cache")}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_OFFLINE": "0"}
    command = worker_command(tmp_path)
    client = EngineClient([sys.executable, *command[1:]], environment)
    yield client
    client.shut_down()


@needs_engine
def test_the_engine_downloads_from_a_hub(real_client, hub, tick_until, tmp_path):
    job = real_client.start_fetch("da3-small")
    tick_until(real_client, lambda: job.is_over, limit_s=60)
    assert job.state is JobState.DONE, job.error
    assert job.summary is not None
    assert job.summary["bytes"] == 2_000_000
    assert "DA3-SMALL" in job.summary["folder"]
    here = [p for p in (tmp_path / "cache").rglob("model.safetensors") if p.is_file()]
    assert [p.read_bytes() for p in here] == [hub.files["model.safetensors"]]


@needs_engine
def test_a_cancelled_download_goes_on_in_the_next_job(real_client, hub, tick_until):
    hub.stalls_at = 1_500_000
    job = real_client.start_fetch("da3-small")
    tick_until(real_client, lambda: job.fraction == 0.75, limit_s=60)
    assert job.detail == "Small, 0.00 GB of 0.00 GB"
    real_client.cancel()
    tick_until(real_client, lambda: job.is_over, limit_s=2)
    assert job.state is JobState.CANCELLED
    hub.stalls_at = None
    hub.go_on.set()
    again = real_client.start_fetch("da3-small")
    tick_until(real_client, lambda: again.is_over, limit_s=60)
    assert again.state is JobState.DONE, again.error
    assert hub.ranges == [0, 1_500_000]
