# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame numbers that stand in the names of pictures.

Runs in both processes.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBERED = re.compile(r"(.*?)(\d+)")


def find_frames(names: Sequence[str]) -> list[int | None]:
    """Read the frame numbers of a sequence from its names.

    Args:
        names: such as `shot_0012.png`, with or without folders.

    Returns:
        The numbers at the ends of the stems if all names differ in nothing else, else None for
        every name: single photos have numbers too, which say nothing about time.
    """
    found = [_NUMBERED.fullmatch(PurePosixPath(name).stem) for name in names]
    numbers = [int(match[2]) for match in found if match]
    parts = {match[1] for match in found if match}
    if len(numbers) == len(names) == len(set(numbers)) and len(parts) == 1:
        return list(numbers)
    return [None] * len(names)
