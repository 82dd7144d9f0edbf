# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lock the engine's libraries again after a change of an `engine.in`.

Runs with any Python 3.11 or later that has pip: `python tools/lock_engine.py [--upgrade]`. Writes
`da3_blender/installer/engine.txt`, which users get, and `requirements/engine.txt`, the same
and what tests need. Versions stay as they are unless they have to change, or --upgrade is given.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from build_extension import name_this_platform
from fetch_wheels import fetch, read_lock

ROOT = Path(__file__).resolve().parents[1]
USERS = ROOT / "da3_blender" / "installer" / "engine.txt"
DEVELOPERS = ROOT / "requirements" / "engine.txt"
OLDEST_PYTHON = "3.11"


def unpack_uv(folder: Path) -> Path:
    """Return the locked uv for this machine, out of its wheel."""
    wheel = next((w for w in read_lock() if w.platform == name_this_platform()), None)
    if wheel is None:
        sys.exit(f"wheels/uv.lock.json has no uv for {name_this_platform()}.")
    fetch(wheel)
    with zipfile.ZipFile(wheel.path) as opened:
        inner = next(n for n in opened.namelist() if Path(n).stem == "uv" and "/scripts/" in n)
        path = folder / Path(inner).name
        path.write_bytes(opened.read(inner))
    path.chmod(0o755)
    return path


def lock(uv: Path, source: Path, target: Path, *options: str) -> None:
    """Let uv resolve one file for all systems; wheels only, with hashes."""
    command = [uv, "pip", "compile", "--quiet", "--no-config", "--universal", "--no-build"]
    command += ["--python-version", OLDEST_PYTHON, "--generate-hashes", "--no-header"]
    command += [source.relative_to(ROOT), "--output-file", target.relative_to(ROOT), *options]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        sys.exit(f"{source} could not be resolved.")


def main() -> None:
    """Write both lock files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest that fit")
    more = ["--upgrade"] if parser.parse_args().upgrade else []
    with tempfile.TemporaryDirectory() as place:
        uv = unpack_uv(Path(place))
        lock(uv, USERS.with_suffix(".in"), USERS, "--no-annotate", *more)
        lock(uv, DEVELOPERS.with_suffix(".in"), DEVELOPERS, "--constraints", str(USERS), *more)


if __name__ == "__main__":
    main()
