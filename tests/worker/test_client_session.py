# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session's client, its end, and the report of a job.

Runs in pytest with real worker processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from da3_blender.client import session
from da3_blender.client.engine import EngineClient
from da3_blender.client.job import Job, JobState
from da3_blender.client.report import make_report
from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.masking import mask_private
from da3_blender.contract.settings import RunSettings


@pytest.fixture
def own_session():
    yield
    session.shut_down()


@pytest.mark.usefixtures("own_session")
def test_the_session_keeps_one_client_per_command(
    worker_command, environment, settings_for, tick_until
):
    command = worker_command("serve_fake.py")
    assert session.current_job() is None
    client = session.get_client(command, environment)
    assert session.get_client(list(command), environment) is client
    job = client.start_job(settings_for("wait"))
    assert session.current_job() is job
    assert session.current_client() is client
    with pytest.raises(EngineError) as caught:
        session.get_client([*command, "other"], environment)
    assert caught.value.code is ErrorCode.BUSY
    tick_until(client, lambda: job.stage)
    client.cancel()
    tick_until(client, lambda: job.is_over)
    other = session.get_client([*command, "other"], environment)
    assert other is not client
    assert not client.is_alive
    session.shut_down()
    assert session.current_client() is None


def test_shut_down_ends_a_stuck_job_and_its_files(
    make_client, tick_until, settings_for, is_running, run_job, tmp_path
):
    client = make_client()
    job = client.start_job(settings_for("stuck"))
    tick_until(client, lambda: list(tmp_path.rglob("points.npy")))
    pid = client.worker_pid
    client.shut_down()
    assert job.state is JobState.CANCELLED
    assert not client.is_alive
    assert not is_running(pid)
    assert list(tmp_path.iterdir()) == []
    assert run_job(client, "steps").state is JobState.DONE


def test_a_parent_that_ends_normally_shuts_the_worker_down(worker_command, environment, is_running):
    code = (
        "import json, sys, time\n"
        "from da3_blender.client import session\n"
        "from da3_blender.client.launch import worker_environment\n"
        "from da3_blender.contract.settings import RunSettings\n"
        "command, root = json.loads(sys.argv[1])\n"
        "from pathlib import Path\n"
        "client = session.get_client(command, worker_environment(Path(root)))\n"
        "job = client.start_job(RunSettings(('steps',), '/result'))\n"
        "while not job.is_over: client.tick(); time.sleep(0.02)\n"
        "print(client.worker_pid)\n"
    )
    arguments = json.dumps([worker_command("serve_fake.py"), environment["PYTHONPATH"]])
    answer = subprocess.run(
        [sys.executable, "-c", code, arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert answer.stderr == ""
    assert not is_running(int(answer.stdout))


def test_a_tick_never_waits_for_a_silent_worker(make_client, settings_for):
    client = make_client("serve_broken.py", "silent")
    client.start_job(RunSettings(("x" * 1000,) * 3000, settings_for("steps").output))
    slowest_s = 0.0
    for _ in range(50):
        began_s = time.perf_counter()
        assert client.tick() is False
        slowest_s = max(slowest_s, time.perf_counter() - began_s)
        time.sleep(0.002)
    assert slowest_s < 0.1  # a wait for the worker would last for its 60 s


@pytest.fixture
def annabel(monkeypatch):
    monkeypatch.setenv("HOME", "/home/annabel")
    monkeypatch.setenv("USERPROFILE", "/home/annabel")
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "annabel")


@pytest.mark.usefixtures("annabel")
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("in /home/annabel/photos/a.jpg", "in ~/photos/a.jpg"),
        ("'/home/annabel'", "'~'"),
        ("/home/annabelle/x and /home/bob.", "/home/<user>/x and /home/<user>"),
        ("/Users/carol/x", "/Users/<user>/x"),
        (r"C:\Users\Ann Lee\Pictures\a.jpg", r"C:\Users\<user>\Pictures\a.jpg"),
        (r"open('d:\\users\\bob\\a b.jpg')", r"open('d:\\users\\<user>\\a b.jpg')"),
        ("C:/Users/bob", "C:/Users/<user>"),
        ("by Annabel on /mnt/annabel_2", "by <user> on /mnt/annabel_2"),
        ("/mnt/annabel/x", "/mnt/<user>/x"),
        ("see https://example.org/home/page and ./home/page", None),
        ("annabelle is somebody else", None),
    ],
)
def test_masking(text, masked):
    assert mask_private(text) == (text if masked is None else masked)


def test_masking_on_windows(monkeypatch):
    monkeypatch.setenv("HOME", r"C:\Users\Ann Lee")
    monkeypatch.setenv("USERPROFILE", r"C:\Users\Ann Lee")
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "Ann Lee")
    assert mask_private(r"c:\users\ann lee\a.jpg") == r"~\a.jpg"
    assert mask_private(r"'C:\\Users\\Ann Lee\\a.jpg'") == r"'~\\a.jpg'"
    assert mask_private("C:/Users/Ann Lee/a.jpg by Ann Lee") == "~/a.jpg by <user>"


def test_a_home_that_is_the_root_masks_nothing_else(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("USERPROFILE", "/")
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "root")
    assert mask_private("the root empty in /data/x") == "the root empty in /data/x"


@pytest.mark.usefixtures("annabel")
def test_the_report_tells_everything_but_who():
    settings = RunSettings(("/home/annabel/a.jpg", "/home/annabel/b.jpg"), "/home/annabel/out")
    job = Job("7", settings)
    job.update({"type": "note", "job": "7", "text": "1 of 2 photos got no camera"})
    job.update(
        {
            "type": "failed",
            "job": "7",
            "error": {
                "code": "disk_full",
                "message": "No room in /home/annabel/out.",
                "hint": "Free some space.",
            },
            "log": ["INFO annabel began", "ERROR /home/annabel/out"],
        }
    )
    report = make_report(job, {"Blender": "4.5.15"})
    for part in (
        "- Blender: 4.5.15",
        "- State: failed",
        "- disk_full: No room in ~/out.",
        "- Free some space.",
        "- 1 of 2 photos got no camera",
        "- inputs: ~/a.jpg and 1 more",
        "- process_resolution: 504",
        "INFO <user> began",
        "ERROR ~/out",
    ):
        assert part in report
    assert "annabel" not in report


def test_a_report_without_a_run_has_the_versions():
    report = make_report(None, {"Blender": "5.2.3"})
    assert "- Blender: 5.2.3" in report
    assert "No run" in report


def test_a_job_listens_to_its_own_messages_only_and_ends_once():
    job = Job("1", RunSettings(("a",), "b"))
    assert not job.update({"type": "progress", "job": "2", "stage": "x", "fraction": 0.5})
    assert job.update({"type": "progress", "job": "1", "stage": "x", "fraction": 0.5})
    assert job.update({"type": "progress", "job": "1", "stage": "y", "fraction": 0.2})
    assert (job.state, job.stage, job.fraction) == (JobState.RUNNING, "y", 0.5)
    assert job.update({"type": "cancelled", "job": "1"})
    assert not job.update({"type": "done", "job": "1", "folder": "b", "summary": {}})
    assert job.state is JobState.CANCELLED
    assert job.summary is None


def test_a_client_that_never_started_can_be_shut_down(worker_command, environment):
    client = EngineClient(worker_command("serve_fake.py"), environment)
    assert client.tick() is False
    client.cancel()
    client.shut_down()
    assert client.job is None
