# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locked uv for this machine, out of its wheel.

Runs in pytest.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from da3_blender.contract.engine_home import is_supported

ROOT = Path(__file__).resolve().parents[2]


def unpack_uv(folder):
    """Write uv into a folder, without the right to be executed, as Blender leaves it."""
    sys.path.insert(0, str(ROOT / "tools"))
    from build_extension import name_this_platform
    from fetch_wheels import read_lock

    if not is_supported(sys.version_info):
        pytest.skip("the engine has no packages for this Python")
    wheel = next((w for w in read_lock() if w.platform == name_this_platform()), None)
    if wheel is None:
        pytest.skip("no uv is locked for this system")
    command = [sys.executable, str(ROOT / "tools" / "fetch_wheels.py"), wheel.platform]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"uv is not here and cannot be downloaded: {done.stderr.strip()}")
    name = "uv.exe" if sys.platform == "win32" else "uv"
    with zipfile.ZipFile(wheel.path) as opened:
        inner = next(n for n in opened.namelist() if n.endswith(f"/scripts/{name}"))
        path = Path(folder) / name
        path.write_bytes(opened.read(inner))
    return path
