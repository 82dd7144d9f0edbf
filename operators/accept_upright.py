# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a proposal of how a reconstruction stands upright.

Runs in Blender.
"""

from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.scene.lookup import find_root
from ..da3_blender.scene.upright import accept_upright


class DA3_OT_accept_upright(Operator):
    """Forget where the reconstruction was before the proposal."""

    bl_idname = names.OP_ACCEPT_UPRIGHT
    bl_label = "Accept"
    bl_description = "Keep the reconstruction as it stands now"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a set

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Need a proposal that waits."""
        root = find_root(context)
        if root is None or names.PROP_PROPOSAL not in root:
            cls.poll_message_set("There is no proposal; use Propose Upright")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Do it."""
        accept_upright(find_root(context))
        return {"FINISHED"}
