# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set a scene up for computer graphics in the shot of a reconstruction.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.shot_setup import set_up_shot
from ..da3_blender.scene.world_points import leave_edit_mode
from .failures import report_failure
from .world_poll import can_move_world


class DA3_OT_set_up_shot(Operator):
    """Camera, plate, size, frames, shadow catcher, holdout, view layers, compositor."""

    bl_idname = names.OP_SET_UP_SHOT
    bl_label = "Set Up Shot"
    bl_description = (
        "Make the scene ready for computer graphics in this shot: camera, plate, render size and "
        "frames; the real shapes as shadow catcher and holdout; view layers, and a compositor "
        "that lays the render over the plate. Again: set what is there, make nothing twice"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    test_objects: BoolProperty(
        name="Test Objects",
        description="Stand a checker cube and a cone on the floor before the camera",
        default=True,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        return can_move_world(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Set up and tell what was done."""
        leave_edit_mode(context)
        try:
            done = set_up_shot(context, find_root(context), has_test_objects=self.test_objects)
        except EngineError as error:
            return report_failure(self, context, error)
        for note in done.notes:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, done.text)
        return {"FINISHED"}
