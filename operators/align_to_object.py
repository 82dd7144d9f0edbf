# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Align a reconstruction by cameras of it to other objects.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.matched_cameras import align_to_objects
from .failures import report_failure
from .world_poll import can_move_world


class DA3_OT_align_to_object(Operator):
    """Move the root so that its selected cameras coincide with the other selected objects."""

    bl_idname = names.OP_ALIGN_TO_OBJECT
    bl_label = "Align to Object"
    bl_description = (
        "Select a camera of the reconstruction and a camera or object outside of it: the "
        "reconstruction moves so that both coincide. Several pairs, or a moving camera, set the "
        "scale too"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    with_scale: BoolProperty(
        name="Scale",
        description="Scale the reconstruction too, where two or more pairs tell how much",
        default=True,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction, in Object Mode."""
        if not can_move_world(cls, context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Align and tell how well it fits."""
        try:
            done = align_to_objects(context, find_root(context), with_scale=self.with_scale)
        except EngineError as error:
            return report_failure(self, context, error)
        self.report({"INFO"}, done.text)
        return {"FINISHED"}
