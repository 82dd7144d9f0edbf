# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment variables of every Python that runs the engine's code.

Runs in Blender and in the installer.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# Set by Blender or by an environment it was started from; they would lead to another Python.
_MISLEADING: Final = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"})


def make_engine_environment(extension_root: Path) -> dict[str, str]:
    """Return this process's environment without Blender's Python settings, with ours.

    Args:
        extension_root: folder that holds the package `da3_blender`.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("PYTHON") and name not in _MISLEADING
    }
    return kept | {
        "PYTHONPATH": str(extension_root),
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",  # the extension's folder is not ours to write to
    }
