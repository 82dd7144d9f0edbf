# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer that follows a job and builds its result; it ends with the job.

Runs in Blender's main thread. The timer survives the loading of files, so it remembers the scene
by its session id: another file has no scene of that id, and then nothing is built unasked.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import bpy

from ..da3_blender.client.job import JobState
from ..da3_blender.client.measured_speeds import remember_run
from ..da3_blender.client.session import current_client
from ..da3_blender.contract import names
from ..da3_blender.scene.live_objects import remove_live, show_live
from ..da3_blender.scene.preview_drawing import get_preview, read_preview, show_preview
from .engine_access import TICK_S
from .extension import get_user_folder

if TYPE_CHECKING:
    from bpy.types import Scene

    from ..da3_blender.client.job import Job

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
    job = client.job
    if not job.is_over:
        _look_at_preview(job, scene_uid)
        # The clock in the panel goes on between the engine's messages.
        tag_panels()
        return TICK_S
    if bpy.app.is_job_running("RENDER"):
        return _BUSY_S  # changing data under a render can crash it
    _forget_preview()
    if job.state is not JobState.DONE:
        return None
    build_job(job, scene_uid)
    tag_panels()
    return None


def build_job(job: Job, scene_uid: int) -> bool:
    """Remember how fast a finished run was, and build its result; see `build_in_scene`."""
    client = current_client()
    device = None if client is None else client.device
    remember_run(job.summary.get("speed"), device, get_user_folder())
    only = "\n".join(job.settings.only_views) if job.settings is not None else ""
    return build_in_scene(job.summary["folder"], scene_uid, only)


def _look_at_preview(job: Job, scene_uid: int) -> None:
    """Draw what the run has found, if that is new; chunks of a long run become objects."""
    found = job.found
    if found is None or _Seen.found is found:
        return
    if found.get("live"):
        scene = find_scene(scene_uid)
        if scene is None or bpy.app.is_job_running("RENDER"):
            return  # changing data under a render can crash it
        _Seen.found = found
        if getattr(scene, names.SCENE_SETTINGS).show_chunks:
            show_live(scene, Path(str(found["live"])), "DA3 so far")
            tag_views()
        return
    _Seen.found = found
    preview = read_preview(Path(str(found["file"])))
    if preview is not None:
        show_preview(preview)
        tag_views()


def _forget_preview() -> None:
    remove_live()
    if get_preview() is not None:
        show_preview(None)
        tag_views()
    _Seen.found = None


class _Seen:
    """The preview that was read last; the module's only state."""

    found: dict[str, Any] | None = None


def build_in_scene(folder: str, scene_uid: int, only: str = "") -> bool:
    """Build a result with one undo step in the scene of this session id.

    Nothing happens when the scene is gone or a window that shows it is not in object mode: the
    panel then offers Build Scene. A failure is shown by the operator.

    Args:
        folder: results folder.
        scene_uid: session id of the scene.
        only: names of the views to update, one a line; "" means all.

    Returns:
        Whether it was built.
    """
    scene = find_scene(scene_uid)
    if scene is None:
        return False
    with bpy.context.temp_override(**_find_place(scene)):
        if bpy.context.mode != "OBJECT":
            return False
        try:
            bpy.ops.da3.build_scene(folder=folder, only=only)
        except RuntimeError as error:
            _log.warning("%s", error)
            return False
    # Operators called from Python make no undo step. Asking them to do so (the second positional
    # argument) crashes 4.5 and 5.2 while the scene is overridden without a window.
    bpy.ops.ed.undo_push(message="Build Scene")
    return True


def find_scene(uid: int) -> Scene | None:
    """Return the scene of a session id, if it is still there."""
    return next((scene for scene in bpy.data.scenes if scene.session_uid == uid), None)


def tag_panels() -> None:
    """Ask for a redraw of the sidebars of all 3D views."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def tag_views() -> None:
    """Ask for a redraw of all 3D views."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


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
