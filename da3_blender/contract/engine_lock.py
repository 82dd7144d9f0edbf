# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock files of the engine's libraries, which lie beside the installer.

Runs in Blender and in the installer.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

INSTALLER_FOLDER: Final = Path(__file__).resolve().parents[1] / "installer"
_LIBRARIES: Final = "engine.txt"  # with hashes
_TORCH: Final = "torch.txt"  # version only: each build of torch has hashes of its own


def find_library_lock() -> Path:
    """Return the lock file of all libraries but torch."""
    return INSTALLER_FOLDER / _LIBRARIES


def find_torch_lock() -> Path:
    """Return the file that names torch and its version."""
    return INSTALLER_FOLDER / _TORCH


def hash_lock_files() -> str:
    """Return the sha256 of the lock files; another one means other libraries."""
    digest = hashlib.sha256()
    for path in (find_library_lock(), find_torch_lock()):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
