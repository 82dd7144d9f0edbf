# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch packages: byte by byte, kept when something stops it, checked by their hash.

Runs in the installer.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

from ..contract.errors import CancelledError, EngineError, ErrorCode
from .uv_failures import explain_full_disk, explain_mismatch

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .resolution import Package

_CHUNK_BYTES: Final = 256 * 1024
_NOTHING: Final = b""
_MEGABYTE: Final = 1e6
_GIGABYTE: Final = 1e9
_TIMEOUT_S: Final = 20.0
_ATTEMPTS: Final = 5
_PAUSE_S: Final = 1.0
_HEADERS: Final = {"User-Agent": "da3-reconstruction-setup", "Accept-Encoding": "identity"}
_OK, _PARTIAL, _RANGE_WRONG = 200, 206, 416
# The server wants to know who asks, or does not let this program in; uv may know how.
_NEEDS_UV: Final = frozenset({401, 403, 407})
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class NeedsUvError(Exception):
    """The server or its certificate is beyond this downloader; uv knows more ways."""


class Downloader:
    """Fetches wheels into a folder.

    Args:
        folder: gets the wheels; parts of wheels wait there for the next try.
        cancelled: asked between chunks.
        pause_s: before a second attempt; doubles.
    """

    def __init__(self, folder: Path, cancelled: threading.Event, pause_s: float = _PAUSE_S) -> None:
        self._folder = folder
        self._cancelled = cancelled
        self._pause_s = pause_s

    def ask_size(self, url: str) -> int | None:
        """Ask the server how long a file is.

        Returns:
            Bytes, or None if it does not tell.
        """
        request = urllib.request.Request(url, headers=_HEADERS, method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                length = answer.headers.get("Content-Length")
        except (OSError, http.client.HTTPException):
            return None  # the download itself will tell what is wrong
        return int(length) if length and length.isdigit() else None

    def fetch(self, package: Package, on_bytes: Callable[[int], None]) -> Path:
        """Fetch one wheel, or find it complete.

        Args:
            package: with an address.
            on_bytes: called with the bytes of this wheel that are there.

        Returns:
            The wheel; its hash is right.

        Raises:
            EngineError: DOWNLOAD_FAILED, DISK_FULL, or SETUP_FAILED for a wrong hash.
            NeedsUvError: this downloader is not let in.
            CancelledError: the user cancelled; what has arrived is kept.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / package.file_name
        if target.is_file() and self._is_right(target, package):
            on_bytes(target.stat().st_size)
            return target
        part = target.with_name(target.name + ".part")
        for attempt in range(_ATTEMPTS):
            was_begun = part.exists()
            try:
                self._receive(package, part, on_bytes)
            except (OSError, http.client.HTTPException) as error:
                self._weigh(error, package, is_last=attempt + 1 == _ATTEMPTS)
                self._wait(self._pause_s * 2**attempt)
                continue
            if self._is_right(part, package):
                part.replace(target)
                return target
            part.unlink()
            if not was_begun:  # it came in one piece and is wrong all the same
                break
        raise explain_mismatch(package.file_name)

    def _receive(self, package: Package, part: Path, on_bytes: Callable[[int], None]) -> None:
        begun = part.stat().st_size if part.exists() else 0
        if package.size_bytes is not None and begun > package.size_bytes:
            part.unlink()
            begun = 0
        if begun and begun == package.size_bytes:
            return
        headers = dict(_HEADERS)
        if begun:
            headers["Range"] = f"bytes={begun}-"
        request = urllib.request.Request(package.url, headers=headers)  # noqa: S310 - from the index
        try:
            answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
        except urllib.error.HTTPError as error:
            if error.code == _RANGE_WRONG and begun:
                part.unlink()
            raise
        with answer:
            is_continued = answer.status == _PARTIAL
            arrived = begun if is_continued else 0
            with part.open("ab" if is_continued else "wb") as file:
                on_bytes(arrived)
                while chunk := answer.read(_CHUNK_BYTES):
                    file.write(chunk)
                    arrived += len(chunk)
                    on_bytes(arrived)
                    if self._cancelled.is_set():
                        raise CancelledError
        if package.size_bytes is not None and arrived < package.size_bytes:
            raise http.client.IncompleteRead(_NOTHING, package.size_bytes - arrived)

    def _weigh(self, error: Exception, package: Package, *, is_last: bool) -> None:
        """Return if another attempt makes sense, else raise what the user can read."""
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise explain_full_disk(str(self._folder)) from error
        if isinstance(error, urllib.error.HTTPError):
            if error.code in _NEEDS_UV:
                raise NeedsUvError from error
            if error.code not in _TRANSIENT and error.code != _RANGE_WRONG:
                raise _explain(error, package) from error
        reason = getattr(error, "reason", None)
        if isinstance(error, ssl.SSLError) or isinstance(reason, ssl.SSLError):
            raise NeedsUvError from error
        if isinstance(error, PermissionError):
            raise EngineError(
                ErrorCode.OUTPUT_UNWRITABLE,
                f"The file {error.filename} cannot be written.",
                "Choose another engine folder in the preferences, or allow writing there.",
            ) from error
        if is_last:
            raise _explain(error, package) from error

    def _wait(self, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise CancelledError

    def _is_right(self, path: Path, package: Package) -> bool:
        if package.size_bytes is not None and path.stat().st_size != package.size_bytes:
            return False
        if not package.sha256:
            return True
        return hash_file(path, self._cancelled) == package.sha256


def hash_file(path: Path, cancelled: threading.Event) -> str:
    """Return the sha256 of a file.

    Raises:
        CancelledError: the user cancelled.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(4 * _CHUNK_BYTES):
            digest.update(chunk)
            if cancelled.is_set():
                raise CancelledError
    return digest.hexdigest()


class ByteCounter:
    """Adds up several downloads and says how far they are.

    Args:
        total: bytes of all.
        report: called with the share that is there, and words for it.
    """

    def __init__(self, total: int, report: Callable[[float, str], None]) -> None:
        self._total = max(total, 1)
        self._report = report
        self._before = 0
        self._began_s = time.monotonic()
        self._first: int | None = None

    def count(self, bytes_of_this: int) -> None:
        """Tell how much of the present file is there."""
        arrived = self._before + bytes_of_this
        if self._first is None:
            self._first = arrived  # was here before this try
        passed_s = time.monotonic() - self._began_s
        words = f"{format_bytes(arrived)} of {format_bytes(self._total)}"
        if passed_s > 1:
            words += f", {format_bytes((arrived - self._first) / passed_s)}/s"
        self._report(min(arrived / self._total, 1.0), words)

    def finish_file(self, size: int) -> None:
        """Go on to the next file."""
        self._before += size


def sum_sizes(packages: Sequence[Package]) -> int:
    """Return the bytes of all packages whose size is known."""
    return sum(package.size_bytes or 0 for package in packages)


def format_bytes(count: float) -> str:
    """Write a number of bytes for people: "812 kB", "46 MB", "1.24 GB"."""
    if count < _MEGABYTE:
        return f"{count / 1e3:.0f} kB"
    if count < _GIGABYTE:
        return f"{count / _MEGABYTE:.0f} MB"
    return f"{count / _GIGABYTE:.2f} GB"


def _explain(error: Exception, package: Package) -> EngineError:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        reason = f"HTTP {error.code}, {error.reason}"
    elif isinstance(reason, socket.gaierror):
        reason = "its server was not found"
    elif isinstance(reason, TimeoutError):
        reason = "the server did not answer in time"
    return EngineError(
        ErrorCode.DOWNLOAD_FAILED,
        f"The download of {package.file_name} failed ({reason}).",
        "Check the network and try again; what has arrived is kept.",
    )
