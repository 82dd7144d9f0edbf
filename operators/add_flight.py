# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a camera that flies through a reconstruction.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.flights.timing import FRAMES_PER_SECOND
from ..da3_blender.scene.flight_camera import make_flight
from ..da3_blender.scene.lookup import find_root
from .failures import report_failure


class DA3_OT_add_flight(Operator):
    """Make or update the flight of a reconstruction with the choices of `scene.da3.flight`."""

    bl_idname = names.OP_ADD_FLIGHT
    bl_label = "Camera Flight"
    bl_description = (
        "Make an animated camera that flies through the reconstruction; again: give the same "
        "camera a new way"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction in the scene."""
        if find_root(context) is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Make the camera."""
        settings = getattr(context.scene, names.SCENE_SETTINGS).flight
        try:
            made = make_flight(context, find_root(context), settings)
        except EngineError as error:
            return report_failure(self, context, error)
        for note in made.notes:
            self.report({"WARNING"}, note)
        count = made.last - made.first + 1
        what = "updated" if made.is_update else "made"
        seconds = count / FRAMES_PER_SECOND
        self.report({"INFO"}, f"{made.camera.name} {what}: {count} frames, {seconds:.1f} s")
        return {"FINISHED"}
