# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of this Blender session: the one place that keeps it between calls.

Runs in Blender.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

from ..contract.errors import EngineError, ErrorCode
from .engine import EngineClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .job import Job


class _Session:
    """The running job lives here; it is the module's only state."""

    client: EngineClient | None = None
    is_registered: bool = False


def get_client(command: Sequence[str], environment: dict[str, str]) -> EngineClient:
    """Return the client for this worker; the same one as long as the command is the same.

    Args:
        command: from `launch.worker_command`.
        environment: from `launch.worker_environment`; used when a client is made.

    Raises:
        EngineError: BUSY; another worker is in the middle of a job.
    """
    client = _Session.client
    if client is not None and client.command == list(command):
        return client
    if client is not None and client.job is not None and not client.job.is_over:
        raise EngineError(
            ErrorCode.BUSY,
            f"A run of another engine is in progress ({client.command[0]}).",
            "Wait until it is done, or cancel it.",
        )
    shut_down()
    if not _Session.is_registered:
        atexit.register(shut_down)
        _Session.is_registered = True
    _Session.client = EngineClient(command, environment)
    return _Session.client


def current_client() -> EngineClient | None:
    """Return the client, if one was made: for the timer and the cancel button."""
    return _Session.client


def current_job() -> Job | None:
    """Return the present or last job, or None."""
    return None if _Session.client is None else _Session.client.job


def shut_down() -> None:
    """End the worker, if there is one; for `unregister()` and the end of Blender."""
    if _Session.client is not None:
        _Session.client.shut_down()
        _Session.client = None
