# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engine's environment lies, and the stamp that says what it is made of.

Runs in both processes and in the installer.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STAMP_FILE: Final = "engine.json"
_STAMP_FORMAT: Final = 1
# Where an environment keeps its Python, by system.
PYTHON_IN_ENVIRONMENT: Final = (
    ("Scripts/python.exe", "python.exe")
    if sys.platform == "win32"
    else ("bin/python", "bin/python3")
)
SUPPORTED_PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
"""Versions for which every library of the engine has wheels."""


def is_supported(version: Sequence[int]) -> bool:
    """Tell whether the engine's libraries exist for a version of Python.

    Args:
        version: major and minor number, more may follow.
    """
    return tuple(version[:2]) in SUPPORTED_PYTHONS


@dataclass(frozen=True)
class EngineHome:
    """The folder that the set-up owns.

    Args:
        folder: the extension's own folder for data, or one that the user chose.
    """

    folder: Path

    @property
    def environment(self) -> Path:
        """The engine's environment; complete when it holds the stamp."""
        return self.folder / "engine"

    @property
    def python(self) -> Path:
        """The interpreter of the environment, made or not."""
        return self.environment / PYTHON_IN_ENVIRONMENT[0]

    @property
    def stamp_file(self) -> Path:
        """Written last, so that an environment with a stamp is complete."""
        return self.environment / STAMP_FILE

    @property
    def workshop(self) -> Path:
        """What a set-up leaves for the next try: downloads and uv's files."""
        return self.folder / "setup"

    @property
    def downloads(self) -> Path:
        """Packages that have arrived, and parts of packages."""
        return self.workshop / "downloads"

    @property
    def cache(self) -> Path:
        """The cache of uv, only needed while a set-up runs."""
        return self.workshop / "cache"

    @property
    def pythons(self) -> Path:
        """Interpreters that uv installed for the engine."""
        return self.folder / "python"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that sets up, so that two Blenders do not do it at once."""
        return self.folder / "setup.lock"

    def list_unfinished(self) -> list[Path]:
        """Return folders that were being built or thrown away when something ended it."""
        return sorted(self.folder.glob("engine.new-*")) + sorted(self.folder.glob("*.old-*"))


@dataclass(frozen=True)
class EngineStamp:
    """What a finished environment is made of.

    Attributes:
        lock: sha256 of the lock files that it was made from.
        python: version, such as "3.13.5".
        base_python: the interpreter that the environment leans on; without it nothing runs.
        python_origin: "managed" by uv, "blender", "system" or "chosen" by the user.
        torch: version with its build, such as "2.13.0+cpu".
        packages: name -> version.
        installed_bytes: size of the environment.
        download_bytes: size of the packages that it was made from.
        source: "online" or "folder".
        device: what the self-test ran on: "cuda", "mps" or "cpu".
        device_name: for people.
        made: date and time of the set-up, ISO 8601.
    """

    lock: str
    python: str
    base_python: str
    python_origin: str
    torch: str
    packages: dict[str, str] = field(default_factory=dict[str, str])
    installed_bytes: int = 0
    download_bytes: int = 0
    source: str = "online"
    device: str = ""
    device_name: str = ""
    made: str = ""

    def write(self, path: Path) -> None:
        """Write the file under a temporary name and rename it."""
        part = path.with_suffix(".part")
        content = {"format": _STAMP_FORMAT, **asdict(self)}
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        part.replace(path)


def read_stamp(path: Path) -> EngineStamp | None:
    """Read a stamp.

    Args:
        path: of the file.

    Returns:
        The stamp, or None if there is none that this version understands.
    """
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    values = cast(dict[str, Any], content)
    if values.pop("format", None) != _STAMP_FORMAT:
        return None
    known = {item.name for item in fields(EngineStamp)}
    try:
        return EngineStamp(**{name: value for name, value in values.items() if name in known})
    except TypeError:  # a value without a default is missing
        return None
