# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user should know before a set-up: sizes, the disk, licences.

Runs in Blender. Sizes are those of the locked packages; the installer asks for the exact ones
before it begins.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..contract.setup_request import BACKEND_CPU

_GPU_FILES: Final = {
    "linux": "/proc/driver/nvidia/version",
    "win32": "System32/nvcuda.dll",
}
# (system, has an NVIDIA card) -> bytes to download, bytes on the disk afterwards. Downloads: the
# sizes that the package index tells; Windows with CUDA: PyTorch's own index tells no sizes, the
# larger of its builds. On the disk: measured on Linux with the processor's build, the others in
# the same proportion.
_SIZES: Final = {
    ("linux", False): (350_000_000, 1_410_000_000),
    ("linux", True): (2_890_000_000, 7_000_000_000),
    ("win32", False): (255_000_000, 1_100_000_000),
    ("win32", True): (3_000_000_000, 6_000_000_000),
    ("darwin", False): (230_000_000, 1_000_000_000),
}
_PYTHON_BYTES: Final = 35_000_000  # a Python of its own, packed


@dataclass(frozen=True)
class Licence:
    """Licence of a part that the set-up installs."""

    part: str
    licence: str


LICENCES: Final = (
    Licence("PyTorch, NumPy, SciPy, Pillow (image reading)", "BSD-3, MIT-CMU"),
    Licence("COLMAP (pycolmap)", "BSD-3"),
    Licence("FFmpeg (in PyAV), libheif (in pillow-heif)", "LGPL; wrappers BSD-3"),
    Licence("OpenEXR, safetensors, huggingface_hub", "BSD-3, Apache-2.0"),
)
LICENCE_NVIDIA: Final = Licence("CUDA libraries, for NVIDIA cards", "NVIDIA's own")


@dataclass(frozen=True)
class SetupPlan:
    """What a set-up will take.

    Attributes:
        download_bytes: about.
        disk_bytes: about, when it is done.
        peak_bytes: about, while it runs.
        free_bytes: of the disk; None if it cannot be asked.
        has_nvidia: whether an NVIDIA driver was found, so that CUDA's libraries come along.
    """

    download_bytes: int
    disk_bytes: int
    peak_bytes: int
    free_bytes: int | None
    has_nvidia: bool

    @property
    def fits(self) -> bool:
        """Whether the disk has room, as far as is known."""
        return self.free_bytes is None or self.free_bytes > self.peak_bytes

    def list_licences(self) -> list[Licence]:
        """Return the licences of all that will be installed."""
        return [*LICENCES, LICENCE_NVIDIA] if self.has_nvidia else list(LICENCES)


def plan_setup(folder: Path, backend: str) -> SetupPlan:
    """Say what a set-up will take; looks at the disk for a moment.

    Args:
        folder: that the engine goes to.
        backend: one of the BACKEND_ values.
    """
    has_nvidia = backend != BACKEND_CPU and _has_nvidia()
    system = sys.platform if sys.platform in ("win32", "darwin") else "linux"
    download, disk = _SIZES[system, has_nvidia]
    return SetupPlan(
        download_bytes=download + _PYTHON_BYTES,
        disk_bytes=disk,
        peak_bytes=disk + download,
        free_bytes=_ask_free(folder),
        has_nvidia=has_nvidia,
    )


def explain_unsupported() -> str:
    """Return why no engine can run on this computer; "" if one can.

    COLMAP's package exists for three systems, and there is no torch for Intel Macs any more.
    """
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        if machine != "arm64":
            return "The engine needs a Mac with Apple silicon."
        version = platform.mac_ver()[0].partition(".")[0]
        if version.isdigit() and int(version) < 14:  # noqa: PLR2004 - the wheels' floor
            return "The engine needs macOS 14 or later."
        return ""
    if machine not in ("x86_64", "amd64"):
        return f"The engine has no packages for {platform.system()} on {machine} yet."
    return ""


def _has_nvidia() -> bool:
    place = _GPU_FILES.get(sys.platform)
    if place is None:
        return False
    return Path(os.environ.get("SYSTEMROOT", "/"), place).exists()


def _ask_free(folder: Path) -> int | None:
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:  # not made yet
            continue
    return None
