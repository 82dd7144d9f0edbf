# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension's zip with Blender's own builder.

Runs in a Python that has the bpy wheel: `make build`.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find_builder() -> Path:
    """Return Blender's stand-alone extension tool inside the bpy wheel."""
    wheel = importlib.util.find_spec("bpy")
    if wheel is None or wheel.origin is None:
        sys.exit("Run this in a Python that has the bpy wheel: make build")
    found = Path(wheel.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    return next(found)


def build(out: Path) -> Path:
    """Build and validate the zip; return its path."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{manifest['id']}-{manifest['version']}.zip"
    builder = [sys.executable, str(find_builder())]
    subprocess.run(
        [*builder, "build", "--source-dir", str(ROOT), "--output-filepath", str(archive)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run([*builder, "validate", str(archive)], check=True, stdout=subprocess.DEVNULL)
    return archive


def main() -> None:
    """Build to the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    archive = build(parser.parse_args().out.resolve())
    print(f"{archive} ({archive.stat().st_size / 1024:.0f} KiB)")


if __name__ == "__main__":
    main()
