# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the files of one hand-over, from a template.

Runs in both processes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TEMPLATE: Final = "{shot}_{what}_v{version:03d}"
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_MOST_VERSIONS: Final = 100_000


def name_delivery(template: str, shot: str, what: str, version: int) -> str:
    """Fill a template with the name of the shot, the kind of file and the version.

    Raises:
        EngineError: SETTINGS_INVALID; the template cannot be used.
    """
    try:
        name = template.format(shot=clean_name(shot), what=what, version=version)
        other = template.format(shot=clean_name(shot), what=f"{what}-", version=version)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise _refuse(template, f"{error} means nothing there") from error
    if name == other:
        raise _refuse(template, "without {what} files would take each other's names")
    if name != clean_name(name):
        raise _refuse(template, "it has letters that file names cannot have")
    return name


def find_version(folder: Path, template: str, shot: str, kinds: Sequence[str]) -> int:
    """Return the first version of which nothing lies in a folder yet.

    Args:
        folder: of the hand-over; may be absent.
        template: of the names.
        shot: name of the shot.
        kinds: what is to be written.

    Raises:
        EngineError: SETTINGS_INVALID; the template cannot be used.
    """
    taken = {path.name.split(".")[0] for path in folder.iterdir()} if folder.is_dir() else set()
    first = {name_delivery(template, shot, kind, 1).split(".")[0] for kind in kinds}
    if first == {name_delivery(template, shot, kind, 2).split(".")[0] for kind in kinds}:
        return 1  # the template has no version, so what is there is replaced
    for version in range(1, _MOST_VERSIONS):
        names = {name_delivery(template, shot, kind, version) for kind in kinds}
        if not taken & {name.split(".")[0] for name in names}:
            return version
    raise _refuse(template, f"{folder} has all versions already")


def clean_name(text: str) -> str:
    """Return a name that every file system takes."""
    return _UNSAFE.sub("_", text).strip("_.") or "shot"


def _refuse(template: str, why: str) -> EngineError:
    return EngineError(
        ErrorCode.SETTINGS_INVALID,
        f"The template {template} gives no file names: {why}.",
        f"Use {{shot}}, {{what}} and {{version:03d}}, as in {TEMPLATE}.",
    )
