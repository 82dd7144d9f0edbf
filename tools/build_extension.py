# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension's zips, one for each system, and the index that makes them a repository.

Runs in a Python that has the bpy wheel: `make build`. Blender's own builder makes and validates the
zips and writes `index.json`; the folder can be put on any web server, and its address added to
Blender as a repository. Each zip carries the wheel of uv for its system.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # -P leaves it out
from fetch_wheels import LockedWheel, fetch, read_lock

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = "blender_manifest.toml"
# What the zip is made of; the manifest's patterns leave out the rest of it.
PARTS = ("__init__.py", "da3_blender", "operators", "panels", "LICENSE", "NOTICE")


def find_builder() -> Path:
    """Return Blender's stand-alone extension tool inside the bpy wheel."""
    wheel = importlib.util.find_spec("bpy")
    if wheel is None or wheel.origin is None:
        sys.exit("Run this in a Python that has the bpy wheel: make build")
    found = Path(wheel.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    return next(found)


def run_builder(*arguments: str) -> None:
    """Call Blender's tool; its words are shown only if it fails."""
    done = subprocess.run(
        [sys.executable, str(find_builder()), *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def name_this_platform() -> str:
    """Return the platform of this machine as Blender names it."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}[sys.platform]
    machine = platform.machine().lower()
    return f"{system}-{'arm64' if machine in ('arm64', 'aarch64') else 'x64'}"


def make_manifest(wheel: LockedWheel | None) -> str:
    """Return the manifest with the platform and its wheel, if there is one."""
    text = (ROOT / MANIFEST).read_text(encoding="utf-8")
    if wheel is None:
        return text
    added = f'platforms = ["{wheel.platform}"]\nwheels = ["./wheels/{wheel.file}"]\n\n'
    found = re.search(r"^\[permissions\]", text, re.MULTILINE)
    if found is None:
        sys.exit(f"{MANIFEST} has no [permissions]")
    return text[: found.start()] + added + text[found.start() :]


def build_here(out: Path) -> Path:
    """Build the zip for this machine, without uv where no wheel is locked for it."""
    name = name_this_platform()
    return build(next((wheel for wheel in read_lock() if wheel.platform == name), None), out)


def build(wheel: LockedWheel | None, out: Path) -> Path:
    """Build and validate the zip for one platform; return its path."""
    manifest = make_manifest(wheel)
    facts = tomllib.loads(manifest)
    place = "" if wheel is None else "-" + wheel.platform.replace("-", "_")
    archive = out / f"{facts['id']}-{facts['version']}{place}.zip"
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="da3-build-") as name:
        stage = Path(name)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, stage / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copyfile(source, stage / part)
        if wheel is not None:
            fetch(wheel)
            (stage / "wheels").mkdir()
            shutil.copyfile(wheel.path, stage / "wheels" / wheel.file)
        (stage / MANIFEST).write_text(manifest, encoding="utf-8")
        run_builder("build", "--source-dir", name, "--output-filepath", str(archive))
    run_builder("validate", str(archive))
    return archive


def main() -> None:
    """Build to the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    wheels = {wheel.platform: wheel for wheel in read_lock()}
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="gets zips and index.json")
    parser.add_argument("--platform", action="append", choices=wheels, help="only this one")
    parser.add_argument("--here", action="store_true", help="only for this machine")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    chosen = [wheels[name] for name in options.platform or wheels]
    archives = [build_here(out)] if options.here else [build(wheel, out) for wheel in chosen]
    for archive in archives:
        print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB)")
    run_builder("server-generate", "--repo-dir", str(out), "--html")
    print(f"{out / 'index.json'}: the folder is a repository for Blender")


if __name__ == "__main__":
    main()
