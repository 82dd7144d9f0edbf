# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give splats a box outside of which they are hidden.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.splat_crop import add_crop_box
from ..da3_blender.scene.splat_files import is_splats
from ..da3_blender.scene.splat_inputs import find_splat_modifier


class DA3_OT_crop_splats(Operator):
    """Add an empty cube around the active splats; select it."""

    bl_idname = names.OP_CROP_SPLATS
    bl_label = "Crop Box"
    bl_description = "Hide Gaussians outside of a box that you can move, turn and scale"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats with their modifier."""
        ob = context.active_object
        if ob is None or not is_splats(ob) or find_splat_modifier(ob) is None:
            cls.poll_message_set("Select a splat object")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Add the box, or select the one that is there."""
        ob = context.active_object
        box = add_crop_box(context, ob)
        ob.select_set(state=False)
        if box.name in context.view_layer.objects:
            box.select_set(state=True)
            context.view_layer.objects.active = box
        return {"FINISHED"}
