# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models: which there are, which are here, what each can do on this machine.

Runs in Blender, while the panel is drawn: reads what the client knows, never the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.types import Panel

from ..da3_blender.client.model_shelf import read_model
from ..da3_blender.contract import names
from ..da3_blender.contract.models import MODELS, ModelEntry, format_gigabytes, list_models
from .model_facts import describe_fit
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import AddonPreferences, Context, PropertyGroup, UILayout

_BASE_PACKAGE = __package__.rpartition(".")[0]
_TITLE_SHARE = 0.5


class DA3_PT_models(Panel):
    """One row for each model, then what there is to say about the chosen one."""

    bl_label = "Model"
    bl_parent_id = "DA3_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender wants a set

    def draw_header_preset(self, context: Context) -> None:
        """Show the chosen model also while the panel is folded."""
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        row = self.layout.row()
        row.active = False
        row.label(text=MODELS[settings.model].title)

    def draw(self, context: Context) -> None:
        """Draw the list and the facts."""
        layout = self.layout
        settings = getattr(context.scene, names.SCENE_SETTINGS)
        preferences = context.preferences.addons[_BASE_PACKAGE].preferences
        shown = list_models(commercial_only=preferences.commercial_only)
        column = layout.column(align=True)
        for entry in shown:
            if not entry.is_deprecated:
                _draw_row(column, settings, entry)
        _draw_chosen(layout, context, settings, preferences)
        older = [entry for entry in shown if entry.is_deprecated]
        if older:
            header, body = layout.panel("da3_older_models", default_closed=True)
            header.label(text="Earlier versions")
            if body is not None:
                column = body.column(align=True)
                for entry in older:
                    _draw_row(column, settings, entry)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(preferences, "checkpoint", text="Own Folder")
        row = layout.row()
        row.operator(names.OP_REFRESH_MODELS, icon="FILE_REFRESH")


def _draw_row(column: UILayout, settings: PropertyGroup, entry: ModelEntry) -> None:
    """Draw name, size or state, and what can be done about it."""
    files = read_model(entry.id)
    row = column.row(align=True)
    split = row.split(factor=_TITLE_SHARE, align=True)
    limit = "" if entry.is_commercial_use_allowed else "  NC"
    split.prop_enum(settings, "model", entry.id, text=f"{entry.title}{limit}")
    right = split.row(align=True)
    state = right.row(align=True)
    state.alignment = "RIGHT"
    is_here = files is not None and files.path is not None
    state.active = is_here
    if files is not None and files.partial_bytes and not is_here:
        share = files.partial_bytes / entry.download_bytes
        state.label(text=f"{min(share, 0.99):.0%} here")
    else:
        state.label(text=format_gigabytes(entry.download_bytes))
    if entry.is_bundled:
        right.label(text="", icon="CHECKMARK" if is_here or files is None else "ERROR")
    elif is_here and files is not None and files.is_in_cache:
        right.operator(names.OP_REMOVE_MODEL, text="", icon="TRASH").model = entry.id
    elif is_here:
        right.label(text="", icon="CHECKMARK")
    else:
        right.operator(names.OP_DOWNLOAD_MODEL, text="", icon="IMPORT").model = entry.id


def _draw_chosen(
    layout: UILayout, context: Context, settings: PropertyGroup, preferences: AddonPreferences
) -> None:
    """Tell about the chosen model: purpose, licence, memory, state."""
    entry, files = MODELS[settings.model], read_model(settings.model)
    box = layout.box()
    draw_wrapped(box, context, f"{entry.title}: {entry.purpose}.")
    licence = entry.licence
    icon = "CHECKMARK" if entry.is_commercial_use_allowed else "ERROR"
    draw_wrapped(box, context, f"{licence.title}. {licence.sentence}", icon=icon)
    draw_wrapped(box, context, describe_fit(entry, settings, preferences.precision), icon="MEMORY")
    if files is None:
        return
    if files.path is None and files.partial_bytes:
        here = f"{format_gigabytes(files.partial_bytes)} are here; the download goes on from there"
        draw_wrapped(box, context, here, icon="IMPORT")
    elif files.path is None and entry.is_bundled:
        text = "It should have come with the extension: install the extension again"
        draw_wrapped(box, context, text, icon="ERROR")
    elif files.path is None:
        draw_wrapped(box, context, "Not downloaded yet", icon="IMPORT")
        row = box.row()
        row.operator(names.OP_DOWNLOAD_MODEL, text="Download", icon="IMPORT").model = entry.id
    elif files.partial_bytes:
        row = box.row()
        row.label(text=f"{format_gigabytes(files.partial_bytes)} of an old download")
        row.operator(names.OP_REMOVE_MODEL, text="", icon="TRASH").model = entry.id
