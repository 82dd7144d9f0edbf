# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find checkpoints on this computer and download missing ones.

Runs in the engine. Endpoint, offline mode and the place of the cache are the business of
huggingface_hub and its environment variables.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import tqdm

from ..contract.errors import CancelledError, EngineError, ErrorCode
from .model_table import CONFIG_FILE, WEIGHTS_FILE, ModelEntry, get_model

if TYPE_CHECKING:
    from collections.abc import Callable

_SPARE_BYTES = 200_000_000
"""Free space that a download must leave on the disk."""
_NO_ACCESS = (401, 403)
_BY_HAND = "Or download the file by hand from https://huggingface.co/{} and choose its folder."


def find_local_checkpoint(model_id: str, folder: Path | None = None) -> Path | None:
    """Look for the weights of a model without using the network.

    Args:
        model_id: a key of `model_table.MODELS`.
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
    for cache in (folder, None):
        found = try_to_load_from_cache(entry.repository, WEIGHTS_FILE, cache_dir=cache)
        if isinstance(found, str):
            return Path(found)
    return None


def download_checkpoint(
    model_id: str,
    progress: Callable[[float], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    cache_dir: Path | None = None,
    endpoint: str | None = None,
) -> Path:
    """Download the weights of a model into the cache; call only with the user's permission.

    Args:
        model_id: a key of `model_table.MODELS`.
        progress: called with the finished share, 0 to 1.
        is_cancelled: polled while bytes arrive.
        cache_dir: the cache; None for the user's own.
        endpoint: address of the hub; None for the usual one.

    Returns:
        Path of the file; at once if it is in the cache and up to date.

    Raises:
        EngineError: no permission on the side of the hub, no such file, no route, no space.
        CancelledError: `is_cancelled` said so; nothing of the file is kept.
    """
    entry = get_model(model_id)
    _check_space(entry, Path(cache_dir or constants.HF_HUB_CACHE))
    bar = _make_bar(entry.download_bytes, progress, is_cancelled)
    try:
        # the config names the architecture; the keys do it too if a mirror has none
        _fetch(entry, CONFIG_FILE, cache_dir, endpoint, bar)
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):
            raise _explain(error, entry) from error
    except (HTTPError, OSError) as error:
        raise _explain(error, entry) from error
    try:
        path = _fetch(entry, WEIGHTS_FILE, cache_dir, endpoint, bar)
    except (HTTPError, OSError, EntryNotFoundError) as error:
        raise _explain(error, entry) from error
    if is_cancelled():
        raise CancelledError
    progress(1.0)
    return path


def _list_places(entry: ModelEntry, folder: Path) -> list[Path]:
    """Return where a user's folder may hold the weights, the most explicit name first."""
    name = entry.repository.rsplit("/", 1)[1]
    return [
        folder / f"{entry.model_id}.safetensors",
        folder / entry.model_id / WEIGHTS_FILE,
        folder / name / WEIGHTS_FILE,
        folder / entry.repository / WEIGHTS_FILE,
        folder / WEIGHTS_FILE,
    ]


def _fetch(
    entry: ModelEntry, name: str, cache_dir: Path | None, endpoint: str | None, bar: type[tqdm]
) -> Path:
    return Path(
        hf_hub_download(
            entry.repository, name, cache_dir=cache_dir, endpoint=endpoint, tqdm_class=bar
        )
    )


def _make_bar(
    total_bytes: int, progress: Callable[[float], None], is_cancelled: Callable[[], bool]
) -> type[tqdm]:
    """Make a silent progress bar class that reports to us instead of the terminal."""

    class Bar(tqdm):
        def __init__(self, *args: object, **kwargs: object) -> None:
            self._done = float(kwargs.get("initial") or 0)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if is_cancelled():
                raise CancelledError
            self._done += n or 0
            progress(min(self._done / total_bytes, 1.0))
            return None

    return Bar


def _check_space(entry: ModelEntry, cache: Path) -> None:
    """Refuse to start a download that cannot fit."""
    if isinstance(try_to_load_from_cache(entry.repository, WEIGHTS_FILE, cache_dir=cache), str):
        return
    place = next(path for path in (cache, *cache.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < entry.download_bytes + _SPARE_BYTES:
        raise EngineError(
            ErrorCode.DISK_FULL,
            f"{entry.model_id} needs {entry.download_bytes / 1e9:.1f} GB, "
            f"{place} has {free / 1e9:.1f} GB free.",
            "Free some space, or choose another folder for the models.",
        )


def _explain(error: Exception, entry: ModelEntry) -> EngineError:
    """Turn what the hub's library raises into a sentence and a remedy."""
    by_hand = _BY_HAND.format(entry.repository)
    if isinstance(error, OfflineModeIsEnabled) or isinstance(error.__cause__, OfflineModeIsEnabled):
        return EngineError(
            ErrorCode.DOWNLOAD_NOT_ALLOWED,
            f"{entry.model_id} is not on this computer and offline mode is set (HF_HUB_OFFLINE).",
            "Unset HF_HUB_OFFLINE, or choose a folder that has the model.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(
            ErrorCode.DISK_FULL,
            f"The disk was full while {entry.model_id} was downloaded.",
            f"Free {entry.download_bytes / 1e9:.1f} GB and try again.",
        )
    if isinstance(error, LocalEntryNotFoundError):
        trouble, hint = "The hub cannot be reached", f"Check the connection. {by_hand}"
    elif isinstance(error, GatedRepoError):
        trouble, hint = "The hub asks for an agreement", f"Accept it on the model's page. {by_hand}"
    elif isinstance(error, RepositoryNotFoundError) or _get_status(error) in _NO_ACCESS:
        # the hub answers 401 for what is private and for what does not exist
        trouble, hint = "The hub does not give access", f"Check HF_ENDPOINT and HF_TOKEN. {by_hand}"
    elif isinstance(error, EntryNotFoundError):
        trouble, hint = "The hub has no such file", f"Check HF_ENDPOINT. {by_hand}"
    elif _get_status(error):
        trouble = f"The hub answered with status {_get_status(error)}"
        hint = f"Try again later. {by_hand}"
    else:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        trouble, hint = f"The download broke off ({reason[0]})", f"Try again. {by_hand}"
    return EngineError(
        ErrorCode.DOWNLOAD_FAILED, f"{trouble}: {entry.repository}, {entry.model_id}.", hint
    )


def _get_status(error: Exception) -> int:
    """Return the status code of an answer of the hub, 0 for other errors."""
    has_answer = isinstance(error, HfHubHTTPError) and error.response is not None
    return error.response.status_code if has_answer else 0
