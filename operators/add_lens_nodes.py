# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put nodes that distort and undistort by ST-maps into the compositor.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.lens_nodes import add_lens_nodes
from .failures import report_failure


class DA3_OT_add_lens_nodes(Operator):
    """Make compositor groups of the ST-maps in a folder."""

    bl_idname = names.OP_ADD_LENS_NODES
    bl_label = "Add Lens Nodes"
    bl_description = (
        "Choose the folder of exported ST-maps: the compositor gets one group that takes the lens "
        "distortion out of a plate and one that puts it into a render"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    directory: StringProperty(
        name="Folder",
        description="Folder with undistort.exr and redistort.exr",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Make the groups and say where they are."""
        folder = Path(bpy.path.abspath(self.directory))
        try:
            nodes = add_lens_nodes(context.scene, folder)
        except EngineError as error:
            return report_failure(self, context, error)
        shown = " and ".join(node.label for node in nodes)
        self.report({"INFO"}, f"{shown}: in the compositor, to be connected")
        return {"FINISHED"}
