# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the engine: are all files there, and does it compute what it should?

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Operator

from ..da3_blender.contract import names
from ..da3_blender.contract.setup_request import CHECK
from .engine_setup_access import carry_out, refuse_while_busy


class DA3_OT_check_engine(Operator):
    """Start the installer's check and return at once."""

    bl_idname = names.OP_CHECK_ENGINE
    bl_label = "Check"
    bl_description = (
        "Read all files of the engine and let it compute a small picture; downloads and changes "
        "nothing"
    )
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender wants a set

    wait: BoolProperty(
        name="Wait",
        description="Return when it is done; always so without a window",
        default=False,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need nothing else in progress."""
        return refuse_while_busy(cls)

    def execute(self, context: Context) -> set[str]:
        """Start."""
        return carry_out(self, context, CHECK, waits=self.wait)
