# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a movie clip of this file as the input.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Event, MovieClip, Operator

from ..da3_blender.contract import names
from .photo_check import welcome_input


class DA3_OT_use_clip(Operator):
    """Set the input to the file or the sequence of a movie clip."""

    bl_idname = names.OP_USE_CLIP
    bl_label = "Use Movie Clip"
    bl_description = "Take the active movie clip as the input: its video, or its numbered frames"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender wants a set

    clip: StringProperty(
        name="Clip",
        description="Name of the movie clip; empty is the active one",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a movie clip."""
        if not bpy.data.movieclips:
            cls.poll_message_set("There is no movie clip in this file: open one in the Clip editor")
            return False
        return context.scene is not None

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Take the only or the active clip, or ask which one."""
        active = find_active_clip(context)
        if active is not None:
            self.clip = active.name
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, confirm_text="Use")

    def draw(self, _context: Context) -> None:
        """Let the user choose among several."""
        self.layout.prop_search(self, "clip", bpy.data, "movieclips")

    def execute(self, context: Context) -> set[str]:
        """Set path and kind of the input."""
        clip = bpy.data.movieclips.get(self.clip) if self.clip else find_active_clip(context)
        if clip is None:
            self.report({"ERROR"}, "Choose a movie clip.")
            return {"CANCELLED"}
        path = Path(bpy.path.abspath(clip.filepath, library=clip.library))
        if not path.is_file():
            self.report({"ERROR"}, f"The file of the clip {clip.name} is gone: {path}")
            return {"CANCELLED"}
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        settings.input_path = str(path)
        settings.input_kind = "SEQUENCE" if clip.source == "SEQUENCE" else "VIDEO"
        if clip.source == "SEQUENCE":
            settings.input_views = clip.frame_duration
            settings.input_summary = f"{clip.frame_duration} frames"
        self.report({"INFO"}, f"Input: {clip.name}, {clip.frame_duration} frames.")
        welcome_input(context)
        return {"FINISHED"}


def find_active_clip(context: Context) -> MovieClip | None:
    """Return the clip of a Clip editor, that of the scene, or the only one there is."""
    screen = context.screen
    for area in screen.areas if screen is not None else ():
        if area.type == "CLIP_EDITOR" and area.spaces.active.clip is not None:
            return area.spaces.active.clip
    if context.scene.active_clip is not None:
        return context.scene.active_clip
    clips = bpy.data.movieclips
    return clips[0] if len(clips) == 1 else None
