# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models are on this machine: a look at the disk, without the engine.

Runs in Blender, in a thread: folders may lie on a slow network. The places are those that the
engine looks in (`inference/model_store.py`); the cache is that of huggingface_hub.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.models import BUNDLED_FOLDER, MODELS, WEIGHTS_FILE, ModelEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTIAL: Final = ".incomplete"
_LEFT: Final = ".removed"


@dataclass(frozen=True)
class ModelFiles:
    """What there is of one model.

    Attributes:
        path: of the weights; None if they are not here.
        size_bytes: of the weights on the disk.
        partial_bytes: of a download that was stopped and can go on.
        is_in_cache: the cache has files of it, which can be removed.
    """

    path: Path | None = None
    size_bytes: int = 0
    partial_bytes: int = 0
    is_in_cache: bool = False


def find_hub_cache(environment: Mapping[str, str]) -> Path:
    """Return the cache of huggingface_hub, by its documented environment variables."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return Path(environment[name]).expanduser()
    if environment.get("HF_HOME"):
        return Path(environment["HF_HOME"]).expanduser() / "hub"
    if environment.get("XDG_CACHE_HOME"):
        return Path(environment["XDG_CACHE_HOME"]).expanduser() / "huggingface" / "hub"
    return Path.home() / ".cache" / "huggingface" / "hub"


def look_for_models(own: str, cache: Path, extension: Path) -> dict[str, ModelFiles]:
    """Look for every model of the catalogue.

    Args:
        own: folder (or file) of the user's preferences; "" for none.
        cache: from `find_hub_cache`.
        extension: root of the extension, for models that come with it.
    """
    places = [cache]
    if own and Path(own).is_dir():
        places.insert(0, Path(own))
    return {entry.id: _look(entry, own, places, extension) for entry in MODELS.values()}


def remove_model(model_id: str, cache: Path) -> Path | None:
    """Take a model out of a cache; call `delete_removed` in a thread for the rest.

    Only the folder of this very model in the cache is touched; a folder that holds files of the
    user's own is not a cache. It is renamed, which is instant, so that no file is half there.

    Args:
        model_id: one of the keys of `MODELS`.
        cache: from `find_hub_cache`, or a folder of the user's own that is used as a cache.

    Returns:
        The folder to delete; None if there was nothing.

    Raises:
        EngineError: OUTPUT_UNWRITABLE; the disk does not allow it.
    """
    entry = MODELS[model_id]
    if entry.is_bundled:
        return None
    folder = _name_in_cache(entry, cache)
    if not folder.is_dir() or folder.is_symlink():
        return None
    target = cache / f"{_LEFT}-{uuid.uuid4().hex[:8]}"
    try:
        folder.rename(target)
    except OSError as error:
        raise EngineError(
            ErrorCode.OUTPUT_UNWRITABLE,
            f"{entry.title} cannot be removed from {cache} ({error.strerror or error}).",
            "Close other programs that use the model, and try again.",
        ) from error
    return target


def delete_removed(folder: Path) -> None:
    """Delete what `remove_model` returned; links are removed, not followed."""
    shutil.rmtree(folder, ignore_errors=True)
    locks = folder.parent / ".locks"
    with suppress(OSError):  # other models have locks there
        locks.rmdir()


def _look(entry: ModelEntry, own: str, caches: list[Path], extension: Path) -> ModelFiles:
    partial = max((_sum_partial(entry, cache) for cache in caches), default=0)
    is_in_cache = any(_name_in_cache(entry, cache).is_dir() for cache in caches)
    for path in _list_places(entry, own, caches, extension):
        with suppress(OSError):
            return ModelFiles(path, path.stat().st_size, partial, is_in_cache)
    return ModelFiles(None, 0, partial, is_in_cache)


def _list_places(
    entry: ModelEntry, own: str, caches: list[Path], extension: Path
) -> Iterator[Path]:
    if own:
        folder = Path(own)
        if folder.suffix == ".safetensors":
            # A file that the user has named serves whatever model is chosen.
            yield folder
        yield folder / f"{entry.id}.safetensors"
        yield folder / entry.id / WEIGHTS_FILE
        if not entry.is_bundled:
            yield folder / entry.repository.rsplit("/", 1)[1] / WEIGHTS_FILE
            yield folder / entry.repository / WEIGHTS_FILE
            yield folder / WEIGHTS_FILE
    if entry.is_bundled:
        yield extension / "da3_blender" / "inference" / BUNDLED_FOLDER / entry.id / WEIGHTS_FILE
        return
    for cache in caches:
        with suppress(OSError):
            snapshots = _name_in_cache(entry, cache) / "snapshots"
            yield from (folder / WEIGHTS_FILE for folder in sorted(snapshots.iterdir()))


def _name_in_cache(entry: ModelEntry, cache: Path) -> Path:
    return cache / f"models--{entry.repository.replace('/', '--')}"


def _sum_partial(entry: ModelEntry, cache: Path) -> int:
    total = 0
    for folder in (_name_in_cache(entry, cache) / "blobs", *_list_snapshots(entry, cache)):
        with suppress(OSError), os.scandir(folder) as found:
            total += sum(f.stat().st_size for f in found if f.name.endswith(_PARTIAL))
    return total


def _list_snapshots(entry: ModelEntry, cache: Path) -> list[Path]:
    try:
        return list((_name_in_cache(entry, cache) / "snapshots").iterdir())
    except OSError:  # there is none
        return []
