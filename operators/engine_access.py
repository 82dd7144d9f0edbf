# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From preferences and scene to a client and a job; the same for panel and command line.

Runs in Blender.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..da3_blender.client.engine_setup import check_no_setup
from ..da3_blender.client.launch import (
    find_engine_python,
    find_extension_root,
    worker_command,
    worker_environment,
)
from ..da3_blender.client.session import get_client
from .extension import get_engine_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..da3_blender.client.engine import EngineClient
    from ..da3_blender.client.job import Job

TICK_S: Final = 0.2


def connect(engine_python: str) -> EngineClient:
    """Return the client of the engine.

    Args:
        engine_python: from the preferences or the command line; "" takes what Set Up made.

    Raises:
        EngineError: ENGINE_MISSING, ENGINE_BROKEN or BUSY.
    """
    check_no_setup()
    python = find_engine_python(engine_python, get_engine_folder())
    return get_client(worker_command(python), worker_environment(find_extension_root()))


def wait_for_job(client: EngineClient, job: Job, on_change: Callable[[Job], None]) -> None:
    """Block until a job is over, for scripts and the command line.

    Args:
        client: runs the job.
        job: from `start_job`.
        on_change: called whenever the job has changed.
    """
    while not job.is_over:
        if client.tick():
            on_change(job)
        else:
            time.sleep(TICK_S)
