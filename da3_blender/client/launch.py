# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the worker is started: which Python, which command line, which environment.

Runs in Blender.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract.engine_environment import make_engine_environment
from ..contract.engine_home import PYTHON_IN_ENVIRONMENT, EngineHome
from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

_SET_PYTHON: Final = "Press Set Up in the tab DA3, or name a Python in the preferences."


def find_engine_python(preferred: str, user_folder: Path | None) -> Path:
    """Find the Python that has the engine's libraries.

    Args:
        preferred: from the preferences: the interpreter, or the folder of its environment;
            "" looks in the user folder.
        user_folder: the extension's own folder for data, or None if there is none.

    Returns:
        The interpreter as given: symbolic links stay, because a virtual environment is one.

    Raises:
        EngineError: ENGINE_MISSING; there is no such file, or it cannot be executed.
    """
    if preferred.strip():
        place = Path(preferred.strip()).expanduser()
    elif user_folder is not None:
        place = EngineHome(user_folder).environment
    else:
        raise EngineError(ErrorCode.ENGINE_MISSING, "No Python is set for the engine.", _SET_PYTHON)
    python = place
    if place.is_dir():
        python = _find_executable(place, PYTHON_IN_ENVIRONMENT) or place
    if python.is_dir():
        raise EngineError(
            ErrorCode.ENGINE_MISSING, f"There is no Python in the folder {place}.", _SET_PYTHON
        )
    if not python.is_file():
        raise EngineError(ErrorCode.ENGINE_MISSING, f"There is no engine at {place}.", _SET_PYTHON)
    if not os.access(python, os.X_OK):
        raise EngineError(
            ErrorCode.ENGINE_MISSING,
            f"The file {python} is not a program that can be started.",
            _SET_PYTHON,
        )
    return python


def find_extension_root() -> Path:
    """Return the folder that holds the package `da3_blender`: the worker's PYTHONPATH."""
    return Path(__file__).resolve().parents[2]


def worker_command(python: Path) -> list[str]:
    """Return the command line of the worker: safe path, no user site, unbuffered."""
    return [str(python), "-P", "-s", "-u", "-m", "da3_blender.worker"]


def worker_environment(extension_root: Path) -> dict[str, str]:
    """Return the environment of the worker and of the installer.

    Args:
        extension_root: folder that holds the package `da3_blender`.
    """
    return make_engine_environment(extension_root)


def _find_executable(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)
