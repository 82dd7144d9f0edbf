# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame numbers in file names: shot_0012.exr is frame 12.

Runs in the engine.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from ..contract.errors import EngineError, ErrorCode
from .listing import list_photos
from .unusable import to_printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

AUTO_MIN_FILES: Final = 24
_AUTO_MIN_DIGITS: Final = 3


class NumberedName(NamedTuple):
    """A file name around one run of digits; prefix and suffix are folded to one case."""

    prefix: str
    digits: str
    suffix: str


def number_frames(paths: Sequence[Path]) -> dict[Path, int]:
    """Read the frame number of each file of one sequence.

    Args:
        paths: files whose names differ in one number only; gaps are allowed.

    Returns:
        The frame number of each path, sorted by number.

    Raises:
        EngineError: INPUT_MISMATCH; a name has no number or does not fit, or a number repeats.
    """
    digits = _read_digits(paths)
    return dict(sorted(((path, int(text)) for path, text in digits.items()), key=lambda i: i[1]))


def _read_digits(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the digits of each frame number: of the last run in which all names differ."""
    runs = split_runs(paths[0].name)
    if not runs:
        raise _misfit(what=f"{to_printable(paths[0].name)} has no number in its name")
    trouble = ""
    for pattern in reversed(runs):
        digits = {path: _match(path.name, pattern) for path in paths}
        known = {path: text for path, text in digits.items() if text is not None}
        if len(known) == len(paths) == len({int(text) for text in known.values()}):
            return known
        stranger = next((path for path in paths if path not in known), None)
        if stranger is not None:
            what = f"{to_printable(stranger.name)} does not belong to {_show(pattern)}"
        else:
            what = f"a number of {_show(pattern)} is there twice"
        trouble = trouble or what
    raise _misfit(what=trouble)


def gather_sequence(path: Path) -> list[Path]:
    """Find all files of the numbered sequence that one file belongs to.

    Raises:
        EngineError: INPUT_MISMATCH; its name has no number. INPUT_UNREADABLE.
    """
    runs = split_runs(path.name)
    if not runs:
        raise _misfit(what=f"{to_printable(path.name)} has no number in its name")
    neighbours = list_photos(path.parent)
    families = [[n for n in neighbours if _match(n.name, run) is not None] for run in runs]
    # The number that varies is the frame; of several, the last one in the name.
    return max(reversed(families), key=len) or [path]


def is_regular_sequence(paths: Sequence[Path]) -> bool:
    """Tell whether names alone look like rendered or extracted frames without gaps.

    At least 24 files with one prefix and extension, zero-padded numbers of one length (3
    digits or more) and one constant step.
    """
    if len(paths) < AUTO_MIN_FILES or len({path.parent for path in paths}) > 1:
        return False
    try:
        digits = _read_digits(paths)
    except EngineError:
        return False
    lengths = {len(text) for text in digits.values()}
    numbers = sorted(int(text) for text in digits.values())
    steps = {b - a for a, b in itertools.pairwise(numbers)}
    return len(lengths) == len(steps) == 1 and min(lengths) >= _AUTO_MIN_DIGITS


def choose_numbers(
    numbers: Iterable[int], start: int | None, end: int | None, step: int
) -> list[int]:
    """Choose the frame numbers in a range, every n-th of the sequence's own rhythm.

    Args:
        numbers: frame numbers that exist, sorted.
        start: first number to use, or None.
        end: last number to use, inclusive, or None.
        step: 2 takes every other frame; a missing frame does not shift the following ones.

    Returns:
        Sorted numbers, a subset of `numbers`.
    """
    kept = [n for n in numbers if (start is None or n >= start) and (end is None or n <= end)]
    rhythm = math.gcd(*(b - a for a, b in itertools.pairwise(kept))) * step
    return [n for n in kept if rhythm == 0 or (n - kept[0]) % rhythm == 0]


def split_runs(name: str) -> list[NumberedName]:
    """Split a file name around each run of digits before its extension, in order."""
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, ""
    return [
        NumberedName(
            stem[: run.start()].casefold(),
            run.group(),
            f"{stem[run.end() :]}{dot}{extension}".casefold(),
        )
        for run in re.finditer(r"[0-9]+", stem)
    ]


def _match(name: str, pattern: NumberedName) -> str | None:
    """Return the digits of a name of the same sequence, else None."""
    for run in split_runs(name):
        if (run.prefix, run.suffix) == (pattern.prefix, pattern.suffix):
            shorter, longer = sorted((run.digits, pattern.digits), key=len)
            # 0999 and 1000, 9 and 10 are neighbours; 9 and 010 are not.
            is_same = len(shorter) == len(longer) or not longer.startswith("0")
            return run.digits if is_same else None
    return None


def _show(pattern: NumberedName) -> str:
    return to_printable(f"{pattern.prefix}{'#' * len(pattern.digits)}{pattern.suffix}")


def _misfit(*, what: str) -> EngineError:
    return EngineError(
        ErrorCode.INPUT_MISMATCH,
        f"The files are not one numbered sequence: {what}.",
        "Choose one file of the sequence, or set Input Is to Photos.",
    )
