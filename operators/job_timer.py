# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer that follows a job and builds its result; it ends with the job.

Runs in Blender's main thread. The timer survives the loading of files, so it remembers the scene
by its session id: another file has no scene of that id, and then nothing is built unasked.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Final

import bpy

from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import current_client
from .engine_access import TICK_S

if TYPE_CHECKING:
    from bpy.types import Scene

_log = logging.getLogger(__name__)
_BUSY_S: Final = 1.0


def watch_job(job_id: str, scene: Scene) -> None:
    """Follow a job from now on; when it is done its result is built in this scene."""
    bpy.app.timers.register(
        functools.partial(follow_job, job_id, scene.session_uid),
        first_interval=TICK_S,
        persistent=True,
    )


def follow_job(job_id: str, scene_uid: int) -> float | None:
    """Take in news of the job.

    Args:
        job_id: of the job to follow; the timer ends when it is no longer the present one.
        scene_uid: session id of the scene that began it.

    Returns:
        Seconds to the next call, or None when there is nothing left to do.
    """
    client = current_client()
    if client is None or client.job is None or client.job.id != job_id:
        return None
    if client.tick():
        tag_panels()
    if not client.job.is_over:
        # The clock in the panel goes on between the engine's messages.
        tag_panels()
        return TICK_S
    if client.job.state is not JobState.DONE:
        return None
    if bpy.app.is_job_running("RENDER"):
        return _BUSY_S  # changing data under a render can crash it
    build_in_scene(client.job.summary["folder"], scene_uid)
    tag_panels()
    return None


def build_in_scene(folder: str, scene_uid: int) -> bool:
    """Build a result with one undo step in the scene of this session id.

    Nothing happens when the scene is gone or a window that shows it is not in object mode: the
    panel then offers Build Scene. A failure is shown by the operator.

    Returns:
        Whether it was built.
    """
    scene = next((s for s in bpy.data.scenes if s.session_uid == scene_uid), None)
    if scene is None:
        return False
    with bpy.context.temp_override(**_find_place(scene)):
        if bpy.context.mode != "OBJECT":
            return False
        try:
            bpy.ops.da3.build_scene(folder=folder)
        except RuntimeError as error:
            _log.warning("%s", error)
            return False
    # Operators called from Python make no undo step. Asking them to do so (the second positional
    # argument) crashes 4.5 and 5.2 while the scene is overridden without a window.
    bpy.ops.ed.undo_push(message="Build Scene")
    return True


def tag_panels() -> None:
    """Ask for a redraw of the sidebars of all 3D views."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _find_place(scene: Scene) -> dict[str, Any]:
    """Return the context that operators need: a window with the scene, and its 3D view."""
    windows = bpy.context.window_manager.windows
    window = next((w for w in windows if w.scene == scene), None)
    if window is None:
        return {"scene": scene, "view_layer": scene.view_layers[0]}
    place = {"window": window, "scene": scene, "view_layer": window.view_layer}
    area = next((a for a in window.screen.areas if a.type == "VIEW_3D"), None)
    if area is not None:
        region = next(r for r in area.regions if r.type == "WINDOW")
        place |= {"area": area, "region": region}
    return place
