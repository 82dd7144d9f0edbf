# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take cameras that one has for the next run.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Object, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.camera_file import CameraFile, write_camera_file
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.scene.clip_lens import has_solution
from ..da3_blender.scene.known_cameras import read_clip_cameras, read_scene_cameras
from .failures import report_failure
from .use_clip import find_active_clip

_SOURCES = (
    (
        "SELECTED",
        "Selected Cameras",
        "Selected cameras, as parents, constraints and keys move them",
    ),
    ("CLIP", "Movie Clip", "The solved camera of the active movie clip, with its lens"),
)


class DA3_OT_use_cameras(Operator):
    """Write cameras of the scene or of a clip into a file, and make it the known cameras."""

    bl_idname = names.OP_USE_CAMERAS
    bl_label = "Use Selected Cameras"
    bl_description = (
        "Take the selected cameras, or the solved camera of a movie clip, as they are for the "
        "next run: it makes depth and points for them. They may come from any importer"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    source: EnumProperty(name="Cameras of", description="Where they come from", items=_SOURCES)
    filepath: StringProperty(
        name="File",
        description="JSON file to write. Empty: beside the .blend, or in the temporary folder "
        "before it is saved",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a camera, or a solved clip."""
        clip = find_active_clip(context)
        if not list_selected(context) and (clip is None or not has_solution(clip)):
            cls.poll_message_set("Select one or more cameras, or solve a movie clip")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Write them and tell how many."""
        clip = find_active_clip(context)
        cameras = list_selected(context)
        note = ""
        try:
            if self.source == "CLIP" and clip is not None:
                found, note = read_clip_cameras(context, clip)
                title = clip.name
            elif cameras:
                found, title = read_scene_cameras(context, cameras), cameras[0].name
            else:
                self.report({"ERROR"}, "There is no such camera. Select one, or open a clip.")
                return {"CANCELLED"}
            path = Path(bpy.path.abspath(self.filepath)) if self.filepath else choose_path(title)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_camera_file(path, found)
        except EngineError as error:
            return report_failure(self, context, error)
        getattr(context.scene, names.SCENE_SETTINGS).known_cameras = str(path)
        if note:
            self.report({"WARNING"}, note)
        self.report({"INFO"}, f"{describe(found)} of {title} for the next run, in {path}")
        return {"FINISHED"}


def list_selected(context: Context) -> list[Object]:
    """Return the selected cameras by name."""
    chosen = [ob for ob in context.selected_objects if ob.type == "CAMERA"]
    return sorted(chosen, key=lambda ob: ob.name)


def choose_path(title: str) -> Path:
    """Return a place for a file of cameras: beside the .blend, or the session's own folder."""
    beside = Path(bpy.data.filepath).parent if bpy.data.filepath else Path(bpy.app.tempdir)
    return beside / f"{bpy.path.clean_name(title)}_cameras.json"


def describe(cameras: CameraFile) -> str:
    """Say how many views there are, and which frames."""
    frames = [view.frame for view in cameras.views if view.frame is not None]
    if len(frames) < len(cameras.views) or len(frames) == 1:
        return f"{len(cameras.views)} camera{'' if len(cameras.views) == 1 else 's'}"
    return f"{len(frames)} frames, {min(frames)} to {max(frames)}"
