# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the cameras whose views are doubtful.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root, list_cameras


class DA3_OT_select_doubtful(Operator):
    """Select them, so that they can be looked at, run again or deleted."""

    bl_idname = names.OP_SELECT_DOUBTFUL
    bl_label = "Select Doubtful"
    bl_description = (
        "Select the cameras whose view is doubtful: points far off, unsure depth, few matches"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction, in object mode."""
        if context.mode != "OBJECT" or find_root(context) is None:
            cls.poll_message_set("Needs a reconstruction in this scene, and object mode")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Select exactly these."""
        layer = context.view_layer
        doubtful = [
            ob
            for ob in list_cameras(find_root(context))
            if ob.get(names.PROP_DOUBT) and ob.name in layer.objects
        ]
        for ob in list(layer.objects.selected):
            ob.select_set(state=False, view_layer=layer)
        for ob in doubtful:
            ob.hide_set(False, view_layer=layer)  # noqa: FBT003 - Blender's way
            ob.select_set(state=True, view_layer=layer)
        if doubtful:
            layer.objects.active = doubtful[0]
        self.report({"INFO"}, f"{len(doubtful)} cameras are doubtful.")
        return {"FINISHED"}
