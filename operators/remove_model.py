# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a downloaded model from the disk.

Runs in Blender. Annotations are read by Blender, so they may not be postponed.
"""

from bpy.props import StringProperty
from bpy.types import Context, Event, Operator

from ..da3_blender.client.model_files import remove_model
from ..da3_blender.client.model_shelf import read_model
from ..da3_blender.client.session import current_job, shut_down
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError
from ..da3_blender.contract.models import format_gigabytes, get_model
from .failures import report_failure
from .model_access import list_caches, look_at_models


class DA3_OT_remove_model(Operator):
    """Ask, then remove the files of one model from the cache, and nothing else."""

    bl_idname = names.OP_REMOVE_MODEL
    bl_label = "Remove Model"
    bl_description = (
        "Delete the downloaded weights of this model, also a download that was not finished; "
        "asks first. Files that you have put into a folder yourself are never deleted"
    )
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender wants a set

    model: StringProperty(
        name="Model", description="Name in the catalogue", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Need no run in progress: it may use the files."""
        job = current_job()
        if job is not None and not job.is_over:
            cls.poll_message_set("A run is in progress: wait for it or cancel it")
            return False
        return True

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask, with the name and the size."""
        entry, files = get_model(self.model), read_model(self.model)
        size = 0 if files is None else files.size_bytes + files.partial_bytes
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=f"Remove {entry.title}?",
            message=f"{format_gigabytes(size)} are deleted from the disk.",
            confirm_text="Remove",
        )

    def execute(self, context: Context) -> set[str]:
        """Take the files away at once, and delete them in a thread."""
        removed = None
        try:
            entry = get_model(self.model)
            shut_down()  # an idle engine may hold the file open
            for cache in list_caches(context):
                removed = removed or remove_model(entry.id, cache)
        except EngineError as error:
            return report_failure(self, context, error)
        look_at_models(context, removed)
        if removed is None:
            self.report({"INFO"}, f"There are no downloaded files of {entry.title}.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{entry.title} was removed.")
        return {"FINISHED"}
