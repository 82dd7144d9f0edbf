# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the engine's packages in a folder, for computers that may not go online.

Runs with any Python 3.11 or later that has pip, on a computer with internet: `python
tools/collect_packages.py FOLDER --system windows --python 3.13`. Set Up takes the folder then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from pip._vendor.packaging.markers import Marker

INSTALLER = Path(__file__).resolve().parents[1] / "da3_blender" / "installer"
_GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")
TAGS = {
    "windows": ("win_amd64",),
    "macos": ("macosx_14_0_arm64",),
    "linux": (*(f"manylinux_{v}_x86_64" for v in _GLIBC), "manylinux2014_x86_64"),
}


MACHINES = {
    "windows": {"sys_platform": "win32", "platform_machine": "AMD64"},
    "macos": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "linux": {"sys_platform": "linux", "platform_machine": "x86_64"},
}


def read_lock_for(system: str, python: str) -> str:
    """Return the lines of the lock that hold on another computer.

    pip looks at its own computer to decide about conditions such as `sys_platform == 'win32'`.
    """
    target = {**MACHINES[system], "python_full_version": f"{python}.0", "python_version": python}
    kept = []
    for entry in (INSTALLER / "engine.txt").read_text(encoding="utf-8").split("\n"):
        if entry and not entry.startswith(" "):
            requirement, _, rest = entry.partition(" ; ")
            is_wanted = not rest or Marker(rest.rstrip("\\ ")).evaluate(target)
            kept += [f"{requirement.rstrip(chr(92) + ' ')} \\"] if is_wanted else []
        elif entry and is_wanted:
            kept.append(entry)
    return "\n".join(kept) + "\n"


def download(folder: Path, options: argparse.Namespace, *words: str) -> None:
    """Let pip download what is named, without what it depends on: the lock names all."""
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-q"]
    command += ["--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    command += ["--python-version", options.python, "--implementation", "cp"]
    for tag in TAGS[options.system]:
        command += ["--platform", tag]
    for abi in (f"cp{options.python.replace('.', '')}", "abi3", "none"):
        command += ["--abi", abi]
    if subprocess.run([*command, *words], check=False).returncode != 0:
        sys.exit(f"pip could not download {' '.join(words)}.")


def main() -> None:
    """Fill the folder named on the command line."""
    here = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="gets the wheels")
    parser.add_argument("--system", choices=TAGS, default=here, help=f"default: {here}")
    parser.add_argument("--python", default="3.13", help="of the engine; default: 3.13")
    parser.add_argument("--torch-index", help="PyTorch's index for the graphics card, or a mirror")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        lock = Path(place, "engine.txt")
        lock.write_text(read_lock_for(options.system, options.python), encoding="utf-8")
        download(options.folder, options, "--require-hashes", "-r", str(lock))
    torch = ["-r", str(INSTALLER / "torch.txt")]
    if options.torch_index:
        torch += ["--index-url", options.torch_index]
    download(options.folder, options, *torch)
    size = sum(path.stat().st_size for path in options.folder.glob("*.whl"))
    print(f"{options.folder}: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
