# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the tracks of a reconstruction into the movie clip of its plate.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty, IntProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.result_folder import load_result
from ..da3_blender.scene.clip_tracks import write_clip_tracks
from ..da3_blender.scene.lookup import find_root, locate_result
from .failures import report_failure


class DA3_OT_tracks_to_clip(Operator):
    """Fill a movie clip with tracks and lens; solve it if wished."""

    bl_idname = names.OP_TRACKS_TO_CLIP
    bl_label = "Tracks to Movie Clip"
    bl_description = (
        "Write the best tracks and the lens into the movie clip of the plate, so that Blender's "
        "own tracker can show, edit and solve them"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    count: IntProperty(
        name="Tracks",
        description="How many tracks are written: the longest, spread over picture and frames",
        default=120,
        min=8,
        soft_max=500,
        max=10_000,
    )
    solve: BoolProperty(
        name="Solve",
        description="Let Blender's own solver find the camera again, to compare the errors",
        default=False,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction."""
        if find_root(context) is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Write them and tell the errors."""
        try:
            result = load_result(locate_result(find_root(context)))
            done = write_clip_tracks(context, result, self.count, solve=self.solve)
        except EngineError as error:
            return report_failure(self, context, error)
        if context.scene.active_clip is None:
            context.scene.active_clip = done.clip
        for note in done.notes:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, done.text)
        return {"FINISHED"}
