# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in the panel and in the preferences: what there is, what is being done, buttons.

Runs in Blender, while something is drawn: reads what the client knows, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..da3_blender.client.engine_setup import current_setup, current_status
from ..da3_blender.client.engine_status import EngineCondition
from ..da3_blender.client.job import JobState
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import ErrorCode
from ..da3_blender.contract.setup_request import INSTALL, REMOVE
from .status import describe_seconds
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

    from ..da3_blender.client.engine_status import EngineStatus
    from ..da3_blender.client.setup_job import SetupJob

_SHORTEST_GUESS_S: Final = 5.0  # guesses below jump about


def has_setup_news() -> bool:
    """Tell whether `draw_setup` has something to show: a set-up, its end, or no engine."""
    job, status = current_setup(), current_status()
    if job is not None and not job.is_dismissed:
        return True
    return status is not None and (
        not status.is_ready or status.condition is EngineCondition.OUTDATED
    )


def draw_setup(layout: UILayout, context: Context) -> None:
    """Show what the engine lacks, how far a set-up is or how it ended; nothing if all is well."""
    job, status = current_setup(), current_status()
    if job is not None and not job.is_over:
        _draw_progress(layout, job)
        return
    if job is not None and not job.is_dismissed:
        _draw_end(layout, context, job)
        if job.state is JobState.FAILED:
            return
    if status is not None:
        _draw_condition(layout, context, status)


def draw_upkeep(layout: UILayout) -> None:
    """Show what the engine is made of, and buttons to check, repair and remove it."""
    status = current_status()
    if status is None or status.condition is EngineCondition.OWN:
        return
    stamp = status.stamp
    if stamp is not None:
        size = _describe_bytes(stamp.installed_bytes)
        where = stamp.device_name or stamp.device
        layout.label(text=f"torch {stamp.torch}, Python {stamp.python}, {size}; {where}")
    row = layout.row(align=True)
    row.enabled = status.condition is not EngineCondition.MISSING
    row.operator(names.OP_CHECK_ENGINE, icon="CHECKMARK")
    row.operator(names.OP_REPAIR_ENGINE, icon="TOOL_SETTINGS")
    row.operator(names.OP_REMOVE_ENGINE, icon="TRASH")


def _draw_progress(layout: UILayout, job: SetupJob) -> None:
    box = layout.box()
    row = box.row(align=True)
    words = {JobState.STARTING: "Starting", JobState.CANCELLING: "Stopping"}
    stage = words.get(job.state) or job.stage or "Working"
    row.progress(factor=job.fraction, text=f"{stage}  {job.fraction:.0%}", type="BAR")
    row.operator(names.OP_CANCEL_SETUP, text="", icon="X")
    row = box.row()
    row.label(text=job.detail or " ")
    right = row.row()
    right.alignment = "RIGHT"
    if job.remaining_s is not None and job.remaining_s >= _SHORTEST_GUESS_S:
        right.label(text=f"{describe_seconds(job.remaining_s)} left")


def _draw_end(layout: UILayout, context: Context, job: SetupJob) -> None:
    box = layout.box()
    row = box.row()
    if job.state is JobState.FAILED and job.error is not None:
        row.alert = True
        row.label(text=f"{job.words} did not work", icon="ERROR")
        row.operator(names.OP_DISMISS_SETUP, text="", icon="X", emboss=False)
        draw_wrapped(box, context, job.error.message)
        draw_wrapped(box, context, job.error.hint, icon="INFO")
        _draw_remedies(box, job)
        return
    if job.state is JobState.CANCELLED:
        row.label(text=f"{job.words} was stopped", icon="CANCEL")
        row.operator(names.OP_DISMISS_SETUP, text="", icon="X", emboss=False)
        return
    done = "The engine was removed" if job.request.action == REMOVE else "The engine works"
    row.label(text=done, icon="CHECKMARK")
    row.operator(names.OP_DISMISS_SETUP, text="", icon="X", emboss=False)
    for line in job.findings:
        draw_wrapped(box, context, line)
    for note in job.notes:
        draw_wrapped(box, context, note, icon="INFO")


def _draw_remedies(box: UILayout, job: SetupJob) -> None:
    row = box.row(align=True)
    code = job.error.code if job.error else None
    if code is ErrorCode.DOWNLOAD_NOT_ALLOWED:
        row.operator("screen.userpref_show", text="Online Access").section = "SYSTEM"
    elif code is ErrorCode.ENGINE_BROKEN and job.request.action != INSTALL:
        row.operator(names.OP_REPAIR_ENGINE)
    else:
        again = {
            "repair": names.OP_REPAIR_ENGINE,
            "check": names.OP_CHECK_ENGINE,
            "remove": names.OP_REMOVE_ENGINE,
        }
        row.operator(again.get(job.request.action, names.OP_INSTALL_ENGINE), text="Try Again")
    row.operator(names.OP_OPEN_PREFERENCES, text="Preferences")
    box.operator(names.OP_COPY_REPORT, icon="COPYDOWN")


def _draw_condition(layout: UILayout, context: Context, status: EngineStatus) -> None:
    condition = status.condition
    if condition is EngineCondition.OUTDATED:
        box = layout.box()
        draw_wrapped(box, context, "New libraries for the engine belong to this version.", "INFO")
        box.operator(names.OP_INSTALL_ENGINE, text="Update Engine", icon="IMPORT")
        return
    if status.is_ready:
        return
    box = layout.box()
    if condition is EngineCondition.BROKEN:
        row = box.row()
        row.alert = True
        row.label(text="The engine cannot be used", icon="ERROR")
        draw_wrapped(box, context, status.trouble)
        box.operator(names.OP_REPAIR_ENGINE, icon="TOOL_SETTINGS")
        return
    text = "One step is left: the engine, which does the computing beside Blender."
    button = "Set Up"
    if condition is EngineCondition.UNFINISHED:
        kept = (
            f" {_describe_bytes(status.kept_bytes)} are here already." if status.kept_bytes else ""
        )
        text = f"The set-up of the engine is not finished.{kept}"
        button = "Continue Set-up"
    draw_wrapped(box, context, text)
    row = box.row()
    row.scale_y = 1.6
    row.operator(names.OP_INSTALL_ENGINE, text=button, icon="IMPORT")


def _describe_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"  # noqa: PLR2004
