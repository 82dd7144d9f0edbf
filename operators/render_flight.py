# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a flight to a video.

Runs in Blender.
"""

from pathlib import Path

import bpy
from bpy.types import Context, Event, Object, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError, ErrorCode
from ..da3_blender.scene import flight_render
from ..da3_blender.scene.flight_before import is_changed
from ..da3_blender.scene.flight_camera import find_flight
from ..da3_blender.scene.lookup import find_root
from .failures import report_failure


class DA3_OT_render_flight(Operator):
    """Run Blender's animation render with the settings of a flight; they are put back then."""

    bl_idname = names.OP_RENDER_FLIGHT
    bl_label = "Render Flight"
    bl_description = (
        "Render the flight to an MP4 video with this scene's render engine. Your own render "
        "settings come back afterwards; Esc stops"
    )
    # No UNDO: when it is over nothing in the scene is different.
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a flight, and no other render."""
        root = find_root(context)
        if root is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        if find_flight(root) is None:
            cls.poll_message_set("Add a camera flight first")
            return False
        if bpy.app.is_job_running("RENDER") or is_changed(context.scene):
            cls.poll_message_set("Blender is rendering; wait, or stop it with Esc")
            return False
        return True

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask before a video is replaced, then render in a window with progress."""
        settings = getattr(context.scene, names.SCENE_SETTINGS).flight
        path = flight_render.choose_file(find_root(context), settings)
        if path.exists():
            return context.window_manager.invoke_confirm(
                self, event, title="Replace Video", message=str(path), confirm_text="Replace"
            )
        return self.execute(context)

    def execute(self, context: Context) -> set[str]:
        """Set up the scene and start."""
        scene = context.scene
        root = find_root(context)
        flight = find_flight(root, context.active_object)
        settings = getattr(scene, names.SCENE_SETTINGS).flight
        try:
            path = flight_render.prepare(scene, root, flight, settings)
        except EngineError as error:
            return report_failure(self, context, error)
        if scene.render.engine == "BLENDER_WORKBENCH":
            self.report(
                {"WARNING"}, "Workbench shows no colours of points; take EEVEE or Cycles for them."
            )
        if bpy.app.background:
            return self._render_now(context, path)
        return self._start(context, flight)

    def _start(self, context: Context, flight: Object) -> set[str]:
        """Start the render as Blender's own button does."""
        try:
            answer = bpy.ops.render.render("INVOKE_DEFAULT", animation=True)
        except RuntimeError as error:
            flight_render.finish(context.scene)
            return report_failure(self, context, _translate(error))
        if "CANCELLED" in answer:
            flight_render.finish(context.scene)
            self.report({"ERROR"}, "Blender did not start the render. Wait for other renders.")
            return {"CANCELLED"}
        flight_render.wait_for_end()
        self.report({"INFO"}, f"Rendering {flight.name}; Esc stops")
        return {"FINISHED"}

    def _render_now(self, context: Context, path: Path) -> set[str]:
        """Render without a window."""
        try:
            bpy.ops.render.render(animation=True)
        except RuntimeError as error:
            flight_render.finish(context.scene)
            return report_failure(self, context, _translate(error))
        is_complete = flight_render.is_complete()
        written = flight_render.finish(context.scene)
        if written is None or not is_complete:
            kept = f" What there is: {written}." if written else ""
            self.report({"ERROR"}, f"The render of {path} was stopped.{kept} Render it again.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Rendered {written}")
        return {"FINISHED"}


def _translate(error: RuntimeError) -> EngineError:
    """Make a sentence with a remedy of what Blender's render says."""
    said = str(error).removeprefix("Error: ").strip()
    return EngineError(
        ErrorCode.OUTPUT_UNWRITABLE,
        f"Blender could not render the flight: {said}",
        "Choose another file or size for the video, or render one picture (F12) to see more.",
    )
