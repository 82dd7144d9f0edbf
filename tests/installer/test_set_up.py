# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set-up from a package index and from a folder, with a real uv and a real process."""

import subprocess
import sys

import pytest

from da3_blender.client.engine_status import EngineCondition, read_status
from da3_blender.client.job import JobState
from da3_blender.client.launch import find_engine_python
from da3_blender.contract.engine_home import read_stamp
from da3_blender.contract.engine_lock import hash_lock_files
from da3_blender.contract.errors import ErrorCode
from da3_blender.contract.setup_request import FOLDER

from .tiny_index import BULK_BYTES, LIBRARIES, make_wheel


def read_condition(home):
    return read_status(home, "", hash_lock_files()).condition


def ask_versions(python):
    code = (
        "import alpha, beta, torch; print(alpha.__version__, beta.__version__, torch.__version__)"
    )
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_index_becomes_an_engine(run, make_request, home):
    assert read_condition(home) is EngineCondition.MISSING
    job = run(make_request())
    assert job.state is JobState.DONE, job.error
    assert read_condition(home) is EngineCondition.READY
    python = find_engine_python("", home.folder)
    assert python == home.python
    assert ask_versions(python) == ["1.0", "2.5", "9.1+cpu"]
    stamp = read_stamp(home.stamp_file)
    assert stamp.packages == {**LIBRARIES, "torch": "9.1+cpu"}
    assert stamp.python == "{}.{}.{}".format(*sys.version_info[:3])
    assert stamp.installed_bytes > BULK_BYTES
    assert BULK_BYTES < stamp.download_bytes < 1.1 * BULK_BYTES
    # nothing is left but the engine and the file that keeps two Blenders apart
    assert sorted(p.name for p in home.folder.iterdir()) == ["engine", "setup.lock"]


def test_progress_counts_bytes_and_never_falls(start, tick_until, make_request, index):
    index.speed = 2_000_000
    client = start(make_request())
    seen = []

    def look():
        seen.append((client.job.fraction, client.job.stage, client.job.detail))
        return client.job.is_over

    tick_until(client, look)
    assert client.job.state is JobState.DONE, client.job.error
    fractions = [fraction for fraction, _, _ in seen]
    assert fractions == sorted(fractions)
    downloading = {detail for _, stage, detail in seen if stage == "Downloading"}
    assert len([d for d in downloading if " of 3 MB" in d]) > 3
    assert any("/s" in detail for detail in downloading)
    stages = list(dict.fromkeys(stage for _, stage, _ in seen if stage))
    assert stages == ["Looking up packages", "Downloading", "Unpacking", "Testing"]


def test_an_index_without_sizes_is_asked_for_them(run, make_request, index, home):
    index.tells_size = False
    job = run(make_request())
    assert job.state is JobState.DONE, job.error
    assert [r for r in index.requests if r[0] == "HEAD"]
    assert read_stamp(home.stamp_file).download_bytes > BULK_BYTES


def test_a_folder_becomes_an_engine_without_the_index(run, make_request, wheels, index, home):
    job = run(make_request(source=FOLDER, folder=str(wheels)))
    assert job.state is JobState.DONE, job.error
    assert ask_versions(home.python) == ["1.0", "2.5", "9.1+cpu"]
    assert not index.requests
    assert read_stamp(home.stamp_file).source == FOLDER
    assert len(list(wheels.glob("*.whl"))) == len(LIBRARIES) + 1  # the folder stays as it was


def test_an_incomplete_folder_names_what_is_missing(run, make_request, tmp_path, wheels, home):
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / "alpha-1.0-py3-none-any.whl").write_bytes(
        (wheels / "alpha-1.0-py3-none-any.whl").read_bytes()
    )
    make_wheel(folder, "beta", "2.4")
    job = run(make_request(source=FOLDER, folder=str(folder)))
    assert job.error.code is ErrorCode.SETUP_FAILED
    assert "beta 2.5, bulky 3.0, torch 9.1" in job.error.message
    assert "alpha" not in job.error.message
    assert read_condition(home) is EngineCondition.MISSING


def test_a_folder_for_another_python_says_so(run, make_request, tmp_path, wheels):
    folder = tmp_path / "other"
    folder.mkdir()
    for path in wheels.glob("*.whl"):
        if not path.name.startswith("torch"):
            (folder / path.name).write_bytes(path.read_bytes())
    other = 12 if sys.version_info[1] != 12 else 11
    make_wheel(folder, "torch", "9.1+cpu", f"cp3{other}-none-any")
    job = run(make_request(source=FOLDER, folder=str(folder)))
    assert job.error.code is ErrorCode.PYTHON_MISSING
    assert f"3.{other}" in job.error.message


@pytest.mark.parametrize("source", ["index", "folder"])
def test_a_changed_package_is_refused(run, make_request, wheels, index, tmp_path, home, source):
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in wheels.glob("*.whl"):
        (changed / path.name).write_bytes(path.read_bytes())
    make_wheel(changed, "beta", "2.5", bulk=100)
    index.folder = changed
    more = {"source": FOLDER, "folder": str(changed)} if source == "folder" else {}
    job = run(make_request(**more))
    assert job.error.code is ErrorCode.SETUP_FAILED
    assert "beta-2.5" in job.error.message
    assert "hash" in job.error.message
    assert not home.environment.exists()


def test_a_second_set_up_replaces_the_first(run, make_request, home):
    assert run(make_request()).state is JobState.DONE
    (home.environment / "mark").write_text("first", encoding="utf-8")
    assert run(make_request()).state is JobState.DONE
    assert not (home.environment / "mark").exists()
    assert read_condition(home) is EngineCondition.READY
    assert not home.list_unfinished()


def test_a_failed_second_set_up_leaves_the_first(run, make_request, home, index):
    assert run(make_request()).state is JobState.DONE
    index.status = 404
    job = run(make_request())
    assert job.error.code is ErrorCode.DOWNLOAD_FAILED
    assert ask_versions(home.python) == ["1.0", "2.5", "9.1+cpu"]
    assert read_condition(home) is EngineCondition.READY


def test_another_lock_makes_the_engine_outdated_but_usable(run, make_request, home, lock):
    assert run(make_request()).state is JobState.DONE
    with (lock / "engine.txt").open("a", encoding="utf-8") as file:
        file.write("# newer\n")
    status = read_status(home, "", hash_lock_files())
    assert status.condition is EngineCondition.OUTDATED
    assert status.is_ready


def test_an_engine_without_its_python_is_broken(run, make_request, home):
    assert run(make_request()).state is JobState.DONE
    if sys.platform == "win32":
        pytest.skip("the interpreter of an environment is a program of its own on Windows")
    home.python.unlink()
    home.python.symlink_to(home.folder / "gone")
    status = read_status(home, "", hash_lock_files())
    assert status.condition is EngineCondition.BROKEN
    assert read_stamp(home.stamp_file).base_python in status.trouble
