# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look through a camera of a reconstruction.

Runs in Blender.
"""

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Object, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.render_setup import match_render_to_camera
from .failures import report_failure


class DA3_OT_look_through(Operator):
    """Make a camera active with the render size and pixel aspect of its photo."""

    bl_idname = names.OP_LOOK_THROUGH
    bl_label = "Look Through"
    bl_description = "View and render through this camera, at the size of its photo"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    camera: StringProperty(
        name="Camera",
        description="Name of the camera object; empty is the active object",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a camera: the active object, or the scene's."""
        if _find_default(context) is None:
            cls.poll_message_set("Select a camera of a reconstruction")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Set scene and view."""
        camera = bpy.data.objects.get(self.camera) if self.camera else _find_default(context)
        if camera is None:
            self.report({"ERROR"}, f"There is no object {self.camera}. Choose another camera.")
            return {"CANCELLED"}
        try:
            match_render_to_camera(context.scene, camera)
        except EngineError as error:
            return report_failure(self, context, error)
        if context.area is not None and context.area.type == "VIEW_3D":
            context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


def _find_default(context: Context) -> Object | None:
    """Return the active object or the scene's camera, whichever is a camera of ours first."""
    for ob in (context.active_object, context.scene.camera):
        if ob is not None and ob.get(names.PROP_ROLE) == names.ROLE_CAMERA:
            return ob
    return None
