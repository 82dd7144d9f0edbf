# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the engine write what only it can: layers, ST-maps, plates without distortion, a report.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import functools
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import current_client, current_job
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.export_request import ExportRequest
from ..da3_blender.scene.lookup import find_root, locate_result
from ..da3_blender.scene.properties import clear_failure
from .dismiss import dismiss_outcome
from .engine_access import TICK_S, connect, wait_for_job
from .extension import get_preferences
from .failures import report_failure
from .job_timer import tag_panels

_FORMATS = (
    ("REPORT", "Report", "Errors, focal lengths and doubtful frames as one HTML page"),
    ("ST_MAPS", "ST-Maps", "EXR maps that take the lens distortion out and put it in again"),
    ("UNDISTORTED", "Plate without Distortion", "Pictures that fit the cameras of the scene"),
    ("UNDISTORTED_OVERSCAN", "Plate with Overscan", "The same with nothing cut, and its cameras"),
    ("LAYERS", "Layers", "EXR with depth, position, normal, confidence and sky over the plate"),
    ("LAYERS_UNDISTORTED", "Layers without Distortion", "The same over the undistorted plate"),
    ("COLMAP", "COLMAP Project", "Model with lens, tracks and pictures, in the result's world"),
    ("NPZ", "Arrays", "All arrays of the result for scripts (.npz)"),
)


class DA3_OT_export_result(Operator):
    """Start an export in the engine and return at once."""

    bl_idname = names.OP_EXPORT_RESULT
    bl_label = "Export Layers and Plates"
    bl_description = (
        "Let the engine write layers, ST-maps, undistorted plates or a report of this "
        "reconstruction; Blender can be used meanwhile"
    )
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder for the files; several formats get one each in it",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    formats: EnumProperty(
        name="Formats",
        description="What to write; hold Shift to choose several",
        items=_FORMATS,
        options={"ENUM_FLAG"},
        default={"REPORT"},
    )
    wait: BoolProperty(
        name="Wait",
        description="Return when all is written; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction, and no run in progress."""
        if find_root(context) is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        job = current_job()
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the browser beside the .blend file."""
        if not self.directory and bpy.data.filepath:
            self.directory = str(Path(bpy.data.filepath).parent)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, _context: Context) -> None:
        """Show the formats."""
        self.layout.column().prop(self, "formats")

    def execute(self, context: Context) -> set[str]:
        """Start the export; without a window, wait for it."""
        clear_failure(context.window_manager)
        if not self.directory:
            self.report({"ERROR"}, "No folder was chosen. Choose a folder for the files.")
            return {"CANCELLED"}
        formats = tuple(
            key.lower().replace("_", "-") for key, *_ in _FORMATS if key in self.formats
        )
        folder = locate_result(find_root(context))
        request = ExportRequest(str(folder), bpy.path.abspath(self.directory), formats)
        try:
            client = connect(bpy.path.abspath(get_preferences(context).engine_python))
            job = client.start_export(request)
        except EngineError as error:
            return report_failure(self, context, error)
        if not (self.wait or bpy.app.background):
            bpy.app.timers.register(
                functools.partial(follow_export, job.id), first_interval=TICK_S, persistent=True
            )
            return {"FINISHED"}
        wait_for_job(client, job, lambda _job: None)
        if job.error is not None:
            return report_failure(self, context, job.error)
        dismiss_outcome(context)
        self.report({"INFO"}, f"Written to {request.out}")
        return {"FINISHED" if job.state is JobState.DONE else "CANCELLED"}


def follow_export(job_id: str) -> float | None:
    """Take in news of an export, as a timer; a failure stays on the panel.

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
    if client.job.state is JobState.DONE:
        dismiss_outcome(bpy.context)
    return None
