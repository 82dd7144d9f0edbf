# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find checkpoints on this computer and download missing ones.

Runs in the engine. Endpoint, offline mode and the place of the cache are the business of
huggingface_hub and its environment variables.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, HTTPError, LocalEntryNotFoundError
from huggingface_hub.file_download import are_symlinks_supported, repo_folder_name
from huggingface_hub.utils import tqdm

from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.models import (
    BUNDLED_FOLDER,
    CONFIG_FILE,
    WEIGHTS_FILE,
    ModelEntry,
    format_gigabytes,
    get_model,
)
from .hub_failures import explain_failure
from .hub_transfer import Transfer, name_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from .hub_transfer import RemoteFile

_SPARE_BYTES = 200_000_000
"""Free space that a download must leave on the disk."""
_POLL_S = 0.1
_NAME_LOOKUP_S = 3.0
"""Finding the address of the hub may take this much longer than its answer."""
_BUNDLED = Path(__file__).with_name(BUNDLED_FOLDER)

_log = logging.getLogger(__name__)


def find_local_checkpoint(model_id: str, folder: Path | None = None) -> Path | None:
    """Look for the weights of a model without using the network.

    Args:
        model_id: a key of `contract.models.MODELS`.
        folder: a safetensors file, a folder with one, a folder of model folders, or a cache of
            huggingface_hub; None, or nothing there, for the user's own cache.

    Returns:
        Path of the file; None if it is not on this computer.

    Raises:
        EngineError: the model is unknown, or `folder` does not exist.
    """
    entry = get_model(model_id)
    if folder is not None:
        folder = Path(folder)
        if folder.is_file():
            return folder
        if not folder.exists():
            raise EngineError(
                ErrorCode.CHECKPOINT_MISSING,
                f"There is no file or folder {folder}.",
                "Choose where the models are in the preferences.",
            )
        for place in _list_places(entry, folder):
            if place.is_file():
                return place
    if entry.is_bundled:
        return find_bundled_checkpoint(entry)
    return _find_in_cache(entry, folder) or _find_in_cache(entry, None)


def find_bundled_checkpoint(entry: ModelEntry, folder: Path = _BUNDLED) -> Path | None:
    """Return the weights of a model that comes with the extension.

    Args:
        entry: of the catalogue.
        folder: with a folder for each model.

    Returns:
        Path of the file; None if somebody left it out of this installation.
    """
    path = folder / entry.id / WEIGHTS_FILE
    return path if path.is_file() else None


def download_checkpoint(
    model_id: str,
    progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    cache_dir: Path | None = None,
    endpoint: str | None = None,
) -> Path:
    """Download the weights of a model into the cache; call only with the user's permission.

    A download that was cancelled, broke off or crashed goes on where it ended.

    Args:
        model_id: a key of `contract.models.MODELS`.
        progress: called with the bytes that are here and all bytes, some ten times a second.
        is_cancelled: polled as often, also while nothing arrives.
        cache_dir: the cache; None for the user's own.
        endpoint: address of the hub; None for the usual one.

    Returns:
        Path of the file; at once, without the network, if it is in the cache.

    Raises:
        EngineError: DOWNLOAD_FAILED (no route, no access, no such file, damaged),
            DOWNLOAD_NOT_ALLOWED (offline mode), DISK_FULL.
        CancelledError: `is_cancelled` said so.
    """
    entry = get_model(model_id)
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    found = _find_bundled(entry) if entry.is_bundled else _find_in_cache(entry, cache)
    if found is None:
        fetching = _Fetching(entry, cache, endpoint)
        fetching.start()
        found = _follow(fetching, progress, is_cancelled)
    size = found.stat().st_size
    progress(size, size)
    return found


