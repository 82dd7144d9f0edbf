# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that begin from a result: some views again, its cameras refined, or only a new cloud.

Runs in the engine.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.names import LOG_FILE
from ..contract.protocol import VERSION
from ..contract.result_folder import load_result
from ..media import open_source
from .choice import choose_checkpoint
from .doubt import find_doubt
from .refine_run import list_refine_stages, refine_outcome
from .rerun import rerun_views
from .result_writing import make_manifest, summarise, write_outcome
from .reuse import (
    REFINING,
    RENEWED,
    Earlier,
    carry_files,
    describe_result,
    drop_splats,
    find_in_source,
    rebuild_cloud,
)
from .run_log import log_to
from .stages import STAGE_CLOUD, STAGE_NETWORK, STAGE_WRITE

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..contract.progress import Progress
    from ..contract.result_folder import ResultWriter
    from ..contract.settings import RunSettings
    from .dense import NetworkKeeper

    OpenResult = Callable[
        [RunSettings, Progress], AbstractContextManager[tuple[ResultWriter, list[str]]]
    ]

_log = logging.getLogger(__name__)


def run_again(
    open_result: OpenResult,
    networks: NetworkKeeper,
    settings: RunSettings,
    progress: Progress,
    began_s: float,
) -> dict[str, Any]:
    """Use a result again: new views, refined cameras, or only a new cloud.

    Args:
        open_result: gives the writer of a result and the notes of the run.
        networks: kept from run to run.
        settings: `reuse` names the result.
        progress: of the run.
        began_s: `time.monotonic` at the beginning.

    Returns:
        A summary for people, as of any run.

    Raises:
        EngineError: with a remedy; nothing of the run is left on the disk.
        CancelledError: the same, by the user's wish.
    """
    earlier = Earlier(load_result(Path(settings.reuse)))
    if settings.refine:
        return _refine_again(open_result, earlier, settings, progress, began_s)
    outcome = earlier.load_outcome()
    with open_result(settings, progress) as (writer, notes):
        with log_to(writer.work / LOG_FILE):
            _log.info("version %s, again %s", VERSION, settings.to_json())
            checkpoint = None
            if settings.only_views:
                checkpoint = choose_checkpoint(settings, progress)
            stages = [(STAGE_NETWORK, 1.0)] if checkpoint is not None else []
            progress.plan([*stages, (STAGE_CLOUD, 0.3), (STAGE_WRITE, 0.05)])
            if checkpoint is not None:
                progress.begin(STAGE_NETWORK)
                network = networks.get(checkpoint, settings, progress)
                outcome = rerun_views(network, earlier, outcome, settings, progress)
                outcome = drop_splats(earlier, outcome, settings, progress)
            progress.begin(STAGE_CLOUD)
            outcome = rebuild_cloud(earlier, outcome, settings, progress)
            progress.begin(STAGE_WRITE)
        carry_files(earlier.result, writer.work)
        write_outcome(outcome, writer)
        doubt = find_doubt(outcome, None)
        writer.finish(describe_result(earlier, outcome, settings, doubt, notes))
    seconds = time.monotonic() - began_s
    return {
        **summarise(outcome, doubt, seconds, notes),
        "folder": str(writer.folder),
        "name": str(earlier.result.manifest.get("name") or writer.folder.name),
        "views": len(outcome.indices),
        "lost": 0,
        "again": list(settings.only_views),
    }


def _refine_again(
    open_result: OpenResult,
    earlier: Earlier,
    settings: RunSettings,
    progress: Progress,
    began_s: float,
) -> dict[str, Any]:
    """Refine the cameras of a result; its world stays."""
    made_with = earlier.load_settings()
    renewed = {name: getattr(settings, name) for name in (*RENEWED, *REFINING)}
    made_with = replace(made_with, output=settings.output, **renewed)
    source = open_source(made_with)
    outcome = earlier.load_outcome().replace(indices=find_in_source(earlier, source))
    with open_result(settings, progress) as (writer, notes):
        with log_to(writer.work / LOG_FILE):
            _log.info("version %s, refine %s", VERSION, made_with.to_json())
            progress.plan([*list_refine_stages(), (STAGE_WRITE, 0.05)])
            carry_files(earlier.result, writer.work)
            outcome = refine_outcome(outcome, source, made_with, writer.work, progress)
            doubt = find_doubt(outcome, outcome.observations)
            progress.begin(STAGE_WRITE)
        write_outcome(outcome, writer)
        seconds = time.monotonic() - began_s
        manifest = make_manifest(outcome, made_with, source, notes, seconds)
        old = earlier.result.manifest
        manifest |= {name: old[name] for name in ("name", "model", "world") if name in old}
        for view, why in zip(manifest["views"], doubt, strict=True):
            view["doubt"] = why
        writer.finish(manifest)
    return {
        **summarise(outcome, doubt, seconds, notes),
        "folder": str(writer.folder),
        "name": str(manifest["name"]),
        "views": len(source.views),
        "lost": len(source.views) - len(outcome.indices),
        "again": list(earlier.names),
    }
