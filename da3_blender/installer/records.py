# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare installed files with the lists that their packages brought along.

Runs in the installer.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .resolution import normalise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Record:
    """One installed package and the list of its files.

    Attributes:
        name: normalised.
        version: as installed.
        files: path, sha256 in the list's own spelling or "", and size or None.
    """

    name: str
    version: str
    files: tuple[tuple[Path, str, int | None], ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files that have a size in the list."""
        return sum(size or 0 for _, _, size in self.files)


def find_site_packages(environment: Path) -> Path | None:
    """Return the folder of packages of an environment; None if there is none."""
    places = [environment / "Lib/site-packages", *environment.glob("lib/python3*/site-packages")]
    return next((place for place in places if place.is_dir()), None)


def read_records(environment: Path) -> list[Record]:
    """Read the lists of all installed packages."""
    site = find_site_packages(environment)
    if site is None:
        return []
    records: list[Record] = []
    for folder in sorted(site.glob("*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        try:
            text = (folder / "RECORD").read_text(encoding="utf-8")
        except OSError:
            records.append(Record(normalise(name), version, ((folder / "RECORD", "", 1),)))
            continue
        files: list[tuple[Path, str, int | None]] = []
        for row in csv.reader(text.splitlines()):
            if len(row) == 3 and not row[0].endswith(".pyc"):  # noqa: PLR2004 - path, hash, size
                size = int(row[2]) if row[2].isdigit() else None
                files.append((site / row[0], row[1], size))
        records.append(Record(normalise(name), version, tuple(files)))
    return records


def find_damaged(
    records: list[Record], on_bytes: Callable[[int], None] = lambda _count: None
) -> dict[str, str]:
    """Read all installed files.

    Args:
        records: of the environment.
        on_bytes: called with the bytes read since the last call; may raise.

    Returns:
        Package -> the first file that is missing or was changed.
    """
    damaged: dict[str, str] = {}
    for record in records:
        for path, wanted, size in record.files:
            trouble = _look_at(path, wanted, size, on_bytes)
            if trouble:
                damaged[record.name] = trouble
                break
    return damaged


def measure_folder(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - 20000 files
    return total


def _look_at(path: Path, wanted: str, size: int | None, on_bytes: Callable[[int], None]) -> str:
    """Return what is wrong with a file, "" if nothing is."""
    try:
        found = path.stat().st_size
        if size is not None and found != size:
            return f"{path.name} has {found} bytes instead of {size}"
        kind, _, digest = wanted.partition("=")
        if kind == "sha256" and _hash(path, on_bytes) != digest:
            return f"{path.name} was changed"
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror or error})"
    return ""


def _hash(path: Path, on_bytes: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(len(chunk))
    return base64.urlsafe_b64encode(digest.digest()).decode("ascii").rstrip("=")
