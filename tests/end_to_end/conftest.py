# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as users get it: built, installed from its zip, with the real engine.

Runs in a Python that has the bpy wheel, beside an engine's environment in `.env/engine`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.da3_reconstruction"
ENGINE = ROOT / ".env" / "engine" / "bin" / "python"
# Blender reads this when bpy is first imported, which the test modules do.
if "bpy" not in sys.modules:
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="da3-profile-")


@pytest.fixture(scope="session")
def installed():
    bpy = pytest.importorskip("bpy")
    if not ENGINE.exists():
        pytest.skip("no engine in .env/engine: run tools/setup_environments.py engine")
    out = Path(os.environ["BLENDER_USER_RESOURCES"])
    command = [sys.executable, "-P", str(ROOT / "tools" / "build_extension.py"), "--here"]
    subprocess.run([*command, "--out", str(out)], check=True, capture_output=True)
    bpy.ops.extensions.package_install_files(
        filepath=str(next(out.glob("*.zip"))), repo="user_default", enable_on_install=True
    )
    assert MODULE in bpy.context.preferences.addons
    yield bpy
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture
def scene(installed, tmp_path):
    """An empty scene whose results go to a folder of the test."""
    installed.ops.wm.read_homefile(use_empty=True)
    installed.context.preferences.addons[MODULE].preferences.engine_python = str(ENGINE)
    settings = installed.context.scene.da3
    settings.output_folder = str(tmp_path / "results")
    settings.cameras = "COLMAP"
    return installed.context.scene
