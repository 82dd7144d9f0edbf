# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the results folder of a reconstruction.

Runs in Blender.
"""

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Operator

from ..da3_blender.client.session import current_job
from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root, locate_result


class DA3_OT_open_result(Operator):
    """Show the results folder in the system's file manager."""

    bl_idname = names.OP_OPEN_RESULT
    bl_label = "Open Results Folder"
    bl_description = "Show the results folder, with its photos, arrays and log"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    folder: StringProperty(
        name="Results Folder",
        description="Folder to open; empty is that of the last run",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )

    def execute(self, context: Context) -> set[str]:
        """Open the folder."""
        job = current_job()
        last = job.summary["folder"] if job is not None and job.summary else ""
        folder = bpy.path.abspath(self.folder) or last
        root = find_root(context)
        if root is not None and self.folder == root.get(names.PROP_RESULT):
            folder = str(locate_result(root))
        if not folder or not Path(folder).is_dir():
            self.report({"ERROR"}, f"There is no results folder {folder}. Run Reconstruct first.")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=folder)
        return {"FINISHED"}
