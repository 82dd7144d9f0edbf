# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move one large file from a Hugging Face hub to the disk: resumed, checked, stopped at once.

Runs in the engine. huggingface_hub deletes what it has when a download ends early, so the bytes
are fetched here, into the part file `<etag>.incomplete` of its cache that earlier versions of it
continue as well; address, token, session, lock and cache are the library's.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError
from huggingface_hub.utils import WeakFileLock, build_hf_headers, hf_raise_for_status

from ..contract.errors import CancelledError, EngineError, ErrorCode

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_CONNECT_TIMEOUT_S = 5.0
_TRIES = 4
"""Attempts in a row without a single new byte."""
_PAUSE_S = 1.0
_READ_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STATUS_OK = 200
_STATUS_RANGE_IMPOSSIBLE = 416
_FIRST_SERVER_STATUS = 500
_STATUS_TRY_AGAIN = (408, 429)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """What the hub says about a file.

    Attributes:
        url: of this very version.
        commit: version of the repository.
        etag: name of the content; for large files its SHA-256.
        size_bytes: of the file; None if the hub does not say.
    """

    url: str
    commit: str
    etag: str
    size_bytes: int | None

    @property
    def sha256(self) -> str | None:
        """Checksum of the content in hexadecimal digits, None where the hub gives none."""
        return self.etag if _SHA256.fullmatch(self.etag) else None


class Transfer:
    """Fetches one file; `run` works in one thread, the rest may be asked from others.

    Args:
        endpoint: address of the hub; None for the usual one.
    """

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._digest = hashlib.sha256()
        self.done_bytes = 0
        self.is_reached = False
        """The hub has answered."""

    def stop(self) -> None:
        """Make `run` end at the next packet; it writes nothing more."""
        self._stop.set()

    @property
    def patience_s(self) -> float:
        """Seconds to wait for the hub's first answer."""
        timeout = constants.HF_HUB_ETAG_TIMEOUT
        is_chosen = timeout != constants.DEFAULT_ETAG_TIMEOUT
        return timeout if is_chosen else _CONNECT_TIMEOUT_S

    def look_up(self, repository: str, name: str) -> RemoteFile:
        """Ask the hub about a file.

        Raises:
            HTTPError: no route, no access, no such file.
            EngineError: DOWNLOAD_FAILED; whoever answers is no hub.
        """
        url = hf_hub_url(repository, name, endpoint=self._endpoint)
        found = get_hf_file_metadata(url, timeout=self.patience_s, endpoint=self._endpoint)
        self.is_reached = True
        if not found.commit_hash or not found.etag:
            raise EngineError(
                ErrorCode.DOWNLOAD_FAILED,
                f"Whoever answers at {url} is not a Hugging Face hub.",
                "Check HF_ENDPOINT, the proxy and the firewall, or log in to the network.",
            )
        pinned = hf_hub_url(repository, name, revision=found.commit_hash, endpoint=self._endpoint)
        return RemoteFile(pinned, found.commit_hash, found.etag, found.size)

    def run(self, remote: RemoteFile, target: Path, lock: Path) -> None:
        """Fetch a file, going on where an earlier attempt ended, and check it.

        Args:
            remote: from `look_up`.
            target: where the complete file goes; the part file lies beside it.
            lock: file by which programs that share the cache wait for each other.

        Raises:
            HTTPError: the connection broke too often, or the hub refused.
            OSError: the disk is full or cannot be written.
            EngineError: DOWNLOAD_FAILED; size or checksum are wrong, and the part is deleted.
            CancelledError: after `stop`; the part stays.
        """
        lock.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if target.exists():  # another program has fetched it meanwhile
                return
            part = name_part(target, remote)
            old_bytes = part.stat().st_size if part.exists() else 0
            if remote.size_bytes is not None and old_bytes > remote.size_bytes:
                part.unlink()
            with part.open("ab") as file:
                self._read_old(part, file.tell())
                self._receive_all(remote, file)
            self._check(remote, part)
            part.replace(target)

    def _read_old(self, part: Path, size_bytes: int) -> None:
        with part.open("rb") as file:
            while data := file.read(min(_READ_BYTES, size_bytes - self.done_bytes)):
                self._count(data)

    def _count(self, data: bytes) -> None:
        if self._stop.is_set():
            raise CancelledError
        self._digest.update(data)
        self.done_bytes += len(data)

    def _receive_all(self, remote: RemoteFile, file: BinaryIO) -> None:
        """Ask again, with a pause, until the file is complete or nothing more arrives."""
        tries = 0
        while self.done_bytes != remote.size_bytes:
            before = self.done_bytes
            try:
                self._receive(remote, file)
            except HTTPError as error:
                if isinstance(error, HfHubHTTPError) and not _is_passing(error):
                    raise
                tries = 1 if self.done_bytes > before else tries + 1
                if tries >= _TRIES:
                    raise
                _log.warning("The download broke off at %d bytes: %s", self.done_bytes, error)
                if self._stop.wait(_PAUSE_S):
                    raise CancelledError from error
            else:
                return

    def _receive(self, remote: RemoteFile, file: BinaryIO) -> None:
        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        if self.done_bytes:
            headers["Range"] = f"bytes={self.done_bytes}-"
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream("GET", remote.url, headers=headers, timeout=timeout) as answer:
            if answer.status_code == _STATUS_RANGE_IMPOSSIBLE:
                return  # there is no more; size and checksum decide
            hf_raise_for_status(answer)
            if self.done_bytes and answer.status_code == _STATUS_OK:
                file.truncate(0)  # the server does not go on in the middle
                self.done_bytes, self._digest = 0, hashlib.sha256()
            for data in answer.iter_bytes():
                self._count(data)
                file.write(data)
                file.flush()  # what has arrived survives a kill

    def _check(self, remote: RemoteFile, part: Path) -> None:
        found = self._digest.hexdigest()
        if remote.sha256 not in (None, found):
            trouble = f"its SHA-256 is {found}, the hub's {remote.sha256}"
        elif remote.size_bytes not in (None, self.done_bytes):
            trouble = f"it has {self.done_bytes} bytes, the hub's {remote.size_bytes}"
        else:
            return
        part.unlink()
        raise EngineError(
            ErrorCode.DOWNLOAD_FAILED,
            f"The file that arrived is damaged: {trouble}. It was deleted.",
            "Download again; if that fails too, check the proxy or the mirror (HF_ENDPOINT).",
        )


def name_part(target: Path, remote: RemoteFile) -> Path:
    """Return where the unfinished file is kept between attempts."""
    return target.with_name(f"{remote.etag}.incomplete")


def _is_passing(error: HfHubHTTPError) -> bool:
    """Tell whether the hub may answer otherwise a moment later."""
    status = error.response.status_code
    return status >= _FIRST_SERVER_STATUS or status in _STATUS_TRY_AGAIN
