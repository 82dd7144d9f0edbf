# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the wheels that the zip carries, each checked by its hash.

Runs with any Python 3.11 or later that has pip: `python tools/fetch_wheels.py [PLATFORM ...]`;
`make build` calls it. Platforms are named as Blender names them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WHEELS = Path(__file__).resolve().parents[1] / "wheels"
LOCK = WHEELS / "uv.lock.json"


@dataclass(frozen=True)
class LockedWheel:
    """One wheel of the lock: its platform, file name and sha256."""

    platform: str
    requirement: str
    file: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies once it was fetched."""
        return WHEELS / self.file

    @property
    def tag(self) -> str:
        """Platform as pip names it: the last part of the file's name, first of several."""
        return self.file.removesuffix(".whl").rpartition("-")[2].partition(".")[0]


def read_lock() -> list[LockedWheel]:
    """Read the lock file."""
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    requirement = f"{lock['name']}=={lock['version']}"
    return [
        LockedWheel(platform, requirement, wheel["file"], wheel["sha256"])
        for platform, wheel in lock["wheels"].items()
    ]


def is_right(wheel: LockedWheel) -> bool:
    """Tell whether the file is here and is the one that was locked."""
    if not wheel.path.is_file():
        return False
    return hashlib.sha256(wheel.path.read_bytes()).hexdigest() == wheel.sha256


def fetch(wheel: LockedWheel) -> None:
    """Download one wheel by its name, unless it is here already."""
    if is_right(wheel):
        return
    wheel.path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--platform", wheel.tag]
    done = subprocess.run([*command, "-d", str(WHEELS), wheel.requirement], check=False)
    if done.returncode != 0:
        sys.exit(f"{wheel.file} could not be downloaded. Check the network and try again.")
    if not is_right(wheel):
        sys.exit(f"{wheel.file} is not the file of {LOCK.name}: it is missing or its hash differs.")


def main() -> None:
    """Fetch the wheels of the platforms named on the command line, or all."""
    wheels = {wheel.platform: wheel for wheel in read_lock()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("platforms", nargs="*", default=sorted(wheels))
    for platform in parser.parse_args().platforms:
        if platform not in wheels:
            parser.error(f"{platform} is none of {', '.join(wheels)}")
        fetch(wheels[platform])


if __name__ == "__main__":
    main()
