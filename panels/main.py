# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel: input, the one big button, and what became of it.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.scene.properties import read_failure
from .job_boxes import (
    draw_cancelled,
    draw_download,
    draw_failure,
    draw_progress,
    draw_result,
)

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

CATEGORY = "DA3"


class DA3_PT_main(Panel):
    """Input, Reconstruct, progress, outcome."""

    bl_label = "DA3 Reconstruction"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw(self, context: Context) -> None:
        """Draw from the settings and the job."""
        layout = self.layout
        job = current_job()
        is_running = job is not None and not job.is_over
        column = layout.column()
        column.enabled = not is_running
        _draw_input(column, context)
        if is_running:
            draw_progress(layout, job)
            return
        row = layout.row()
        row.scale_y = 1.6
        row.operator(names.OP_RECONSTRUCT, icon="OUTLINER_OB_POINTCLOUD")
        _draw_outcome(layout, context)


def _draw_input(layout: UILayout, context: Context) -> None:
    settings = getattr(context.scene, names.SCENE_SETTINGS)
    row = layout.row(align=True)
    row.prop(settings, "input_path", text="", placeholder="Photos or video")
    row.operator(names.OP_CHOOSE_FOLDER, text="", icon="FILE_FOLDER")
    row.operator(names.OP_CHOOSE_FILES, text="", icon="FILE_IMAGE")
    if settings.input_summary:
        layout.label(text=settings.input_summary)


def _draw_outcome(layout: UILayout, context: Context) -> None:
    failure = read_failure(context.window_manager)
    job = current_job()
    if failure is not None:
        draw_failure(layout, context, failure)
    notice = getattr(context.window_manager, names.SCENE_SETTINGS)
    if job is None or notice.dismissed_job == job.id:
        return
    if job.state is JobState.FAILED and failure is None and job.error is not None:
        draw_failure(layout, context, job.error)
    elif job.state is JobState.CANCELLED:
        draw_cancelled(layout, context, job)
    elif job.state is JobState.DONE and job.settings is None:
        draw_download(layout, job)
    elif job.state is JobState.DONE:
        draw_result(layout, context, job)
