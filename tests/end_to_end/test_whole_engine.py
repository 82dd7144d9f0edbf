# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the zip to a reconstructed scene with nothing but what Set Up makes.

Takes some minutes and 3 GB, so it runs only where a folder of packages is named:
`DA3_PACKAGES=FOLDER`, filled by `tools/collect_packages.py FOLDER --python 3.11`.
"""

import os
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from da3_blender.contract.engine_home import EngineHome, read_stamp  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.da3_reconstruction"
PACKAGES = os.environ.get("DA3_PACKAGES", "")


@pytest.mark.skipif(not PACKAGES, reason="DA3_PACKAGES names no folder with the engine's packages")
def test_from_the_zip_to_a_scene(scene, tmp_path):
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.engine_python = ""
    preferences.engine_folder = str(tmp_path / "home")
    preferences.python_source = "blender"
    assert bpy.ops.da3.install_engine(folder=PACKAGES) == {"FINISHED"}
    home = EngineHome(tmp_path / "home")
    stamp = read_stamp(home.stamp_file)
    sys.stdout.write(
        f"{stamp.download_bytes / 1e6:.0f} MB of packages, {stamp.installed_bytes / 1e9:.2f} GB "
        f"installed, torch {stamp.torch} on {stamp.device_name}\n"
    )
    assert stamp.python.startswith("{}.{}.".format(*sys.version_info[:2]))
    assert sorted(p.name for p in home.folder.iterdir()) == ["engine", "setup.lock"]

    scene.da3.input_path = str(ROOT / "samples" / "courtyard")
    scene.da3.cameras = "COLMAP"
    assert bpy.ops.da3.reconstruct(wait=True) == {"FINISHED"}
    cameras = [ob for ob in bpy.data.objects if ob.type == "CAMERA" and "da3_w2c" in ob]
    assert len(cameras) == 14

    assert bpy.ops.da3.check_engine() == {"FINISHED"}
    assert bpy.ops.da3.remove_engine() == {"FINISHED"}
    assert sorted(p.name for p in home.folder.iterdir()) == ["setup.lock"]
