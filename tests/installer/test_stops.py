# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set-up that is stopped by the user, by death, by the disk, the network or another Blender."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from da3_blender.client import engine_setup
from da3_blender.client.engine_status import EngineCondition, read_status
from da3_blender.client.job import JobState
from da3_blender.contract import protocol
from da3_blender.contract.engine_environment import make_engine_environment
from da3_blender.contract.engine_lock import hash_lock_files
from da3_blender.contract.errors import EngineError, ErrorCode

from .tiny_index import BULK_BYTES

ROOT = Path(__file__).resolve().parents[2]
# The big package takes a second, so there is time to stop in the middle of it.
SLOW = BULK_BYTES


def find_part(home):
    return next(home.downloads.glob("bulky-*.part"), None)


def has_half(home):
    part = find_part(home)
    return part is not None and part.stat().st_size > BULK_BYTES // 3


def read_condition(home):
    return read_status(home, "", hash_lock_files()).condition


def check_resumed(run, make_request, index, home):
    """A second set-up takes only what is missing."""
    kept = find_part(home).stat().st_size
    index.requests.clear()
    index.speed = 0
    job = run(make_request())
    assert job.state is JobState.DONE, job.error
    assert index.list_downloads("bulky") == [("GET", index_name(index), f"bytes={kept}-")]
    assert read_condition(home) is EngineCondition.READY


def index_name(index):
    return next(index.folder.glob("bulky-*.whl")).name


def test_a_cancel_is_quick_and_the_next_set_up_goes_on(
    start, tick_until, run, make_request, index, home
):
    index.speed = SLOW
    client = start(make_request())
    tick_until(client, lambda: has_half(home))
    began_s = time.monotonic()
    client.cancel()
    tick_until(client, lambda: client.job.is_over)
    assert time.monotonic() - began_s < 3
    assert client.job.state is JobState.CANCELLED
    status = read_status(home, "", hash_lock_files())
    assert status.condition is EngineCondition.UNFINISHED
    assert status.kept_bytes > BULK_BYTES // 3
    check_resumed(run, make_request, index, home)


