# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as a process: its messages, the end of its stdin, the end of its parent.

Runs in pytest with real worker processes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from da3_blender.client.launch import worker_command as real_worker_command
from da3_blender.contract import protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from da3_blender.contract.settings import RunSettings

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@contextmanager
def start(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        bufsize=1,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> dict:
    return json.loads(process.stdout.readline())


def read_last(process: subprocess.Popen[str]) -> dict:
    while (message := read(process))["type"] not in protocol.LAST_WORDS:
        pass
    return message


def write_run(process: subprocess.Popen[str], job: str, settings: RunSettings) -> None:
    process.stdin.write(protocol.encode(protocol.RUN, job=job, settings=settings.to_json()))


def test_ready_comes_first_and_eof_ends(worker_command, environment):
    with start(worker_command("serve_fake.py"), environment) as process:
        ready = read(process)
        assert ready == {
            "type": "ready",
            "protocol": protocol.PROTOCOL,
            "version": protocol.VERSION,
            "pid": process.pid,
            "python": "{}.{}.{}".format(*sys.version_info[:3]),
        }
        process.stdin.close()
        assert process.wait(2) == 0
        assert process.stdout.read() == ""


def test_the_real_worker_is_ready_without_heavy_libraries(environment, tmp_path):
    command = real_worker_command(tmp_path)
    command[0] = sys.executable
    command[1:1] = ["-X", "importtime"]
    with start(command, environment) as process:
        assert read(process)["type"] == "ready"
        process.stdin.close()
        imported = {line.rpartition("|")[2].strip() for line in process.stderr}
    assert "da3_blender.worker.loop" in imported
    assert not {"torch", "numpy", "pycolmap", "PIL", "av"} & imported


def test_one_last_word_per_run_and_busy_in_between(worker_command, environment, settings_for):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        write_run(process, "a", settings_for("wait"))
        write_run(process, "b", settings_for("steps"))
        refused = read_last(process)
        assert (refused["type"], refused["job"]) == ("failed", "b")
        assert refused["error"]["code"] == "busy"
        process.stdin.write(protocol.encode(protocol.CANCEL, job="b"))  # not the running one
        process.stdin.write(protocol.encode(protocol.CANCEL, job="a"))
        assert read_last(process) == {"type": "cancelled", "job": "a"}
        write_run(process, "c", settings_for("steps"))
        done = read_last(process)
        assert (done["type"], done["job"]) == ("done", "c")
        process.stdin.close()
        assert process.stdout.read() == ""


@pytest.mark.parametrize(
    "settings",
    [
        None,
        [],
        {},
        {"inputs": [], "output": "/x"},
        {"inputs": ["a"], "output": "/x", "colour": 1},
        {"inputs": ["a"], "output": "/x", "frame_step": "many"},
        {"inputs": ["a"], "output": "/x", "model": "da3-huge"},
    ],
)
def test_settings_that_do_not_parse_fail(worker_command, environment, settings_for, settings):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        process.stdin.write(protocol.encode(protocol.RUN, job="a", settings=settings))
        failed = read_last(process)
        assert (failed["type"], failed["job"]) == ("failed", "a")
        assert failed["error"]["code"] == "settings_invalid"
        write_run(process, "b", settings_for("steps"))
        assert read_last(process)["type"] == "done"


def test_lines_that_are_no_messages_are_ignored(worker_command, environment, settings_for):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        for line in ("", "hello", "[1, 2]", '{"type": 3}', '{"type": "dance"}', "[" * 5000):
            process.stdin.write(line + "\n")
        write_run(process, "a", settings_for("steps"))
        messages = [read(process)]
        while messages[-1]["type"] not in protocol.LAST_WORDS:
            messages.append(read(process))
        assert {message["job"] for message in messages} == {"a"}
        assert messages[-1]["type"] == "done"


def test_quit_ends(worker_command, environment):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        process.stdin.write(protocol.encode(protocol.QUIT))
        assert process.wait(2) == 0


@posix_only
def test_interrupt_is_ignored_and_terminate_ends(worker_command, environment, settings_for):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        process.send_signal(signal.SIGINT)
        write_run(process, "a", settings_for("steps"))
        assert read_last(process)["type"] == "done"
        write_run(process, "b", settings_for("stuck"))
        assert read(process)["type"] == "progress"
        process.terminate()
        assert process.wait(2) == -signal.SIGTERM


def test_eof_in_a_stuck_job_ends_the_worker_and_its_files(
    worker_command, environment, settings_for, tmp_path
):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        write_run(process, "a", settings_for("stuck"))
        while not list(tmp_path.rglob("points.npy")):
            time.sleep(0.02)
        process.stdin.close()
        assert process.wait(2) == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["made"]


@posix_only
def test_a_stuck_job_is_cancelled_with_its_children_and_files(
    worker_command, environment, settings_for, tmp_path, is_running
):
    with start(worker_command("serve_fake.py"), environment) as process:
        read(process)
        write_run(process, "a", settings_for("stuck_with_child"))
        while (message := read(process))["type"] != protocol.NOTE:
            pass
        children = [int(word) for word in message["text"].split()]
        assert all(map(is_running, children))
        process.stdin.write(protocol.encode(protocol.CANCEL, job="a"))
        assert read_last(process) == {"type": "cancelled", "job": "a"}
        assert process.wait(2) == 3
        assert process.stdout.read() == ""
        end_s = time.monotonic() + 1
        while any(map(is_running, children)) and time.monotonic() < end_s:
            time.sleep(0.02)
        assert not any(map(is_running, children))
    assert not list(tmp_path.rglob("*.part"))


@posix_only
def test_the_worker_ends_when_its_parent_is_killed(
    worker_command, environment, tmp_path, is_running
):
    command = worker_command("hold_worker.py", worker_command("serve_fake.py")[-1])
    with start([*command, str(tmp_path / "result")], environment) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(map(is_running, pids))
        parent.kill()
        parent.wait()
        end_s = time.monotonic() + 2
        while any(map(is_running, pids)) and time.monotonic() < end_s:
            time.sleep(0.02)
        assert not any(map(is_running, pids))
    assert list(tmp_path.iterdir()) == []
