# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what huggingface_hub raises to a sentence with a remedy.

Runs in the engine.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)

from ..contract.errors import EngineError, ErrorCode
from ..contract.models import format_gigabytes

if TYPE_CHECKING:
    from ..contract.models import ModelEntry

_NO_ACCESS = (401, 403)
_NOT_FOUND = 404


def explain_failure(error: Exception, entry: ModelEntry, *, is_reached: bool) -> EngineError:
    """Return the error to show for a download that failed.

    Args:
        error: from huggingface_hub or the disk.
        entry: the model that was wanted.
        is_reached: whether the hub had answered before.
    """
    if isinstance(error, OfflineModeIsEnabled) or isinstance(error.__cause__, OfflineModeIsEnabled):
        return EngineError(
            ErrorCode.DOWNLOAD_NOT_ALLOWED,
            f"{entry.id} is not on this computer and offline mode is set (HF_HUB_OFFLINE).",
            "Unset HF_HUB_OFFLINE, or choose a folder that has the model.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(
            ErrorCode.DISK_FULL,
            f"The disk was full while {entry.id} was downloaded.",
            f"Free {format_gigabytes(entry.download_bytes)} and try again; what has arrived is "
            "kept and the download goes on from there.",
        )
    trouble, hint = _explain_hub(error, entry, is_reached=is_reached)
    by_hand = f"Or download {entry.page} by hand and choose its folder."
    return EngineError(
        ErrorCode.DOWNLOAD_FAILED,
        f"{trouble}: {entry.repository}, {entry.id}.",
        f"{hint} {by_hand}",
    )


def _explain_hub(error: Exception, entry: ModelEntry, *, is_reached: bool) -> tuple[str, str]:
    """Return what happened and what to do."""
    status = _get_status(error)
    is_absent = isinstance(error, EntryNotFoundError) and not isinstance(
        error, LocalEntryNotFoundError
    )
    mirror = "Check HF_ENDPOINT if it is set."
    access = "Check the access token (HF_TOKEN, or `hf auth login`)"
    if isinstance(error, GatedRepoError):
        trouble = "The hub asks to accept the licence first"
        hint = f"Accept the licence ({entry.licence.title}) at {entry.page}. {access}."
    elif status in _NO_ACCESS:  # the hub answers 401 also for what does not exist
        trouble = f"The hub does not give access (status {status})"
        hint = f"{access}; if {entry.page} asks for it, accept the licence there. {mirror}"
    elif is_absent:
        trouble, hint = "The hub has no such file", mirror
    elif status == _NOT_FOUND:
        trouble, hint = "The hub has no such model", mirror
    elif status:
        trouble, hint = f"The hub answered with status {status}", "Try again later."
    elif not is_reached:
        trouble, hint = "The hub cannot be reached", f"Check connection and proxy. {mirror}"
    else:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        trouble = f"The download broke off ({reason[0]})"
        hint = "Try again; it goes on where it ended."
    return trouble, hint


def _get_status(error: Exception) -> int:
    """Return the status code of an answer of the hub, 0 for other errors."""
    has_answer = isinstance(error, HfHubHTTPError) and error.response is not None
    return error.response.status_code if has_answer else 0
