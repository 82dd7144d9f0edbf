# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a run and see to it that its result is built.

Runs in Blender's main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..da3_blender.client.job import JobState
from .engine_access import connect, wait_for_job
from .extension import get_preferences
from .failures import report_failure
from .job_timer import build_job, watch_job

if TYPE_CHECKING:
    from bpy.types import Context, Operator

    from ..da3_blender.contract.settings import RunSettings


def run_settings(
    operator: Operator, context: Context, settings: RunSettings, *, waits: bool
) -> set[str]:
    """Start a job; without a window, or on request, wait until its result is built.

    Args:
        operator: to report with.
        context: its scene gets the result.
        settings: of the run.
        waits: return when the scene is built.

    Returns:
        The operator's answer.

    Raises:
        EngineError: the job cannot be started.
    """
    client = connect(bpy.path.abspath(get_preferences(context).engine_python))
    job = client.start_job(settings)
    if not (waits or bpy.app.background):
        watch_job(job.id, context.scene)
        return {"FINISHED"}
    wait_for_job(client, job, lambda _job: None)
    if job.error is not None:
        return report_failure(operator, context, job.error)
    if job.state is JobState.CANCELLED:
        return {"CANCELLED"}
    # The operator that builds has told what went wrong, if something did.
    is_built = build_job(job, context.scene.session_uid)
    return {"FINISHED"} if is_built else {"CANCELLED"}
