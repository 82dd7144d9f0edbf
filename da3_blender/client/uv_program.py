# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the program uv that came with the extension.

Runs in Blender.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "uv.exe" if sys.platform == "win32" else "uv"


def find_bundled_uv() -> str:
    """Return the path of uv as Blender unpacked it from the wheel in the zip.

    Blender leaves what a wheel wants to have in `bin` in the folder `uv-<version>.data/scripts`
    beside the package, and without the right to be executed.

    Returns:
        The file, or "" if Blender did not unpack it.
    """
    found = importlib.util.find_spec("uv")
    if found is None or found.origin is None:
        return ""
    site = Path(found.origin).parents[1]
    programs = sorted(site.glob(f"uv-*.data/scripts/{_NAME}"))
    if programs:
        return str(programs[-1])
    # an environment into which pip or uv installed the wheel, as developers have it
    for folder in (Path(sys.prefix, "bin"), Path(sys.prefix, "Scripts")):
        if (folder / _NAME).is_file():
            return str(folder / _NAME)
    return ""
