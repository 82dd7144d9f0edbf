# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show or hide the cameras, points, meshes or photos of a reconstruction.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import EnumProperty
from bpy.types import Context, Operator, OperatorProperties

from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root, list_parts
from ..da3_blender.scene.visibility import are_photos_shown, are_shown, show_objects, show_photos

_PHOTOS = "photos"
_PARTS = (
    (names.ROLE_CAMERA, "Cameras", "The cameras"),
    (names.ROLE_POINTS, "Points", "The cloud of points"),
    (names.ROLE_SPLATS, "Splats", "The Gaussian splats"),
    (names.ROLE_MESH, "Mesh", "The surfaces"),
    (_PHOTOS, "Photos", "The photos behind the cameras"),
)


class DA3_OT_show_parts(Operator):
    """Switch one kind of object on or off, as with the eyes of the outliner."""

    bl_idname = names.OP_SHOW_PARTS
    bl_label = "Show or Hide"
    bl_description = "Show or hide a part of the reconstruction"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    part: EnumProperty(
        name="Part", description="What to show or hide", items=_PARTS, options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, _context: Context, properties: OperatorProperties) -> str:
        """Name the part."""
        titles = {name: title for name, title, _ in _PARTS}
        return f"Show or hide the {titles[properties.part].lower()} of this reconstruction"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a reconstruction in the scene."""
        if find_root(context) is None:
            cls.poll_message_set("There is no reconstruction in this scene yet")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Hide them if any is shown, else show all."""
        root, layer = find_root(context), context.view_layer
        if self.part == _PHOTOS:
            cameras = list_parts(root, names.ROLE_CAMERA)
            show_photos(cameras, is_shown=not are_photos_shown(cameras))
            return {"FINISHED"}
        objects = list_parts(root, self.part)
        if not objects:
            self.report({"INFO"}, "There is nothing of this kind.")
            return {"CANCELLED"}
        show_objects(objects, layer, is_shown=not are_shown(objects, layer))
        return {"FINISHED"}
