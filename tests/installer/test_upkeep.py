# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check, repair and remove an engine."""

import pytest

from da3_blender.client.engine_status import EngineCondition, read_status
from da3_blender.client.job import JobState
from da3_blender.contract.engine_home import read_stamp
from da3_blender.contract.engine_lock import hash_lock_files
from da3_blender.contract.errors import ErrorCode
from da3_blender.contract.setup_request import CHECK, REMOVE, REPAIR
from da3_blender.installer.records import find_site_packages


@pytest.fixture
def engine(run, make_request, home, index):
    """A finished engine; the index forgets what it was asked."""
    job = run(make_request())
    assert job.state is JobState.DONE, job.error
    index.requests.clear()
    return find_site_packages(home.environment)


def read_condition(home):
    return read_status(home, "", hash_lock_files()).condition


def test_a_check_of_a_good_engine_tells_what_it_is(run, make_request, engine, index):
    job = run(make_request(CHECK))
    assert job.state is JobState.DONE, job.error
    assert "All files are complete" in job.findings
    assert any("torch 9.1+cpu" in line for line in job.findings)
    assert any(line.startswith("Test picture: right to 0.000%") for line in job.findings)
    assert not index.requests


@pytest.mark.parametrize("way", ["changed", "cut", "removed", "package gone"])
def test_damage_is_found_and_repaired(run, make_request, engine, index, home, way):
    path = engine / "bulky" / "bulk.bin"
    content = path.read_bytes()
    path.unlink()
    if way == "changed":
        path.write_bytes(content[:-1] + b"?")
    elif way == "cut":
        path.write_bytes(content[:1000])
    elif way == "package gone":
        for part in engine.glob("bulky-*.dist-info/*"):
            part.unlink()
        next(engine.glob("bulky-*.dist-info")).rmdir()
    job = run(make_request(CHECK))
    assert job.error.code is ErrorCode.ENGINE_BROKEN
    assert "bulky" in job.error.message
    assert job.error.hint == "Press Repair."
    job = run(make_request(REPAIR))
    assert job.state is JobState.DONE, job.error
    assert "Installed again: bulky" in job.findings
    assert {name for _, name, _ in index.list_downloads()} == {
        next(index.folder.glob("bulky*")).name
    }
    assert path.read_bytes() == content
    assert run(make_request(CHECK)).state is JobState.DONE
    assert read_condition(home) is EngineCondition.READY


def test_a_repair_of_a_good_engine_downloads_nothing(run, make_request, engine, index):
    job = run(make_request(REPAIR))
    assert job.state is JobState.DONE, job.error
    assert "Nothing was damaged" in job.findings
    assert not index.requests


def test_a_library_that_does_not_load_is_named(run, make_request, engine, home):
    # a file that is whole, and yet does not load: a library of the system that is missing
    (engine / "sitecustomize.py").write_text(
        "import sys\nsys.modules['beta'] = None\n", encoding="utf-8"
    )
    job = run(make_request(CHECK))
    assert job.error.code is ErrorCode.ENGINE_BROKEN
    assert "beta: ModuleNotFoundError" in job.error.message
    assert run(make_request(REPAIR)).state is JobState.DONE  # everything anew
    assert run(make_request(CHECK)).state is JobState.DONE
    assert read_condition(home) is EngineCondition.READY


def test_an_engine_whose_python_is_gone_is_made_anew(run, make_request, engine, home):
    home.python.unlink()
    job = run(make_request(CHECK))
    assert job.error.code is ErrorCode.ENGINE_BROKEN
    assert read_stamp(home.stamp_file).base_python in job.error.message
    job = run(make_request(REPAIR))
    assert job.state is JobState.DONE, job.error
    assert read_condition(home) is EngineCondition.READY


@pytest.mark.parametrize("name", ["engine.new-1", "engine.old-1"])
def test_an_engine_that_was_being_exchanged_is_put_in_place(
    run, make_request, engine, home, index, name
):
    home.environment.rename(home.folder / name)  # a kill between two renames
    assert read_condition(home) is EngineCondition.UNFINISHED
    job = run(make_request(CHECK))
    assert job.state is JobState.DONE, job.error
    assert read_condition(home) is EngineCondition.READY
    assert not index.requests


def test_a_check_without_an_engine_says_so(run, make_request, home):
    job = run(make_request(CHECK))
    assert job.error.code is ErrorCode.ENGINE_MISSING


def test_remove_takes_the_engine_and_nothing_else(run, make_request, engine, home):
    models = home.folder / "models"
    models.mkdir()
    (models / "weights.safetensors").write_bytes(b"0" * 100)
    home.downloads.mkdir(parents=True)
    (home.downloads / "old.whl.part").write_bytes(b"0" * 100)
    job = run(make_request(REMOVE))
    assert job.state is JobState.DONE, job.error
    assert job.findings[0].endswith("were freed")
    assert read_condition(home) is EngineCondition.MISSING
    assert sorted(p.name for p in home.folder.iterdir()) == ["models", "setup.lock"]
    assert (models / "weights.safetensors").exists()
