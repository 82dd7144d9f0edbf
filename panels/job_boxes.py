# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes of the main panel: a run in progress, a failure, a result.

Runs in Blender, while a panel is drawn: reads the job, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..da3_blender.client.job import JobState
from ..da3_blender.contract import names
from ..da3_blender.contract.models import get_model
from .status import describe_seconds, find_remedy
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

    from ..da3_blender.client.job import Job
    from ..da3_blender.contract.errors import EngineError

_MOST_NOTES = 6


def draw_progress(layout: UILayout, job: Job) -> None:
    """Show stage, share, time left and what is found, with buttons to keep it or to cancel."""
    box = layout.box()
    row = box.row(align=True)
    words = {JobState.STARTING: "Starting the engine", JobState.CANCELLING: "Cancelling"}
    stage = words.get(job.state) or job.stage or "Working"
    if job.is_finishing and job.state is JobState.RUNNING:
        stage = "Keeping what is found"
    row.progress(factor=job.fraction, text=f"{stage}  {job.fraction:.0%}", type="BAR")
    row.operator(names.OP_CANCEL, text="", icon="X")
    row = box.row()
    row.label(text=job.detail or " ")
    right = row.row()
    right.alignment = "RIGHT"
    if job.remaining_s is not None and job.state is JobState.RUNNING:
        right.label(text=f"{describe_seconds(job.remaining_s)} left")
    else:
        right.label(text=describe_seconds(job.elapsed_s()))
    if job.found is not None:
        _draw_found(box, job)


def _draw_found(box: UILayout, job: Job) -> None:
    found = job.found or {}
    cameras, views, points = (found.get(name) or 0 for name in ("cameras", "views", "points"))
    column = box.column(align=True)
    column.label(text=f"{cameras} of {views} cameras, {points:,} points", icon="VIEW_CAMERA")
    drift, loops = found.get("drift"), found.get("loops") or 0
    if drift is not None:
        column.label(text=f"Last seam {drift:.1%} of the depth off", icon="SNAP_EDGE")
    if loops:
        again = "place" if loops == 1 else "places"
        column.label(text=f"{loops} {again} seen again", icon="LOOP_BACK")
    if job.can_finish:
        column.operator(names.OP_FINISH, icon="CHECKMARK")


def draw_failure(layout: UILayout, context: Context, error: EngineError) -> None:
    """Show what happened, what to do, and the button that does it."""
    box = layout.box()
    row = box.row()
    row.alert = True
    row.label(text="That did not work", icon="ERROR")
    row.operator(names.OP_DISMISS, text="", icon="X", emboss=False)
    draw_wrapped(box, context, error.message)
    draw_wrapped(box, context, error.hint, icon="INFO")
    remedy = find_remedy(error.code)
    row = box.row(align=True)
    if remedy is not None:
        row.operator(remedy.operator, text=remedy.label)
    row.operator(names.OP_COPY_REPORT, icon="COPYDOWN")


def draw_cancelled(layout: UILayout, context: Context, job: Job) -> None:
    """Say that a run was cancelled."""
    box = layout.box()
    row = box.row()
    row.label(text=f"Cancelled after {describe_seconds(job.elapsed_s())}", icon="CANCEL")
    row.operator(names.OP_DISMISS, text="", icon="X", emboss=False)
    for note in job.notes[-1:]:
        draw_wrapped(box, context, note)


def draw_download(layout: UILayout, job: Job) -> None:
    """Say that a model is here."""
    row = layout.box().row()
    row.label(text=f"{get_model(job.model).title} is downloaded", icon="CHECKMARK")
    row.operator(names.OP_DISMISS, text="", icon="X", emboss=False)


def draw_result(layout: UILayout, context: Context, job: Job) -> None:
    """Tell how the run went; where its result is not built yet, also what it is."""
    summary = job.summary or {}
    folder = str(summary.get("folder", ""))
    box = layout.box()
    row = box.row()
    time = describe_seconds(job.elapsed_s())
    row.label(text=f"{_describe_cameras(summary)}, {time}", icon="CHECKMARK")
    row.operator(names.OP_DISMISS, text="", icon="X", emboss=False)
    for note in job.notes[:_MOST_NOTES]:
        draw_wrapped(box, context, note, icon="INFO")
    if len(job.notes) > _MOST_NOTES:
        box.label(text=f"{len(job.notes) - _MOST_NOTES} more notes are in the report")
    if is_built(folder):  # the panel Result has the rest
        box.operator(names.OP_COPY_REPORT, icon="COPYDOWN")
        return
    points = summary.get("points")
    if isinstance(points, int):
        box.label(text=f"{points:,} points by {summary.get('solver') or 'the engine'}")
    box.operator(names.OP_BUILD_SCENE, icon="IMPORT").folder = folder
    row = box.row(align=True)
    row.operator(names.OP_OPEN_RESULT, text="Folder", icon="FILE_FOLDER").folder = folder
    row.operator(names.OP_COPY_REPORT, text="Report", icon="COPYDOWN")


def is_built(folder: str) -> bool:
    """Tell whether a results folder has a root in this file."""
    return any(
        ob.type == "EMPTY" and ob.get(names.PROP_RESULT) == folder for ob in bpy.data.objects
    )


def _describe_cameras(summary: dict[str, Any]) -> str:
    cameras, views = summary.get("cameras"), summary.get("views")
    if not isinstance(cameras, int):
        return "Done"
    if isinstance(views, int) and views > cameras:
        return f"{cameras} of {views} cameras found"
    return f"{cameras} cameras found"
