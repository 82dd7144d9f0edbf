# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the Python environments of the repository, or re-use them when they are right.

Runs with any Python 3.11 or later and its standard library: `python tools/setup_environments.py
engine blender-4.5`. Environments lie in `.env/`; a stamp in each tells what it was made from.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCH = (
    (ROOT / "da3_blender/installer/torch.txt")
    .read_text(encoding="utf-8")
    .strip()
    .removeprefix("torch==")
)
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# What the bpy wheel opens on a Debian machine, and Mesa for EEVEE without a graphics card.
SYSTEM_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXext.so.6": "libxext6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libEGL_mesa.so.0": "libegl-mesa0",
    "libgomp.so.1": "libgomp1",
}
MESA_DRIVERS = "libgl1-mesa-dri"
WITH_TORCH = ("engine", "benchmark", "training")


@dataclass(frozen=True)
class Environment:
    """One environment: its name, its Python version and whether it may be left out."""

    name: str
    python: str
    optional: bool = False


ENVIRONMENTS = {
    e.name: e
    for e in (
        Environment("engine", "3.11"),
        Environment("blender-4.5", "3.11"),
        Environment("blender-5.2", "3.13", optional=True),
        Environment("check", "3.11"),
        Environment("benchmark", "3.11"),
        Environment("training", "3.11"),
    )
}


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def give_up(text: str) -> None:
    """End with a sentence that has the remedy."""
    sys.stderr.write(text + "\n")
    raise SystemExit(1)


def find_python(version: str) -> Path | None:
    """Find an interpreter of a version such as "3.13" on the PATH or among pyenv's."""
    candidates = [Path(sys.executable)] if sys.version.startswith(version + ".") else []
    found = shutil.which(f"python{version}")
    if found:
        candidates.append(Path(found))
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    for candidate in candidates:
        # A pyenv shim exists also for versions that are not chosen, so ask it.
        answer = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return candidate
    return None


def install_system_packages(packages: list[str], why: str) -> None:
    """Install Debian packages if this user may, else say the line to run."""
    line = "apt-get install -y --no-install-recommends " + " ".join(packages)
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        give_up(f"{why} Run:  sudo {line}")
    say(f"{why} Installing: {' '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([apt, "update", "-qq"], check=False, env=quiet, stdout=subprocess.DEVNULL)
    done = subprocess.run(line.split(), check=False, env=quiet, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        give_up(f"That failed. Run:  {line}")


def ensure_system_libraries() -> None:
    """See to the libraries that Blender as a module opens on Linux."""
    if sys.platform != "linux":
        return
    missing = []
    for library, package in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    drivers = ("lib/*/dri/*swrast*", "lib64/dri/*swrast*", "lib/dri/*swrast*")
    if not any(any(Path("/usr").glob(pattern)) for pattern in drivers):
        missing.append(MESA_DRIVERS)
    if missing:
        install_system_packages(missing, "Blender needs system libraries that are missing here.")


def make_venv(python: Path, folder: Path) -> None:
    """Make an empty virtual environment with pip."""
    shutil.rmtree(folder, ignore_errors=True)
    probe = subprocess.run(
        [python, "-c", "import ensurepip, venv"], check=False, capture_output=True
    )
    if probe.returncode != 0:  # Debian's python3 comes without
        install_system_packages(["python3-venv"], "Python's venv module is missing.")
    subprocess.run([python, "-m", "venv", folder], check=True)


def find_env_python(name: str) -> Path:
    """Return the path of an environment's interpreter, made or not."""
    folder = ROOT / ".env" / name
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run_pip(python: Path, *arguments: str) -> bool:
    """Run pip quietly; tell whether it worked."""
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    return subprocess.run([*command, *arguments], check=False).returncode == 0


def install_torch(python: Path) -> None:
    """Install the CPU build of torch; on Linux the plain one brings gigabytes of CUDA."""
    plain = ("--no-deps", f"torch=={TORCH}")
    if sys.platform != "linux":
        if not run_pip(python, *plain):
            give_up("torch could not be installed. Check the network and run the command again.")
        return
    index = os.environ.get("DA3_TORCH_INDEX", TORCH_CPU_INDEX)
    build = ("--no-deps", f"torch=={TORCH}+cpu")
    with_index = ("--retries", "1", "--timeout", "20", "--extra-index-url", index)
    # A configured index or folder of wheels may have the small build already.
    at_hand = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--dry-run", *build],
        check=False,
        capture_output=True,
    )
    attempts = [build] if at_hand.returncode == 0 else [(*with_index, *build), plain]
    if not any(run_pip(python, *attempt) for attempt in attempts):
        give_up("torch could not be installed. Check the network and run the command again.")


def find_locks(environment: Environment) -> dict[Path, tuple[str, ...]]:
    """Return the lock files of an environment and the options that pip needs for each."""
    folder = ROOT / "requirements"
    locks: dict[Path, tuple[str, ...]] = {folder / f"{environment.name}.txt": ()}
    upstream = folder / f"{environment.name}.upstream.txt"
    if upstream.exists():
        # What it names as its dependencies is gigabytes of which it needs little here.
        locks[upstream] = ("--no-deps",)
    return locks


def make_stamp(environment: Environment, python: Path) -> str:
    """Describe what an environment is made from; another text means another environment."""
    lock = b"".join(path.read_bytes() for path in find_locks(environment))
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    torch = TORCH if environment.name in WITH_TORCH else "-"
    return f"{hashlib.sha256(lock).hexdigest()} {version.strip()} torch {torch}\n"


def ensure(environment: Environment) -> bool:
    """Make one environment if it is missing or made from something else.

    Returns:
        False if it is optional and its Python is not on this machine.
    """
    base = find_python(environment.python)
    if base is None:
        if environment.optional:
            say(f"{environment.name}: left out, no Python {environment.python} on this machine")
            return False
        give_up(f"Python {environment.python} is needed for {environment.name}: install it first.")
    if environment.name.startswith("blender"):
        ensure_system_libraries()
    folder = ROOT / ".env" / environment.name
    python = find_env_python(environment.name)
    stamp, wanted = folder / "stamp", make_stamp(environment, base)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return True
    say(f"{environment.name}: making the environment (once; some minutes)")
    make_venv(base, folder)
    for lock, options in find_locks(environment).items():
        if not run_pip(python, "--require-hashes", *options, "-r", str(lock)):
            give_up(
                f"{lock.name} could not be installed. Check the network and run the command again."
            )
    if environment.name in WITH_TORCH:
        install_torch(python)
    stamp.write_text(wanted)
    return True


def main() -> None:
    """Make the environments named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(ENVIRONMENTS))
    for name in parser.parse_args().names:
        ensure(ENVIRONMENTS[name])


if __name__ == "__main__":
    main()
