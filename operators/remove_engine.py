# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the engine, after asking.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import BoolProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.client.engine_setup import current_status
from ..da3_blender.contract import names
from ..da3_blender.contract.models import format_gigabytes
from ..da3_blender.contract.setup_request import REMOVE
from .engine_setup_access import carry_out, refuse_while_busy
from .extension import get_preferences


class DA3_OT_remove_engine(Operator):
    """Ask with the size, start the installer's removal and return at once."""

    bl_idname = names.OP_REMOVE_ENGINE
    bl_label = "Remove"
    bl_description = (
        "Delete the engine and what its set-up downloaded; models, results and scenes stay"
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

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Say what will be deleted, and ask."""
        preferences = get_preferences(context)
        preferences.refresh_engine()
        status = current_status()
        size = 0 if status is None else status.kept_bytes
        if status is not None and status.stamp is not None:
            size += status.stamp.installed_bytes
        amount = format_gigabytes(size) if size else "What a set-up left"
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Remove the Engine?",
            message=f"{amount} in {preferences.find_engine_folder()}. "
            "Models, results and scenes stay.",
            confirm_text="Remove",
            icon="WARNING",
        )

    def execute(self, context: Context) -> set[str]:
        """Start."""
        return carry_out(self, context, REMOVE, waits=self.wait)