def test_a_killed_set_up_is_a_sentence_and_goes_on(
    start, tick_until, run, make_request, index, home
):
    index.speed = SLOW
    client = start(make_request())
    tick_until(client, lambda: has_half(home))
    os.kill(client._process.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    tick_until(client, lambda: client.job.is_over)
    assert client.job.error.code is ErrorCode.SETUP_FAILED
    assert "goes on" in client.job.error.hint
    check_resumed(run, make_request, index, home)


def test_the_end_of_blender_ends_the_set_up(tick_until, make_request, index, home, lock):
    index.speed = SLOW
    command = [sys.executable, "-P", "-s", "-u", "-m", "tests.installer.serve_tiny"]
    process = subprocess.Popen(
        command,
        env=make_engine_environment(ROOT) | {"TINY_LOCK": str(lock)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    process.stdin.write(protocol.encode("install", request=make_request().to_json()).encode())
    process.stdin.flush()
    end_s = time.monotonic() + 30
    while not has_half(home) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert has_half(home)
    process.stdin.close()  # what remains of Blender after a crash
    assert process.wait(3) != 0
    assert read_condition(home) is EngineCondition.UNFINISHED


@pytest.mark.skipif(sys.platform == "win32", reason="looks at processes as POSIX shows them")
@pytest.mark.parametrize("way", ["cancel", "shut_down"])
def test_no_uv_is_left_behind(start, tick_until, make_request, tmp_path, home, way):
    program = tmp_path / "uv"  # a uv that hangs, to have time to look
    marker = tmp_path / "pid"
    program.write_text(f'#!/bin/sh\necho $$ > "{marker}"\nexec sleep 60\n', encoding="utf-8")
    client = start(make_request(uv=str(program)))
    tick_until(client, lambda: marker.exists() and marker.read_text().strip())
    pid = int(marker.read_text())
    getattr(client, way)()
    tick_until(client, lambda: client.job.is_over)
    assert client.job.state is JobState.CANCELLED
    end_s = time.monotonic() + 3
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end_s:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_two_blenders_do_not_set_up_at_once(start, tick_until, run, make_request, index, home):
    index.speed = SLOW
    first = start(make_request())
    tick_until(first, lambda: has_half(home))
    second = run(make_request())
    assert second.error.code is ErrorCode.BUSY
    assert str(first._process.pid) in second.error.message
    tick_until(first, lambda: first.job.is_over)
    assert first.job.state is JobState.DONE, first.job.error
    assert run(make_request()).state is JobState.DONE  # the lock is free again


def test_one_blender_does_not_set_up_twice(make_request, index, monkeypatch, start):
    index.speed = SLOW
    monkeypatch.setattr(engine_setup._Setup, "client", start(make_request()))
    with pytest.raises(EngineError) as caught:
        engine_setup.start_setup(sys.executable, make_request())
    assert caught.value.code is ErrorCode.BUSY
    assert "set-up of the engine is in progress" in caught.value.message


def test_a_cut_connection_is_taken_up_again(run, make_request, index):
    index.cuts = 2
    job = run(make_request())
    assert job.state is JobState.DONE, job.error
    assert [bool(wanted) for _, _, wanted in index.list_downloads("bulky")] == [False, True, True]


def test_rubbish_in_a_part_is_thrown_away(run, make_request, index, home):
    home.downloads.mkdir(parents=True)
    part = home.downloads / f"{index_name(index)}.part"
    part.write_bytes(b"?" * 1000)
    job = run(make_request())
    assert job.state is JobState.DONE, job.error
    assert [wanted for _, _, wanted in index.list_downloads("bulky")] == ["bytes=1000-", ""]


@pytest.mark.parametrize(("status", "words"), [(404, "404"), (410, "410")])
def test_a_server_without_the_file_is_a_sentence(run, make_request, index, status, words):
    index.status = status
    job = run(make_request())
    assert job.error.code is ErrorCode.DOWNLOAD_FAILED
    assert words in job.error.message
    assert "network" in job.error.hint


def test_no_network_is_a_sentence_with_two_ways_out(run, make_request, index):
    nowhere = index.url
    index.stop()
    job = run(make_request(default_index=nowhere, torch_index=nowhere))
    assert job.error.code is ErrorCode.DOWNLOAD_FAILED
    assert "Folder" in job.error.hint
    assert "mirror" in job.error.hint


def test_a_server_that_lets_only_uv_in_is_left_to_uv(run, make_request, index):
    index.credentials = "me:word"
    url = index.url.replace("//", "//me:word@")
    job = run(make_request(default_index=url, torch_index=url))
    assert job.state is JobState.DONE, job.error
    assert any("only uv" in note for note in job.notes)


def test_a_server_that_lets_nobody_in_is_a_sentence(run, make_request, index):
    index.status = 401
    job = run(make_request())
    assert job.error.code is ErrorCode.DOWNLOAD_FAILED
    assert "401" in job.error.message


def test_too_small_a_disk_is_known_before_the_download(run, make_request, index, monkeypatch):
    monkeypatch.setenv("TINY_FREE_BYTES", "100000000")
    job = run(make_request())
    assert job.error.code is ErrorCode.DISK_FULL
    assert "100 MB free" in job.error.message
    assert not index.list_downloads()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_keeps_what_arrived(make_request, run, index, home, monkeypatch):
    monkeypatch.setenv("TINY_FULL_AFTER", str(BULK_BYTES // 2))
    job = run(make_request())
    assert job.error.code is ErrorCode.DISK_FULL
    assert "is kept" in job.error.hint
    monkeypatch.delenv("TINY_FULL_AFTER")
    check_resumed(run, make_request, index, home)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written_is_a_sentence(run, make_request, home):
    home.folder.mkdir()
    home.folder.chmod(0o555)
    job = run(make_request())
    assert job.error.code is ErrorCode.OUTPUT_UNWRITABLE
    assert str(home.folder) in job.error.message


def test_a_home_that_is_a_file_is_a_sentence(run, make_request, home):
    home.folder.write_text("a file", encoding="utf-8")
    job = run(make_request())
    assert job.error.code is ErrorCode.OUTPUT_UNWRITABLE
    assert str(home.folder) in job.error.message


def test_a_missing_uv_is_a_sentence(run, make_request, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    job = run(make_request(uv=str(tmp_path / "uv")))
    assert job.error.code is ErrorCode.SETUP_FAILED
    assert "uv" in job.error.message
    assert "zip" in job.error.hint


def test_a_python_that_will_not_do_is_a_sentence(run, make_request, tmp_path):
    job = run(make_request(python="chosen", python_path=str(tmp_path / "none")))
    assert job.error.code is ErrorCode.PYTHON_MISSING
    assert str(tmp_path / "none") in job.error.message


@pytest.mark.skipif(sys.platform == "win32", reason="the old Python is a shell script")
def test_an_old_python_is_named_with_its_version(run, make_request, tmp_path):
    old = tmp_path / "python"
    old.write_text(f"#!/bin/sh\necho '{json.dumps([[3, 9, 2], True, '/old'])}'\n", encoding="utf-8")
    old.chmod(0o755)
    job = run(make_request(python="chosen", python_path=str(old)))
    assert job.error.code is ErrorCode.PYTHON_MISSING
    assert "3.9.2" in job.error.message
    assert "3.11 or 3.12 or 3.13" in job.error.message
