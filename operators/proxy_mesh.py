# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give splats a closed surface for shadows and collisions.

Runs in Blender.
"""

from bpy.props import BoolProperty, FloatProperty, IntProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.splat_files import find_chosen
from ..da3_blender.scene.splat_proxy import ProxyOptions, add_proxy
from .splat_poll import can_use_splats


class DA3_OT_proxy_mesh(Operator):
    """Add a surface below each chosen object, or set the one that it has."""

    bl_idname = names.OP_PROXY_MESH
    bl_label = "Proxy Mesh"
    bl_description = (
        "Add a closed surface around what is opaque, which follows the splats, for shadows and "
        "collisions; a second time sets the same one"
    )
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    resolution: IntProperty(
        name="Resolution",
        description="Cells along the longest side of most of the cloud",
        default=64,
        min=4,
        max=1024,
        soft_max=256,
    )
    thickness: FloatProperty(
        name="Thickness",
        description="Distance of the surface from the centres, in sizes of the Gaussians",
        default=1.0,
        min=0.0,
        max=10.0,
        soft_max=3.0,
    )
    solid_from: FloatProperty(
        name="Solid From",
        description="Gaussians with less opacity are not in the surface",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    shadow_only: BoolProperty(
        name="Shadow Only",
        description="Let the surface throw shadows, but be seen by no camera and no reflection",
        default=True,
    )
    collision: BoolProperty(
        name="Collision",
        description="Let cloth, soft bodies and particles collide with the surface",
        default=False,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need splats."""
        return can_use_splats(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Make or set the surfaces."""
        options = ProxyOptions(
            self.resolution, self.thickness, self.solid_from, self.shadow_only, self.collision
        )
        made = [add_proxy(context, ob, options).name for ob in find_chosen(context)]
        self.report({"INFO"}, f"Surfaces: {', '.join(made)}")
        return {"FINISHED"}
