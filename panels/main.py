# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel: input, what is wanted, the one big button, and what became of it.

Runs in Blender.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.client.job import JobKind, JobState
from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.models import MODELS
from ..da3_blender.contract.quality import QUALITIES
from ..da3_blender.scene.properties import read_failure
from .job_boxes import (
    draw_cancelled,
    draw_download,
    draw_failure,
    draw_progress,
    draw_result,
)
from .model_facts import explain_no_mesh, explain_no_splats, forecast, is_missing
from .photo_box import draw_photo_check, draw_summary
from .setup_box import draw_setup, has_setup_news
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, PropertyGroup, UILayout

    from ..da3_blender.contract.quality import Quality

CATEGORY = "DA3"
_BASE_PACKAGE = __package__.rpartition(".")[0]


class DA3_PT_main(Panel):
    """Input, wishes, Reconstruct, progress, outcome."""

    bl_label = "DA3 Reconstruction"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw(self, context: Context) -> None:
        """Draw from the settings and the job."""
        layout = self.layout
        job = current_job()
        is_running = job is not None and not job.is_over
        if has_setup_news() and not is_running:
            draw_setup(layout, context)
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        column = layout.column()
        column.enabled = not is_running
        _draw_input(column, context, settings)
        if is_running:
            draw_progress(layout, job)
            return
        if settings.input_path:
            _draw_wishes(layout, context, settings)
        row = layout.row()
        row.scale_y = 1.6
        row.operator(names.OP_RECONSTRUCT, icon="OUTLINER_OB_POINTCLOUD")
        _draw_outcome(layout, context)


def _draw_input(layout: UILayout, context: Context, settings: PropertyGroup) -> None:
    row = layout.row(align=True)
    row.prop(settings, "input_path", text="", placeholder="Photos or video")
    row.operator(names.OP_CHOOSE_FOLDER, text="", icon="FILE_FOLDER")
    row.operator(names.OP_CHOOSE_FILES, text="", icon="FILE_IMAGE")
    row.operator(names.OP_USE_CLIP, text="", icon="TRACKER")
    if not settings.input_path:
        draw_wrapped(layout, context, "Choose a folder, or drop photos or a video on the view.")
        return
    draw_summary(layout, settings)
    draw_photo_check(layout, context, settings)


def _draw_wishes(layout: UILayout, context: Context, settings: PropertyGroup) -> None:
    """Show what to make, how fine, and what that will take."""
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    grid.prop(settings, "make_cameras", toggle=True)
    grid.prop(settings, "make_points", toggle=True)
    for name, why_not in (
        ("make_mesh", explain_no_mesh(settings)),
        ("make_splats", explain_no_splats(settings)),
    ):
        cell = grid.row(align=True)
        cell.enabled = not why_not
        cell.prop(settings, name, toggle=True)
    row = layout.row(align=True)
    for quality in QUALITIES:
        is_on = _is_chosen(settings, quality)
        row.operator(names.OP_SET_QUALITY, text=quality.title, depress=is_on).level = quality.id
    if is_missing(settings.model):
        _draw_missing_model(layout, context, settings)
        return
    preferences = context.preferences.addons[_BASE_PACKAGE].preferences
    expected = forecast(settings, preferences.precision)
    if expected is not None:
        icon = "ERROR" if expected.is_too_much else "INFO"
        draw_wrapped(layout, context, expected.text, icon=icon)


def _draw_missing_model(layout: UILayout, context: Context, settings: PropertyGroup) -> None:
    """Tell what happens without the model, and offer it, or the one that needs no download."""
    entry = MODELS[settings.model]
    title = entry.title
    if entry.is_bundled:
        text = f"{title} should have come with the extension: install the extension again."
        draw_wrapped(layout, context, text, icon="ERROR")
        return
    if settings.cameras == "DA3":
        text = f"The model {title} is not here yet."
    else:
        text = f"Without the model {title}, COLMAP finds cameras and a sparse cloud, and no mesh."
    draw_wrapped(layout, context, text, icon="INFO")
    row = layout.row()
    row.operator(
        names.OP_DOWNLOAD_MODEL, text=f"Download {title}", icon="IMPORT"
    ).model = settings.model
    for preview in MODELS.values():
        if preview.is_bundled and not is_missing(preview.id):
            row.prop_enum(settings, "model", preview.id, text=f"Preview with {preview.title}")


def _is_chosen(settings: PropertyGroup, quality: Quality) -> bool:
    return all(getattr(settings, name) == value for name, value in quality.values.items())


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
    elif job.state is JobState.DONE and job.kind is JobKind.FETCH:
        draw_download(layout, job)
    elif job.state is JobState.DONE:
        draw_result(layout, context, job)
