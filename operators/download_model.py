# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download the weights of a model: shows size and licence, then lets the engine fetch them.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import functools

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Operator, UILayout

from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import current_client, current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError, ErrorCode
from ..da3_blender.contract.models import ModelEntry, check_licence, format_gigabytes, get_model
from ..da3_blender.scene.properties import clear_failure
from .engine_access import TICK_S, connect, wait_for_job
from .extension import get_preferences
from .failures import report_failure
from .job_timer import tag_panels
from .model_access import find_download_folder, look_at_models

_DIALOG_WIDTH_PX = 460


class DA3_OT_download_model(Operator):
    """Ask with the licence, start the download in the engine and return at once."""

    bl_idname = names.OP_DOWNLOAD_MODEL
    bl_label = "Download Model"
    bl_description = (
        "Download the weights of this model from the Hugging Face hub; "
        "shows size and licence and asks first"
    )
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    model: StringProperty(
        name="Model",
        description="Name in the catalogue; empty: that of the scene",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    wait: BoolProperty(
        name="Wait",
        description="Return when the model is here; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need permission to go online, and no run in progress."""
        job = current_job()
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
            return False
        if not bpy.app.online_access:
            cls.poll_message_set("Allow Online Access in Blender's preferences, System, first")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Show what will be downloaded, and ask."""
        try:
            entry = self._choose(context)
        except EngineError as error:
            return report_failure(self, context, error)
        return context.window_manager.invoke_props_dialog(
            self,
            width=_DIALOG_WIDTH_PX,
            title=f"Download {entry.title}",
            confirm_text=f"Download {format_gigabytes(entry.download_bytes)}",
        )

    def draw(self, context: Context) -> None:
        """Show name, size, licence and where to read it."""
        draw_model_facts(self.layout, self._choose(context))

    def execute(self, context: Context) -> set[str]:
        """Start the download; without a window, wait for it."""
        clear_failure(context.window_manager)
        try:
            entry = self._choose(context)
            client = connect(bpy.path.abspath(get_preferences(context).engine_python))
            job = client.start_fetch(entry.id, find_download_folder(context))
        except EngineError as error:
            return report_failure(self, context, error)
        if not (self.wait or bpy.app.background):
            bpy.app.timers.register(
                functools.partial(follow_download, job.id), first_interval=TICK_S, persistent=True
            )
            return {"FINISHED"}
        wait_for_job(client, job, lambda _job: None)
        look_at_models(context)
        if job.error is not None:
            return report_failure(self, context, job.error)
        return {"FINISHED" if job.state is JobState.DONE else "CANCELLED"}

    def _choose(self, context: Context) -> ModelEntry:
        """Return the model that is meant, if it may be downloaded.

        Raises:
            EngineError: no online access, no such model, or a licence that the user excludes.
        """
        if not bpy.app.online_access:
            raise EngineError(
                ErrorCode.DOWNLOAD_NOT_ALLOWED,
                "Blender may not go online.",
                "Allow Online Access in Blender's preferences, System.",
            )
        chosen = self.model or getattr(context.scene, names.SCENE_SETTINGS).model
        check_licence(chosen, commercial_only=get_preferences(context).commercial_only)
        return get_model(chosen)


def draw_model_facts(layout: UILayout, entry: ModelEntry) -> None:
    """Draw what a user has to know before a download.

    Args:
        layout: of a dialog.
        entry: the model.
    """
    licence = entry.licence
    column = layout.column(align=True)
    column.label(text=f"{entry.title}: {entry.purpose}")
    column.label(text=f"{format_gigabytes(entry.download_bytes)} on the disk, {entry.repository}")
    box = layout.box()
    row = box.row()
    row.alert = not licence.is_commercial_use_allowed
    row.label(
        text=f"Licence of the weights: {licence.title}",
        icon="INFO" if licence.is_commercial_use_allowed else "ERROR",
    )
    box.label(text=licence.sentence)
    row = layout.row()
    row.operator("wm.url_open", text="Read the Licence", icon="URL").url = licence.url
    row.operator("wm.url_open", text="Page of the Model", icon="URL").url = entry.page


def follow_download(job_id: str) -> float | None:
    """Take in news of a download, as a timer.

    Args:
        job_id: of the download; the timer ends when it is no longer the present job.

    Returns:
        Seconds to the next call, or None when it is over.
    """
    client = current_client()
    if client is None or client.job is None or client.job.id != job_id:
        return None
    client.tick()
    tag_panels()
    if not client.job.is_over:
        return TICK_S
    look_at_models(bpy.context)
    return None
