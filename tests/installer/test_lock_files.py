# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock files in the zip, those of developers, and what is told about them agree."""

import json
import re
from pathlib import Path

from da3_blender.client.setup_facts import LICENCES
from da3_blender.contract.engine_lock import find_library_lock, find_torch_lock
from da3_blender.installer.engine_test import IMPORTS
from da3_blender.installer.resolution import normalise, read_lock

ROOT = Path(__file__).resolve().parents[2]


def read_blocks(path):
    """Name, version and marker -> hashes."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if re.match(r"[\w.-]+==", line)]
    return {
        line.split(" --hash")[0].strip(): set(re.findall(r"sha256:\w+", line)) for line in lines
    }


def test_developers_test_with_what_users_get():
    users = read_blocks(find_library_lock())
    developers = read_blocks(ROOT / "requirements" / "engine.txt")
    assert len(users) > 25
    for requirement, hashes in users.items():
        assert hashes, requirement
        assert developers[requirement] == hashes
    more = {requirement.partition("==")[0] for requirement in developers.keys() - users.keys()}
    assert more == {"pytest", "iniconfig", "pluggy", "pygments"}  # tests, and nothing else


def test_everything_that_is_wanted_is_locked():
    text = (ROOT / "da3_blender" / "installer" / "engine.in").read_text(encoding="utf-8")
    wanted = [line for line in text.splitlines() if line and not line.startswith("#")]
    locked = {entry.name: entry.version for entry in read_lock()}
    for line in wanted:
        name, _, version = line.partition("==")
        assert normalise(name) in locked
        assert version in ("", locked[normalise(name)])


def test_torch_has_one_version_everywhere():
    torch = find_torch_lock().read_text(encoding="utf-8").strip()
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", torch)
    script = (ROOT / "tools" / "setup_environments.py").read_text(encoding="utf-8")
    assert not re.search(r"\d+\.\d+\.\d+", script)  # it reads the file
    assert torch.replace("==", " ") in (ROOT / "docs" / "dependencies.md").read_text(
        encoding="utf-8"
    )


def test_the_engine_imports_what_is_tested_at_the_set_up():
    """Every library that the engine's packages import is loaded by the set-up."""
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "da3_blender").rglob("*.py")
    )
    used = set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE))
    libraries = {"numpy", "PIL", "pillow_heif", "av", "OpenEXR", "pycolmap", "safetensors", "scipy"}
    libraries |= {"huggingface_hub", "torch", "simplejpeg"}
    assert libraries <= used
    assert {name.partition(".")[0] for name in IMPORTS} == libraries


def test_licences_are_told_for_what_is_installed():
    told = " ".join(licence.part for licence in LICENCES).lower()
    for name in ("torch", "numpy", "scipy", "pillow", "colmap", "pyav", "ffmpeg", "openexr"):
        assert name in told


def test_the_lock_of_uv_names_one_wheel_for_each_system():
    lock = json.loads((ROOT / "wheels" / "uv.lock.json").read_text(encoding="utf-8"))
    assert set(lock["wheels"]) == {"linux-x64", "macos-arm64", "windows-x64"}
    for wheel in lock["wheels"].values():
        assert wheel["file"].startswith(f"uv-{lock['version']}-py3-none-")
        assert re.fullmatch(r"[0-9a-f]{64}", wheel["sha256"])
