# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder on a web server is a repository: Blender installs from it and updates from it.

Each test runs a Blender of its own, with an empty profile, against a server on this machine.
"""

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
VERSION = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
NEXT = "{}.{}.{}".format(*VERSION.split(".")[:2], int(VERSION.split(".")[2]) + 1)

INSTALL = """
import importlib, json, pathlib, sys
import bpy
module = "bl_ext.web.da3_reconstruction"
bpy.context.preferences.system.use_online_access = True
repositories = bpy.context.preferences.extensions.repos
repositories.new(name="web", module="web", remote_url=sys.argv[1], custom_directory="")
index = len(repositories) - 1

def read_version():
    place = pathlib.Path(repositories[index].directory, "da3_reconstruction")
    lines = (place / "blender_manifest.toml").read_text().splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("version ="))

assert bpy.ops.extensions.repo_sync(repo_index=index) == {"FINISHED"}
bpy.ops.extensions.package_install(
    repo_index=index, pkg_id="da3_reconstruction", enable_on_install=True)
assert module in bpy.context.preferences.addons, "not enabled"
uv = importlib.import_module(module + ".da3_blender.client.uv_program").find_bundled_uv()
home = pathlib.Path(bpy.context.preferences.addons[module].preferences.find_engine_folder())
home.joinpath("engine").mkdir(parents=True)
home.joinpath("engine", "kept").write_text("engine")
first = read_version()
print(json.dumps({"first": first, "uv": uv, "home": str(home)}), flush=True)
sys.stdin.readline()
assert bpy.ops.extensions.repo_sync(repo_index=index) == {"FINISHED"}
bpy.ops.extensions.package_upgrade_all(use_active_only=False)
kept = home.joinpath("engine", "kept").read_text()
print(json.dumps({"second": read_version(), "kept": kept}), flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    """A repository with the zip for this machine, on a web server; yields folder and address."""
    web = tmp_path / "web"
    command = [sys.executable, "-P", str(ROOT / "tools" / "build_extension.py"), "--here"]
    done = subprocess.run([*command, "--out", web], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(web))
    handler.func.log_message = lambda *_arguments: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield web, f"http://127.0.0.1:{server.server_port}/index.json"
    server.shutdown()


def release_next_version(web):
    """Put a newer version beside the present one, as the next `make build` would."""
    from build_extension import run_builder

    old = next(web.glob("*.zip"))
    new = old.with_name(old.name.replace(VERSION, NEXT))
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename == "blender_manifest.toml":
                content = content.replace(
                    f'\nversion = "{VERSION}"'.encode(), f'\nversion = "{NEXT}"'.encode()
                )
            target.writestr(item, content)
    old.unlink()
    run_builder("server-generate", "--repo-dir", str(web))


def read_answer(process):
    for line in process.stdout:
        if line.startswith("{") and '"' in line[:3]:
            return json.loads(line)
    pytest.fail(process.stderr.read())
    return None


def test_blender_installs_and_updates_from_a_web_folder(folder, tmp_path):
    web, address = folder
    profile = tmp_path / "profile"
    profile.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", INSTALL, address],
        env={**environment, "BLENDER_USER_RESOURCES": str(profile)},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer = read_answer(process)
        assert answer["first"] == VERSION
        check_uv(answer["uv"], profile, tmp_path)
        release_next_version(web)
        process.stdin.write("go on\n")
        process.stdin.flush()
        answer = read_answer(process)
        assert answer == {"second": NEXT, "kept": "engine"}
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def check_uv(program, profile, folder):
    """uv came along in the zip and runs once it may be executed."""
    from fetch_wheels import read_lock

    assert Path(program).is_relative_to(profile)
    copy = folder / Path(program).name
    shutil.copyfile(program, copy)
    copy.chmod(0o755)
    said = subprocess.run([copy, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.split()[1] == read_lock()[0].requirement.partition("==")[2]


def test_the_index_has_size_and_hash_of_each_zip(folder):
    web, _address = folder
    entries = json.loads((web / "index.json").read_text(encoding="utf-8"))["data"]
    assert len(entries) == 1
    archive = web / entries[0]["archive_url"]
    assert archive.stat().st_size == entries[0]["archive_size"]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert entries[0]["archive_hash"] == f"sha256:{digest}"