class _Fetching(threading.Thread):
    """Does the work, so that a silent network cannot hold up a cancel.

    A cancelled thread is left alone: it waits for the network for some seconds at most, holds
    the file's lock until then, and writes nothing more.
    """

    def __init__(self, entry: ModelEntry, cache: Path, endpoint: str | None) -> None:
        super().__init__(name="download", daemon=True)
        self.entry = entry
        self.cache = cache
        self.endpoint = endpoint
        self.transfer = Transfer(endpoint)
        self.total_bytes = entry.download_bytes
        self.path: Path | None = None
        self.error: EngineError | CancelledError | None = None

    def run(self) -> None:
        try:
            self.path = self._fetch()
        except (EngineError, CancelledError) as error:
            self.error = error
        except (HTTPError, OSError, EntryNotFoundError) as error:
            _log.warning("Download of %s: %s", self.entry.id, error)
            reached = self.transfer.is_reached
            self.error = explain_failure(error, self.entry, is_reached=reached)

    def _fetch(self) -> Path:
        entry, transfer = self.entry, self.transfer
        remote = transfer.look_up(entry.repository, WEIGHTS_FILE)
        if remote.size_bytes is not None:
            self.total_bytes = remote.size_bytes
        target = _choose_target(entry, remote, self.cache)
        _check_space(self, remote, target)
        try:
            # it names the architecture; the keys do it too if a mirror has none
            self._link(CONFIG_FILE)
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError):
                raise
        folder = repo_folder_name(repo_id=entry.repository, repo_type="model")
        transfer.run(remote, target, self.cache / ".locks" / folder / f"{remote.etag}.lock")
        return self._link(WEIGHTS_FILE)

    def _link(self, name: str) -> Path:
        """Let the library give a file its place; it fetches what is not in the cache."""
        repository = self.entry.repository
        return Path(
            hf_hub_download(
                repository, name, cache_dir=self.cache, endpoint=self.endpoint, tqdm_class=_NoBar
            )
        )


class _NoBar(tqdm):
    """A progress bar of the library that prints nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})


def _follow(
    fetching: _Fetching, progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]
) -> Path:
    """Report until a thread has ended, or stop it.

    Raises:
        EngineError: why it failed.
        CancelledError: the user cancelled.
    """
    transfer = fetching.transfer
    give_up_s = time.monotonic() + transfer.patience_s + _NAME_LOOKUP_S
    try:
        while fetching.is_alive():
            if is_cancelled():
                raise CancelledError
            if not transfer.is_reached and time.monotonic() > give_up_s:
                raise explain_failure(TimeoutError(), fetching.entry, is_reached=False)
            progress(min(transfer.done_bytes, fetching.total_bytes), fetching.total_bytes)
            fetching.join(_POLL_S)
    finally:
        transfer.stop()
    if fetching.error is not None:
        raise fetching.error
    if fetching.path is None:
        raise EngineError(
            ErrorCode.INTERNAL,
            f"The download of {fetching.entry.id} ended unexpectedly.",
            "Copy the report and file an issue.",
        )
    return fetching.path


def _find_bundled(entry: ModelEntry) -> Path:
    """Return the weights that come with the extension.

    Raises:
        EngineError: CHECKPOINT_MISSING.
    """
    found = find_bundled_checkpoint(entry)
    if found is None:
        raise EngineError(
            ErrorCode.CHECKPOINT_MISSING,
            f"The weights of {entry.title} should have come with the extension, but did not.",
            "Install the extension again, or choose another model.",
        )
    return found


def _find_in_cache(entry: ModelEntry, cache: Path | None) -> Path | None:
    found = try_to_load_from_cache(entry.repository, WEIGHTS_FILE, cache_dir=cache)
    return Path(found) if isinstance(found, str) else None


def _choose_target(entry: ModelEntry, remote: RemoteFile, cache: Path) -> Path:
    """Return where the library expects the bytes; it makes the rest (links, names of versions)."""
    folder = cache / repo_folder_name(repo_id=entry.repository, repo_type="model")
    if are_symlinks_supported(cache):
        return folder / "blobs" / remote.etag
    return folder / "snapshots" / remote.commit / WEIGHTS_FILE


def _list_places(entry: ModelEntry, folder: Path) -> list[Path]:
    """Return where a user's folder may hold the weights, the most explicit name first."""
    own = [folder / f"{entry.id}.safetensors", folder / entry.id / WEIGHTS_FILE]
    if entry.is_bundled:
        return own  # a file without its name is that of a model from the hub
    name = entry.repository.rsplit("/", 1)[1]
    return [
        *own,
        folder / name / WEIGHTS_FILE,
        folder / entry.repository / WEIGHTS_FILE,
        folder / WEIGHTS_FILE,
    ]


def _check_space(fetching: _Fetching, remote: RemoteFile, target: Path) -> None:
    """Refuse to start a download that cannot fit."""
    part = name_part(target, remote)
    here = next((path.stat().st_size for path in (target, part) if path.exists()), 0)
    missing = max(fetching.total_bytes - here, 0)
    cache = fetching.cache.absolute()
    place = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if missing and free < missing + _SPARE_BYTES:
        raise EngineError(
            ErrorCode.DISK_FULL,
            f"{fetching.entry.id} needs {format_gigabytes(missing)} more, "
            f"{place} has {format_gigabytes(free)} free.",
            "Free some space, or set HF_HOME to a folder on another disk.",
        )
