# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in progress while the user does something else, and while Blender ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")

SESSION = Path(__file__).with_name("blender_session.py")


def of_role(role):
    return [ob for ob in bpy.data.objects if ob.get("da3_role") == role]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def wait_until(condition, limit_s=30):
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it takes too long"
        time.sleep(0.02)


@pytest.fixture
def job(scene, engine, extension, tmp_path):
    """Start a run that waits for a file; give a function that ends it and builds its result."""
    (tmp_path / "waiting").mkdir()
    scene.da3.input_path = str(tmp_path / "waiting")
    scene.da3.output_folder = str(tmp_path / "results")
    access = extension("operators.engine_access")
    parts = extension("operators.extension")
    preferences = parts.get_preferences(bpy.context)
    make = extension("da3_blender.scene.settings_from_scene").make_run_settings
    settings = make(scene, preferences, parts.get_user_folder())
    client = access.connect(preferences.engine_python)
    started, uid = client.start_job(settings), scene.session_uid
    timer = extension("operators.job_timer")
    wait_until(lambda: timer.follow_job(started.id, uid) is not None and started.stage)

    def finish():
        (tmp_path / "waiting" / "go").touch()
        wait_until(lambda: timer.follow_job(started.id, uid) is None)
        assert started.state.value == "done", started.error
        return started

    return finish


def save(tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))


def save_and_open_again(tmp_path):
    save(tmp_path)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))


def open_another_file(_tmp_path):
    bpy.ops.wm.read_homefile(use_empty=True)


def make_another_scene(_tmp_path):
    bpy.ops.scene.new(type="EMPTY")


def delete_the_scene(_tmp_path):
    gone = bpy.context.scene
    bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(gone)


def undo_and_redo(_tmp_path):
    bpy.data.objects.new("mine", None)
    bpy.ops.ed.undo_push(message="Add")
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    bpy.ops.ed.undo()


@pytest.mark.parametrize(
    ("act", "is_built"),
    [
        (save, True),
        (undo_and_redo, True),
        (make_another_scene, True),
        (save_and_open_again, False),
        (open_another_file, False),
        (delete_the_scene, False),
    ],
)
def test_a_run_goes_on_and_its_result_can_always_be_built(job, tmp_path, act, is_built):
    act(tmp_path)
    done = job()
    assert (len(of_role("root")) == 1) is is_built
    assert (Path(done.summary["folder"]) / "manifest.json").is_file()
    if not is_built:
        assert bpy.ops.da3.build_scene(folder=done.summary["folder"]) == {"FINISHED"}
    assert len(of_role("camera")) == 2
    assert len(of_role("root")) == 1


class OtherBlender:
    """Another Blender: a process that starts a run and then does what it is told."""

    def __init__(self, user, engine, work, photos, then):
        facts = {
            "engine": str(engine),
            "input": str(photos),
            "output": str(work / "results"),
            "then": then,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(SESSION), json.dumps(facts)],
            env=os.environ | {"BLENDER_USER_RESOURCES": str(user)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = []

    def read_fact(self, name):
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(f"{name}: "):
                return line.removeprefix(f"{name}: ").strip()
        pytest.fail("".join(self.said))


def test_disabling_the_extension_ends_the_run(engine, tmp_path):
    (tmp_path / "waiting").mkdir()
    other = OtherBlender(tmp_path / "user", engine, tmp_path, tmp_path / "waiting", "disable")
    pid = int(other.read_fact("worker"))
    other.read_fact("disabled")  # and Blender goes on
    assert not is_running(pid)
    assert not (tmp_path / "results").exists()
    assert other.process.wait(30) == 0


@pytest.mark.parametrize("then", ["quit", "exit", "wait"])
def test_when_blender_ends_its_engine_ends_and_leaves_nothing(engine, tmp_path, then):
    (tmp_path / "waiting").mkdir()
    other = OtherBlender(tmp_path / "user", engine, tmp_path, tmp_path / "waiting", then)
    pid = int(other.read_fact("worker"))
    if then == "wait":
        assert is_running(pid)
        os.kill(other.process.pid, signal.SIGKILL)
    other.process.wait(30)
    wait_until(lambda: not is_running(pid), 5)
    wait_until(lambda: not (tmp_path / "results").exists(), 2)


def test_two_blenders_with_one_user_folder_and_one_output_lose_nothing(engine, tmp_path):
    (tmp_path / "waiting").mkdir()
    blenders = [
        OtherBlender(tmp_path / "user", engine, tmp_path, tmp_path / "waiting", "build")
        for _ in range(2)
    ]
    for blender in blenders:
        blender.read_fact("worker")
    (tmp_path / "waiting" / "go").touch()  # both run now, with the same name for their results
    folders = [Path(blender.read_fact("result")) for blender in blenders]
    for blender in blenders:
        assert blender.process.wait(60) == 0, "".join(blender.said)
    assert sorted(folder.name for folder in folders) == ["waiting", "waiting_002"]
    assert sorted((tmp_path / "results").iterdir()) == sorted(folders)
    assert all((folder / "manifest.json").is_file() for folder in folders)
