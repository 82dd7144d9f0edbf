# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave the doubtful photos out of the input.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.input_summary import list_photo_names
from ..da3_blender.scene.properties import refresh_summary


class DA3_OT_leave_out(Operator):
    """Choose all photos of the input but the doubtful ones; no file is touched."""

    bl_idname = names.OP_LEAVE_OUT
    bl_label = "Leave Out"
    bl_description = (
        "Use all photos but the doubtful ones. No file is changed: choose the folder again to "
        "have them back"
    )
    bl_options = {"UNDO", "INTERNAL"}  # noqa: RUF012 - Blender wants a set

    photo: StringProperty(
        name="Photo",
        description="Name of one doubtful photo; empty: all of them",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need findings."""
        if not getattr(context.scene, names.SCENE_SETTINGS).findings:
            cls.poll_message_set("No photo is doubtful")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Turn a folder into a list of files, without the doubtful ones."""
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        folder = bpy.path.abspath(settings.input_path)
        chosen = [item.name for item in settings.input_files]
        try:
            present = chosen or list_photo_names(folder)
        except OSError as error:
            self.report({"ERROR"}, f"The folder {folder} cannot be read ({error.strerror}).")
            return {"CANCELLED"}
        out = {self.photo} if self.photo else {item.name for item in settings.findings}
        kept = [name for name in present if name not in out]
        if len(kept) == len(present) or not kept:
            self.report({"ERROR"}, "These photos are not single files of the input.")
            return {"CANCELLED"}
        findings = [
            {"name": f.name, "kind": f.kind, "text": f.text}
            for f in settings.findings
            if f.name not in out
        ]
        size = settings.input_width, settings.input_height
        settings.input_files.clear()
        for name in kept:
            settings.input_files.add().name = name
        refresh_summary(settings)
        self._keep(settings, findings, size)
        count = len(present) - len(kept)
        self.report({"INFO"}, f"{count} photos are left out of {Path(folder).name}.")
        return {"FINISHED"}

    @staticmethod
    def _keep(
        settings: bpy.types.PropertyGroup, findings: list[dict[str, str]], size: tuple[int, int]
    ) -> None:
        """What is known of the photos that stay is still true."""
        for finding in findings:
            item = settings.findings.add()
            item.name, item.kind, item.text = finding["name"], finding["kind"], finding["text"]
        settings.input_width, settings.input_height = size
        settings.is_checked = True
