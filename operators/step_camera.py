# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look through the next or the previous camera of a reconstruction.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty, IntProperty
from bpy.types import Context, Object, Operator, OperatorProperties

from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root, list_cameras
from ..da3_blender.scene.render_setup import match_render_to_camera


class DA3_OT_step_camera(Operator):
    """Walk through the cameras in the order of the photos."""

    bl_idname = names.OP_STEP_CAMERA
    bl_label = "Step Through Cameras"
    bl_description = "Look through the next camera"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    step: IntProperty(
        name="Step",
        description="Cameras to go on; negative goes back",
        default=1,
        options={"SKIP_SAVE"},
    )
    only_doubtful: BoolProperty(
        name="Only Doubtful",
        description="Stop at cameras only whose view is doubtful",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: Context, properties: OperatorProperties) -> str:
        """Tell the direction."""
        which = "doubtful camera" if properties.only_doubtful else "camera"
        return f"Look through the {'next' if properties.step > 0 else 'previous'} {which}"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction in the scene."""
        if find_root(context) is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Make the neighbour of the scene's camera active."""
        cameras = list_cameras(find_root(context))
        if self.only_doubtful:
            present = context.scene.camera
            cameras = [ob for ob in cameras if ob.get(names.PROP_DOUBT) or ob == present]
        chosen = _choose(cameras, context.scene.camera, self.step)
        if chosen is None:
            self.report({"INFO"}, "There is no other camera to look through.")
            return {"CANCELLED"}
        match_render_to_camera(context.scene, chosen)
        frame = chosen.get(names.PROP_FRAME)
        if isinstance(frame, int):
            context.scene.frame_set(frame)
        if context.area is not None and context.area.type == "VIEW_3D":
            context.space_data.region_3d.view_perspective = "CAMERA"
        why = chosen.get(names.PROP_DOUBT)
        self.report({"INFO"}, f"{chosen.name}: {why}" if why else chosen.name)
        return {"FINISHED"}


def _choose(cameras: list[Object], present: Object | None, step: int) -> Object | None:
    """Return the camera so many places on, around the end; the first one at first."""
    if not cameras:
        return None
    if present not in cameras:
        return cameras[0 if step > 0 else -1]
    chosen = cameras[(cameras.index(present) + step) % len(cameras)]
    return None if chosen == present else chosen
