# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The child process that runs COLMAP: reads commands from stdin, answers on stdout.

Runs in a process of its own, started by `colmap_process` with `python -P -s -u -m`. One JSON
object per line, as in `contract.protocol`; a failure ends the process with a traceback on stderr.
When stdin ends, the parent is gone or does not want the answer: the process ends at once.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pycolmap

from ..contract.protocol import decode, encode
from .database import write_database
from .features import extract_features, save_features
from .mapping import map_cameras, save_model
from .matching import match_photos
from .refine_start import RefineStart
from .refined_files import save_refined
from .refining import refine
from .tracks import read_tracks
from .work_folder import WorkFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_WARNING: Final = 1  # glog's level


def main() -> None:
    """Serve commands until stdin ends."""
    # COLMAP may write to file descriptor 1; the answers get a pipe of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)
    pycolmap.logging.logtostderr = True
    pycolmap.logging.minloglevel = _WARNING
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, inbox), daemon=True).start()
    while True:
        command = inbox.get()
        _COMMANDS[command["type"]](command, answers)


def _read(stream: TextIO, inbox: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in stream:
        inbox.put(decode(line))
    os._exit(0)  # a native call may be running: nothing gentler would end it


def _extract(command: dict[str, Any], answers: TextIO) -> None:
    folder, view = WorkFolder(Path(command["folder"])), command["view"]
    image = np.load(folder.pixels(view))
    folder.pixels(view).unlink()
    size = (command["width"], command["height"])
    features = extract_features(
        image, size, command["max_features"], is_sensitive=command["is_sensitive"]
    )
    save_features(folder.features(view), features)
    answers.write(encode("extracted", view=view, count=len(features[0])))


def _match(command: dict[str, Any], answers: TextIO) -> None:
    folder = WorkFolder(Path(command["folder"]))
    write_database(
        folder,
        command["lens_model"],
        command["groups"],
        command["group_of_view"],
        command.get("views"),
    )
    counts = match_photos(
        folder.database,
        is_sequential=command["is_sequential"],
        seed=command["seed"],
        tell=lambda done, total: answers.write(encode("progress", done=done, total=total)),
        pairs=folder.pairs if command.get("has_pairs") else None,
    )
    answers.write(encode("matched", **counts))


def _map(command: dict[str, Any], answers: TextIO) -> None:
    folder, options = WorkFolder(Path(command["folder"])), command["options"]
    total = options["views"]
    model = map_cameras(
        folder,
        options,
        lambda done: answers.write(encode("progress", done=done, total=total)),
        lambda done, found: answers.write(encode("snapshot", placed=done, lenses=found)),
    )
    placed = model.num_reg_images() if model else 0
    is_better = model is not None and placed > options["more_than"]
    lenses = save_model(folder, model) if is_better else []
    answers.write(encode("mapped", placed=placed, lenses=lenses))


def _refine(command: dict[str, Any], answers: TextIO) -> None:
    folder = WorkFolder(Path(command["folder"]))
    start = RefineStart.load(folder.start, command["start"])
    refined = refine(
        read_tracks(folder, start, is_rough=not command["options"]["is_still"]),
        start,
        command["options"],
        lambda done, total: answers.write(encode("progress", done=done, total=total)),
    )
    report = None if refined is None else save_refined(folder, refined, start)
    answers.write(encode("refined", report=report))


_COMMANDS: Final[dict[str, Callable[[dict[str, Any], TextIO], None]]] = {
    "extract": _extract,
    "match": _match,
    "map": _map,
    "refine": _refine,
}


if __name__ == "__main__":
    main()
