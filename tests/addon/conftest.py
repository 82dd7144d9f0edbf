# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The working tree as an enabled extension, in an empty Blender profile.

Runs in a Python that has the bpy wheel; without it these tests are skipped.
"""

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.da3_reconstruction"
# Blender reads this when bpy is first imported, which the test modules do.
PROFILE = Path(tempfile.mkdtemp(prefix="da3-profile-"))
_EXIT_STATUS = pytest.StashKey[int]()
if "bpy" not in sys.modules:
    os.environ["BLENDER_USER_RESOURCES"] = str(PROFILE)
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")


def pytest_sessionfinish(session, exitstatus):
    """Remember how the tests ended, for the end of the process."""
    session.config.stash[_EXIT_STATUS] = int(exitstatus)


def pytest_unconfigure(config):
    """End without Blender's own end.

    The wheel of 4.5 now and then waits for ever in the destructor of its file cache, whose thread
    is still there (seen with gdb). Everything of ours has been torn down by then.
    """
    if "bpy" in sys.modules and _EXIT_STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_EXIT_STATUS])


@pytest.fixture(scope="session")
def extension():
    """Enable the extension; return a function that imports one of its modules."""
    bpy = pytest.importorskip("bpy")
    import addon_utils

    repository = next(
        r for r in bpy.context.preferences.extensions.repos if r.module == "user_default"
    )
    folder = Path(repository.directory)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "da3_reconstruction").symlink_to(ROOT, target_is_directory=True)
    addon_utils.extensions_refresh(ensure_wheels=False)
    addon_utils.enable(MODULE, default_set=True)
    assert MODULE in bpy.context.preferences.addons
    yield lambda name: importlib.import_module(f"{MODULE}.{name}")
    addon_utils.disable(MODULE, default_set=True)
    (folder / "da3_reconstruction").unlink()
    shutil.rmtree(PROFILE, ignore_errors=True)


@pytest.fixture
def scene(extension):
    """Give an empty file and its scene."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.ed.undo_push(message="Start")
    return bpy.context.scene


@pytest.fixture
def build(extension):
    """Return a function that builds a results folder: build(folder, **options) -> report."""
    import bpy

    builder = extension("da3_blender.scene.builder")
    options = extension("da3_blender.scene.build_options")
    folders = extension("da3_blender.contract.result_folder")

    def build_folder(folder, **chosen):
        return builder.build_scene(
            bpy.context, folders.load_result(folder), options.BuildOptions(**chosen)
        )

    return build_folder


@pytest.fixture
def engine(extension, tmp_path):
    """Set an engine whose pipeline is in serve_results.py; return the executable's path."""
    if sys.platform == "win32":
        pytest.skip("the engine of these tests is a shell script")
    import bpy

    script = Path(__file__).with_name("serve_results.py")
    program = tmp_path / "engine.sh"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{script}"\n', encoding="utf-8")
    program.chmod(0o755)
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = str(program)
    yield program
    extension("da3_blender.client.session").shut_down()
    preferences.engine_python = ""
