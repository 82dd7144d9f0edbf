# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python, which command line, which environment the worker gets.

Runs in pytest.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from da3_blender.client.launch import (
    find_engine_python,
    find_extension_root,
    worker_command,
    worker_environment,
)
from da3_blender.contract.errors import EngineError, ErrorCode

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="execute permission")


def make_program(path):
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@posix_only
def test_the_preferred_python_wins_over_the_installed_one(tmp_path):
    preferred = make_program(tmp_path / "mine" / "bin" / "python")
    installed = make_program(tmp_path / "user" / "engine" / "bin" / "python")
    user_folder = tmp_path / "user"
    assert find_engine_python(str(preferred), user_folder) == preferred
    assert find_engine_python(str(tmp_path / "mine"), user_folder) == preferred
    assert find_engine_python(" ", user_folder) == installed


@posix_only
def test_a_linked_python_stays_the_link(tmp_path):
    real = make_program(tmp_path / "system" / "python3.11")
    link = tmp_path / "environment-python"
    link.symlink_to(real)
    assert find_engine_python(str(link), None) == link


@posix_only
@pytest.mark.parametrize("preferred", ["", "missing/python", "empty", "notes.txt"])
def test_a_python_that_cannot_be_used_is_named_with_the_remedy(tmp_path, preferred):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no program")
    (tmp_path / "notes.txt").chmod(0o644)
    place = str(tmp_path / preferred) if preferred else ""
    with pytest.raises(EngineError) as caught:
        find_engine_python(place, tmp_path / "user")
    assert caught.value.code is ErrorCode.ENGINE_MISSING
    assert (place or str(tmp_path / "user" / "engine")) in caught.value.message
    assert caught.value.hint.startswith("Press Set Up in the tab DA3")


def test_without_any_place_to_look_the_engine_is_missing():
    with pytest.raises(EngineError) as caught:
        find_engine_python("", None)
    assert caught.value.code is ErrorCode.ENGINE_MISSING


def test_the_worker_sees_our_package_and_nothing_of_blenders_python(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path / "blender" / "python"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "blender" / "scripts"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "start.py"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    monkeypatch.setenv("LANG", "C")
    monkeypatch.setenv("DA3_TEST_KEPT", "yes")
    root = find_extension_root()
    code = (
        "import json, os, sys, da3_blender;"
        "print(json.dumps([sys.path, dict(os.environ), sys.stdout.encoding, da3_blender.__file__]))"
    )
    command = worker_command(sys.executable)
    flags = command[1 : command.index("-m")]
    answer = subprocess.run(
        [sys.executable, *flags, "-c", code],
        env=worker_environment(root),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    path, variables, encoding, package = json.loads(answer.stdout)
    assert path[0] == str(root)
    assert str(tmp_path) not in path
    assert package == str(root / "da3_blender" / "__init__.py")
    assert encoding == "utf-8"
    assert variables["DA3_TEST_KEPT"] == "yes"
    assert "VIRTUAL_ENV" not in variables
    assert {name for name in variables if name.startswith("PYTHON")} == {
        "PYTHONPATH",
        "PYTHONUTF8",
        "PYTHONIOENCODING",
        "PYTHONDONTWRITEBYTECODE",
    }
