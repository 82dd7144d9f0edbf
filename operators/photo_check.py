# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the engine look at the photos of the input, and keep what it says in the scene.

Runs in Blender's main thread. The timer remembers the scene by its session id.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import bpy

from ..da3_blender.client.engine_setup import current_status
from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import current_client
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.properties import store_check
from ..da3_blender.scene.settings_from_scene import list_inputs, make_run_settings
from .dismiss import dismiss_outcome
from .engine_access import TICK_S, connect, wait_for_job
from .extension import get_preferences, get_user_folder
from .job_timer import tag_panels

if TYPE_CHECKING:
    from bpy.types import Context, Scene

    from ..da3_blender.client.job import Job


def begin_check(context: Context, *, waits: bool = False) -> Job:
    """Start a check of the scene's input; a timer stores its answer.

    Args:
        context: its scene has the input.
        waits: return when the answer is stored.

    Raises:
        EngineError: no engine, no input, or a run in progress.
    """
    scene, preferences = context.scene, get_preferences(context)
    settings = make_run_settings(scene, preferences, get_user_folder())
    # Weights play no part, so a check never asks for them.
    settings = dataclasses.replace(settings, checkpoint="", may_download=False)
    client = connect(bpy.path.abspath(preferences.engine_python))
    job = client.start_check(settings)
    if waits:
        wait_for_job(client, job, lambda _job: None)
        keep_answer(job, scene)
        return job
    bpy.app.timers.register(
        functools.partial(follow_check, job.id, scene.session_uid),
        first_interval=TICK_S,
        persistent=True,
    )
    return job


def welcome_input(context: Context) -> None:
    """Take the last outcome off the panel, and look at the photos.

    They are looked at where that costs the user nothing: an engine is there and idle.
    """
    dismiss_outcome(context)
    status = current_status()
    settings = getattr(context.scene, names.SCENE_SETTINGS)
    if bpy.app.background or status is None or not status.is_ready or not settings.input_views:
        return
    try:
        begin_check(context)
    except EngineError:
        return  # it was not asked for, so nobody waits for it


def follow_check(job_id: str, scene_uid: int) -> float | None:
    """Take in news of a check, as a timer.

    Args:
        job_id: of the check; the timer ends when it is no longer the present one.
        scene_uid: session id of the scene with the input.

    Returns:
        Seconds to the next call, or None when it is over.
    """
    client = current_client()
    if client is None or client.check is None or client.check.id != job_id:
        return None
    client.tick()
    tag_panels()
    if not client.check.is_over:
        return TICK_S
    scene = next((s for s in bpy.data.scenes if s.session_uid == scene_uid), None)
    if scene is not None:
        keep_answer(client.check, scene)
    return None


def keep_answer(job: Job, scene: Scene) -> bool:
    """Store the answer of a check, if the input is still the same."""
    if job.state is not JobState.DONE or job.summary is None or job.settings is None:
        return False
    if list_inputs(scene) != job.settings.inputs:
        return False
    store_check(getattr(scene, names.SCENE_SETTINGS), job.summary)
    return True
