# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip that users get: what is in it, that Blender takes it, and that it runs from there."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))

# Runs in a Blender of its own: an empty profile, and nothing of the working tree on the path.
INSTALL = """
import sys, bpy
module = "bl_ext.user_default.da3_reconstruction"
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True)
assert module in bpy.context.preferences.addons, "not enabled"
import importlib, pathlib
place = pathlib.Path(importlib.import_module(module).__file__).parent
assert str(place).startswith(sys.argv[2]), place
assert "da3_blender" not in sys.modules
before = sorted(p for p in place.rglob("*") if "__pycache__" not in p.parts)
bpy.ops.da3.build_scene(folder=sys.argv[3])
assert len([ob for ob in bpy.data.objects if ob.type == "CAMERA" and "da3_w2c" in ob]) == 2
bpy.context.scene.da3.input_path = sys.argv[3]
try:
    bpy.ops.da3.reconstruct()
except RuntimeError as error:
    assert "Set up the engine first" in str(error), error
else:
    raise AssertionError("there is no engine here")
bpy.ops.preferences.addon_disable(module=module)
assert module not in bpy.context.preferences.addons
assert not hasattr(bpy.types.Scene, "da3")
bpy.ops.preferences.addon_enable(module=module)
assert hasattr(bpy.types.Scene, "da3")
assert before == sorted(p for p in place.rglob("*") if "__pycache__" not in p.parts)
bpy.ops.preferences.addon_disable(module=module)
print("all is well")
"""


@pytest.fixture(scope="module")
def builder():
    import bl_pkg

    return [sys.executable, str(Path(bl_pkg.__file__).parent / "cli" / "blender_ext.py")]


@pytest.fixture(scope="module")
def archive(builder, tmp_path_factory):
    out = tmp_path_factory.mktemp("zip")
    command = [sys.executable, "-P", str(ROOT / "tools" / "build_extension.py"), "--here"]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.zip"))


def test_blender_calls_it_valid(builder, archive):
    for place in (str(ROOT), str(archive)):
        done = subprocess.run(
            [*builder, "validate", place], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_keeps_the_rules():
    assert MANIFEST["id"] == "da3_reconstruction"
    assert "blender" not in MANIFEST["name"].lower()
    assert MANIFEST["blender_version_min"] == "4.5.0"
    assert MANIFEST["license"] == ["SPDX:GPL-3.0-or-later"]
    assert set(MANIFEST["permissions"]) == {"files", "network"}
    for words in (MANIFEST["tagline"], *MANIFEST["permissions"].values()):
        assert len(words) <= 64
        assert words[-1].isalnum()


def test_the_versions_agree():
    protocol = (ROOT / "da3_blender" / "contract" / "protocol.py").read_text(encoding="utf-8")
    assert re.search(r'VERSION: Final = "(.+)"', protocol)[1] == MANIFEST["version"]


def test_only_what_runs_is_in_the_zip(archive):
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())
    tops = {name.split("/")[0] for name in names}
    needed = {"__init__.py", "blender_manifest.toml", "da3_blender", "operators", "panels"}
    assert needed <= tops
    assert tops <= needed | {"LICENSE", "NOTICE", "wheels"}
    suffixes = {".py", ".toml", ".whl", "", ".txt", ".npz", ".safetensors", ".json"}
    assert {Path(name).suffix for name in names} <= suffixes
    for name in (
        "contract/names.py",
        "scene/builder.py",
        "client/session.py",
        "worker/loop.py",
        "installer/engine.txt",
        "installer/torch.txt",
    ):
        assert f"da3_blender/{name}" in names


def test_the_model_in_the_box_is_in_the_zip_as_it_lies_here(archive):
    folder = ROOT / "da3_blender" / "inference" / "bundled"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    with zipfile.ZipFile(archive) as opened:
        for path in files:
            assert opened.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()
    assert archive.stat().st_size < 40e6  # README: 30 to 33 MB


def test_every_module_of_the_extension_is_in_the_zip(archive):
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())
    for folder in ("da3_blender", "operators", "panels"):
        for path in (ROOT / folder).rglob("*.py"):
            assert path.relative_to(ROOT).as_posix() in names


def test_it_installs_runs_and_goes(archive, tmp_path):
    from tests.addon.results import write_result

    result = write_result(tmp_path / "result", [{}, {}])
    profile = tmp_path / "profile"
    profile.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", INSTALL, str(archive), str(profile), str(result)],
        env={**environment, "BLENDER_USER_RESOURCES": str(profile)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "all is well" in done.stdout, done.stdout + done.stderr
