# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a Blender mask as pictures, and take them as the masks of the next run.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

import bpy
from bpy.props import IntProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.mask_pictures import write_mask
from ..da3_blender.scene.settings_from_scene import choose_masks_folder
from .extension import get_user_folder
from .use_clip import find_active_clip


class DA3_OT_write_mask(Operator):
    """Draw a mask of the Mask editor frame by frame into a folder."""

    bl_idname = names.OP_WRITE_MASK
    bl_label = "Use Blender Mask"
    bl_description = (
        "Write a mask of this file as pictures and leave out what is inside: it makes no points "
        "and joins no views"
    )
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender wants a set

    mask: StringProperty(
        name="Mask",
        description="Name of the mask; empty is the first one",
        options={"SKIP_SAVE"},
    )
    frame_start: IntProperty(name="First Frame", description="First frame to write", default=1)
    frame_end: IntProperty(name="Last Frame", description="Last frame to write", default=250)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a mask and something that it belongs to."""
        if not bpy.data.masks:
            cls.poll_message_set("There is no mask in this file: draw one in the Mask editor")
            return False
        return context.scene is not None

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask which mask and which frames."""
        scene = context.scene
        self.mask = self.mask or bpy.data.masks[0].name
        self.frame_start, self.frame_end = scene.frame_start, scene.frame_end
        return context.window_manager.invoke_props_dialog(self, confirm_text="Write")

    def draw(self, _context: Context) -> None:
        """Show mask and frames."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop_search(self, "mask", bpy.data, "masks")
        layout.prop(self, "frame_start")
        layout.prop(self, "frame_end")

    def execute(self, context: Context) -> set[str]:
        """Write the pictures, and set the folder."""
        mask = bpy.data.masks.get(self.mask or bpy.data.masks[0].name)
        if mask is None or self.frame_end < self.frame_start:
            self.report({"ERROR"}, "Choose a mask, and a last frame after the first.")
            return {"CANCELLED"}
        clip = find_active_clip(context)
        render = context.scene.render
        size = tuple(clip.size) if clip is not None else (render.resolution_x, render.resolution_y)
        folder = choose_masks_folder(context.scene, get_user_folder(), mask.name)
        frames = range(self.frame_start, self.frame_end + 1)
        manager = context.window_manager
        manager.progress_begin(0, len(frames))
        try:
            for count, _path in enumerate(write_mask(mask, folder, frames, size)):
                manager.progress_update(count + 1)
        except (OSError, RuntimeError) as error:
            self.report({"ERROR"}, f"The mask cannot be written to {folder}: {error}")
            return {"CANCELLED"}
        finally:
            manager.progress_end()
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        settings.masks, settings.masks_inverted = str(folder), True
        self.report({"INFO"}, f"{len(frames)} pictures of {mask.name} are in {folder}.")
        return {"FINISHED"}
