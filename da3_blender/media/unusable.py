# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why one file of the input cannot be used: an error if it is alone, a note if it is one of many.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.formats import MAX_PIXELS, MIN_SIDE_PX, PHOTO_FORMATS_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HINTS: Final = {
    ErrorCode.INPUT_MISSING: "Choose the files again; they may have been moved or renamed.",
    ErrorCode.INPUT_UNREADABLE: (
        "Open it in another program to check it, save it again or leave it out."
    ),
    ErrorCode.INPUT_TOO_SMALL: f"Use pictures of at least {MIN_SIDE_PX} pixels on each side.",
}


class UnusableFile(Exception):  # noqa: N818 - a finding about a file; it becomes an EngineError
    """One file cannot be used.

    Args:
        reason: completes the sentence "NAME cannot be used: ...", without a full stop.
        code: INPUT_MISSING, INPUT_UNREADABLE or INPUT_TOO_SMALL.
    """

    def __init__(self, *, reason: str, code: ErrorCode = ErrorCode.INPUT_UNREADABLE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code

    def to_error(self, path: Path) -> EngineError:
        """Return the error for an input that depends on this file alone."""
        message = f"{to_printable(path)} cannot be used: {self.reason}."
        return EngineError(self.code, message, _HINTS[self.code])

    def to_sentence(self, path: Path) -> str:
        """Return the note for a set that goes on without this file."""
        return f"{to_printable(path.name)} was left out: {self.reason}."


def to_printable(name: object) -> str:
    """Return text that any log or JSON file can hold, also for names that are not Unicode."""
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def describe_os_error(error: OSError) -> UnusableFile:
    """Say why the system refused a file."""
    if isinstance(error, FileNotFoundError):
        return UnusableFile(reason="it does not exist", code=ErrorCode.INPUT_MISSING)
    if isinstance(error, PermissionError):
        return UnusableFile(reason="you have no permission to read it")
    return UnusableFile(reason=f"it cannot be read ({error.strerror or error})")


def wrong_format(suffix: str) -> UnusableFile:
    """Say that a file is neither a picture nor a video that we know."""
    kind = f"{suffix} files are" if suffix else "a file without an extension is"
    return UnusableFile(reason=f"{kind} not supported; use {PHOTO_FORMATS_TEXT}, or a video")


def refuse_all(findings: Mapping[Path, UnusableFile]) -> EngineError:
    """Return the error for an input of which no file can be used, with the first reason.

    Args:
        findings: one per file, in order, at least one.
    """
    path, first = next(iter(findings.items()))
    if len(findings) == 1:
        return first.to_error(path)
    codes = {finding.code for finding in findings.values()}
    code = first.code if len(codes) == 1 else ErrorCode.INPUT_UNREADABLE
    folder = to_printable(path.parent)
    return EngineError(
        code,
        f"None of the {len(findings)} files in {folder} can be used;"
        f" {to_printable(path.name)}: {first.reason}.",
        _HINTS[code],
    )


def refuse_range(
    path: Path, existing: tuple[int, int], start: int | None, end: int | None
) -> EngineError:
    """Return the error for a frame range that misses a sequence or video.

    Args:
        path: of the video or of the sequence's folder.
        existing: first and last frame number there are.
        start: first frame asked for, or None.
        end: last frame asked for, or None.
    """
    first, last = existing
    asked = f"{'the first' if start is None else start} to {'the last' if end is None else end}"
    return EngineError(
        ErrorCode.INPUT_EMPTY,
        f"{to_printable(path)} has the frames {first} to {last}, but {asked} was asked for.",
        f"Set the frame range to lie within {first} to {last}.",
    )


def check_file(path: Path) -> None:
    """Refuse files that are absent, empty, or whose name no result could hold.

    Raises:
        UnusableFile: INPUT_MISSING or INPUT_UNREADABLE.
    """
    try:
        path.name.encode("utf-8")
        if path.stat().st_size == 0:
            raise UnusableFile(reason="the file is empty")
    except OSError as error:
        raise describe_os_error(error) from error
    except UnicodeEncodeError as error:
        raise UnusableFile(reason="its name is not valid Unicode; rename it") from error


def check_size(width: int, height: int) -> None:
    """Refuse pictures that are too small to hold anything or too large to be real.

    Args:
        width: pixels.
        height: pixels.

    Raises:
        UnusableFile: INPUT_TOO_SMALL or INPUT_UNREADABLE.
    """
    if min(width, height) < MIN_SIDE_PX:
        raise UnusableFile(
            reason=f"it has only {width} x {height} pixels", code=ErrorCode.INPUT_TOO_SMALL
        )
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1e6
        raise UnusableFile(
            reason=f"it has {width} x {height} pixels, {megapixels:.0f} megapixels;"
            f" the limit is {MAX_PIXELS / 1e6:.0f}"
        )
