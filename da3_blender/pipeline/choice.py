# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides who finds the cameras: a DA3 network where a checkpoint can be had, else COLMAP.

Runs in the engine. The model that comes with the extension is a preview and always at hand, so it
finds cameras only where it was asked to: otherwise it would take COLMAP's place everywhere.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..contract.errors import EngineError, ErrorCode
from ..contract.models import DEFAULT_MODEL, Capability, format_gigabytes, get_model

if TYPE_CHECKING:
    from ..contract.models import ModelEntry
    from ..contract.progress import Progress
    from ..contract.settings import RunSettings

STAGE_DOWNLOAD = "Downloading the model"


class Choice(NamedTuple):
    """Who works: COLMAP, the network, or COLMAP first and the network with its cameras.

    With known cameras nobody looks for any; on a tripod refining alone does.
    """

    use_colmap: bool
    checkpoint: Path | None
    has_known_cameras: bool = False
    is_tripod: bool = False

    @property
    def title(self) -> str:
        """Name of the way, for people."""
        if self.has_known_cameras or self.is_tripod:
            name = "Known cameras" if self.has_known_cameras else "Tripod"
            return name if self.checkpoint is None else f"{name} + DA3"
        if self.checkpoint is None:
            return "COLMAP"
        return "COLMAP + DA3" if self.use_colmap else "DA3"


def choose_solver(settings: RunSettings, progress: Progress) -> Choice:
    """Choose by what the user wants and what is on this machine; download only if allowed.

    Raises:
        EngineError: CHECKPOINT_MISSING where DA3 was asked for or a named file is absent.
    """
    checkpoint = _find_checkpoint(settings, progress)
    entry = get_model(settings.model)
    if settings.known_cameras:
        if checkpoint is None:
            progress.note(
                f"No {settings.model} checkpoint is on this machine and none may be downloaded, so "
                "the known cameras come without depth."
            )
        return Choice(use_colmap=False, checkpoint=checkpoint, has_known_cameras=True)
    if settings.is_tripod:
        if checkpoint is None:
            progress.note(
                f"No {settings.model} checkpoint is on this machine and none may be downloaded, so "
                "there is no depth, and a camera that sways holds less well."
            )
        return Choice(use_colmap=False, checkpoint=checkpoint, is_tripod=True)
    if checkpoint is not None:
        use_colmap = (
            settings.cameras == "COLMAP"
            or not entry.can(Capability.CAMERAS)
            or (settings.cameras == "AUTO" and entry.is_bundled)
        )
        if entry.is_bundled:
            progress.note(_describe_preview(entry, use_colmap=use_colmap))
        return Choice(use_colmap=use_colmap, checkpoint=checkpoint)
    if settings.cameras == "COLMAP":
        return Choice(use_colmap=True, checkpoint=None)
    if settings.cameras == "DA3":
        raise EngineError(
            ErrorCode.CHECKPOINT_MISSING,
            f"The weights of {settings.model} are not on this machine.",
            "Install the extension again, or take the cameras from COLMAP."
            if entry.is_bundled
            else "Allow the download, name a folder that has them, take the cameras from COLMAP, "
            "or try the model that comes with the extension.",
        )
    progress.note(
        f"No {settings.model} checkpoint is on this machine and none may be downloaded: "
        "COLMAP finds the cameras and a sparse cloud."
    )
    return Choice(use_colmap=True, checkpoint=None)


def _describe_preview(entry: ModelEntry, *, use_colmap: bool) -> str:
    """Say what quality to expect of the model that comes with the extension."""
    sentence = f"{entry.title} is a preview, trained on synthetic rooms only: its depth is rough"
    better = get_model(DEFAULT_MODEL).title
    if use_colmap:
        return f"{sentence}. Download {better} for real work."
    return (
        f"{sentence}, and its cameras are little more than a guess. Take the cameras from COLMAP. "
        f"Download {better} for real work."
    )


def choose_checkpoint(settings: RunSettings, progress: Progress) -> Path:
    """Find the weights for views of a result that exists; COLMAP cannot help there.

    Raises:
        EngineError: CHECKPOINT_MISSING.
    """
    checkpoint = _find_checkpoint(settings, progress)
    if checkpoint is None:
        raise EngineError(
            ErrorCode.CHECKPOINT_MISSING,
            f"The weights of {settings.model} are not on this machine.",
            "Download the model, or choose another one.",
        )
    entry = get_model(settings.model)
    if entry.is_bundled:
        progress.note(_describe_preview(entry, use_colmap=True))
    return checkpoint


def _find_checkpoint(settings: RunSettings, progress: Progress) -> Path | None:
    if not settings.checkpoint and importlib.util.find_spec("torch") is None:
        return None  # an engine without networks still runs COLMAP
    from ..inference.model_store import find_local_checkpoint

    named = Path(settings.checkpoint) if settings.checkpoint else None
    found = find_local_checkpoint(settings.model, named)
    if found is not None:
        return found
    if named is not None and not named.is_dir():  # a folder may just not have this model yet
        raise EngineError(
            ErrorCode.CHECKPOINT_MISSING,
            f"There are no weights of {settings.model} at {named}.",
            "Choose the model.safetensors file or the folder that holds it.",
        )
    if not settings.may_download or settings.cameras == "COLMAP":
        return None
    entry = get_model(settings.model)
    if entry.is_bundled:
        return None
    if not entry.is_commercial_use_allowed:
        progress.note(f"{entry.title} is licensed {entry.licence.title}. {entry.licence.sentence}")
    return fetch_checkpoint(entry.id, progress, named)


def fetch_checkpoint(model_id: str, progress: Progress, folder: Path | None = None) -> Path:
    """Download a model's weights as a stage of a job, or find them in the cache.

    Args:
        model_id: one of `contract.models.MODELS`.
        progress: has STAGE_DOWNLOAD in its plan.
        folder: used as the cache; None is the usual one.

    Raises:
        EngineError: no route, no access, no space, damaged.
        CancelledError: the user cancelled; what has arrived is kept for the next time.
    """
    from ..inference.model_store import download_checkpoint

    def tell(done_bytes: int, total_bytes: int) -> None:
        detail = f"{title}, {format_gigabytes(done_bytes)} of {format_gigabytes(total_bytes)}"
        progress.report(done_bytes / max(total_bytes, 1), detail)

    title = get_model(model_id).title
    progress.begin(STAGE_DOWNLOAD, title)
    return download_checkpoint(model_id, tell, progress.is_cancelled, folder)
