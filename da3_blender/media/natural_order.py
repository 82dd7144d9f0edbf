# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File names in the order people expect: img2 before img10.

Runs in the engine.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


_MAX_PARENTS: Final = 3


def natural_key(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    """Return a sort key that compares runs of digits as numbers and ignores case."""
    text = unicodedata.normalize("NFC", path.name).casefold()
    parts = re.split(r"([0-9]+)", text)
    # Numbers and text carry a rank, so that the two are never compared with each other.
    key = [(0, int(part)) if index % 2 else (1, part) for index, part in enumerate(parts)]
    return key, path.name


def name_uniquely(paths: Sequence[Path]) -> list[str]:
    """Give each file a name that is unique in the set, also where case is ignored.

    Args:
        paths: absolute, all different.

    Returns:
        File names; where two are the same, parent folders are put before them: `left_001.jpg`.
    """
    names = [path.name for path in paths]
    for depth in range(1, _MAX_PARENTS + 1):
        taken = _find_repeated(names)
        if not taken:
            return names
        names = [
            "_".join(path.parts[1:][-1 - depth :]) if fold_name(name) in taken else name
            for path, name in zip(paths, names, strict=True)
        ]
    while taken := _find_repeated(names):
        names = [
            f"{Path(name).stem}_{index + 1}{Path(name).suffix}"
            if fold_name(name) in taken
            else name
            for index, name in enumerate(names)
        ]
    return names


def fold_name(name: str) -> str:
    """Return the form in which two names that clash on some file system are equal."""
    return unicodedata.normalize("NFC", name).casefold()


def _find_repeated(names: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    for name in map(fold_name, names):
        (repeated if name in seen else seen).add(name)
    return repeated
