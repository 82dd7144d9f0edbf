# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An export as a job of the worker: progress, files, cancel, and words for what cannot be."""

import sys
import time
from pathlib import Path

import pytest

from da3_blender.client.engine import EngineClient
from da3_blender.client.job import JobState
from da3_blender.client.launch import find_extension_root, worker_command, worker_environment
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.export_request import ExportRequest
from tests.engine.hand_over_results import write_refined_result

_LIMIT_S = 120


@pytest.fixture
def client():
    made = EngineClient(
        worker_command(Path(sys.executable)), worker_environment(find_extension_root())
    )
    yield made
    made.shut_down()


def follow(client, job, until=None):
    """Tick until a job is over, or something else; return the stages that were seen."""
    end, stages = time.monotonic() + _LIMIT_S, []
    while not job.is_over and not (until and until()):
        assert time.monotonic() < end
        client.tick()
        if job.stage and job.stage not in stages:
            stages.append(job.stage)
        time.sleep(0.01)
    return stages


def test_an_export_has_stages_and_names_its_files(client, tmp_path):
    write_refined_result(tmp_path / "result")
    request = ExportRequest(str(tmp_path / "result"), str(tmp_path / "out"), ("report", "layers"))
    job = client.start_export(request)
    with pytest.raises(EngineError, match="An export is in progress"):
        client.start_export(request)
    stages = follow(client, job)
    assert job.state is JobState.DONE, job.error
    assert stages == ["Writing the report", "Writing layers"]
    report = tmp_path / "out" / "report" / "report.html"
    assert job.summary["files"] == [str(report), str(tmp_path / "out" / "layers")]
    assert report.is_file()
    assert len(list((tmp_path / "out" / "layers").iterdir())) == 5


def test_a_failed_export_says_why_and_the_next_one_works(client, tmp_path):
    write_refined_result(tmp_path / "result", lens=False)
    request = ExportRequest(str(tmp_path / "result"), str(tmp_path / "out"), ("st-maps",))
    job = client.start_export(request)
    follow(client, job)
    assert job.state is JobState.FAILED
    assert job.error.code is ErrorCode.SETTINGS_INVALID
    assert "no distortion" in job.error.message
    job = client.start_export(ExportRequest(request.result, request.out, ("report",)))
    follow(client, job)
    assert job.state is JobState.DONE, job.error


def test_an_export_can_be_cancelled(client, tmp_path):
    write_refined_result(tmp_path / "result")
    formats = ("undistorted", "layers", "layers-undistorted", "undistorted-overscan")
    job = client.start_export(
        ExportRequest(str(tmp_path / "result"), str(tmp_path / "out"), formats)
    )
    follow(client, job, lambda: job.stage)
    client.cancel()
    follow(client, job)
    assert job.state is JobState.CANCELLED
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.parametrize("formats", [(), ("fbx",)])
def test_unknown_exports_are_refused_before_they_start(client, formats):
    with pytest.raises(EngineError) as caught:
        client.start_export(ExportRequest("/a", "/b", formats))
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    assert ExportRequest.from_json({"formats": 3}).formats == ()
