# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of the models when somebody last looked; panels read it, threads fill it.

Runs in Blender.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .model_files import ModelFiles, delete_removed, look_for_models

if TYPE_CHECKING:
    from pathlib import Path


class _Shelf:
    """The answer of the last look; the module's only state. Threads replace it as a whole."""

    files: dict[str, ModelFiles] | None = None
    thread: threading.Thread | None = None
    newest: int = 0


def read_model(model_id: str) -> ModelFiles | None:
    """Return what is known of a model; None before the first look is over."""
    files = _Shelf.files
    return None if files is None else files.get(model_id, ModelFiles())


def is_looking() -> bool:
    """Tell whether a look is in progress."""
    return _Shelf.thread is not None and _Shelf.thread.is_alive()


def begin_look(own: str, cache: Path, extension: Path, removed: Path | None = None) -> None:
    """Look in a thread; returns at once.

    Args:
        own: see `look_for_models`.
        cache: likewise.
        extension: likewise.
        removed: folder from `remove_model` to delete afterwards.
    """
    _Shelf.newest += 1
    number = _Shelf.newest

    def work() -> None:
        files = look_for_models(own, cache, extension)
        if number == _Shelf.newest:  # a later look knows more, even if it was faster
            _Shelf.files = files
        if removed is not None:
            delete_removed(removed)

    thread = threading.Thread(target=work, name="models", daemon=True)
    _Shelf.thread = thread
    thread.start()


def wait_for_look(limit_s: float) -> None:
    """Wait for a look in progress, for scripts and tests."""
    if _Shelf.thread is not None:
        _Shelf.thread.join(limit_s)


def forget() -> None:
    """Know nothing any more, for `unregister()`."""
    _Shelf.newest += 1  # a look in progress no longer counts
    _Shelf.files, _Shelf.thread = None, None
