# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user has to know before the engine is installed.

Runs in Blender, while a dialog is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import bpy

from ..da3_blender.client.setup_facts import SetupPlan, plan_setup
from ..da3_blender.contract.models import format_gigabytes
from ..da3_blender.contract.setup_request import ONLINE

if TYPE_CHECKING:
    from pathlib import Path

    from bpy.types import AddonPreferences, UILayout

DIALOG_WIDTH_PX: Final = 480


def draw_setup_plan(layout: UILayout, preferences: AddonPreferences) -> None:
    """Draw source, sizes, the disk and licences.

    Args:
        layout: of a dialog.
        preferences: of the extension.
    """
    folder: Path = preferences.find_engine_folder()
    plan = plan_setup(folder, preferences.torch_build)
    layout.use_property_split = True
    layout.use_property_decorate = False
    preferences.draw_source(layout)
    layout.prop(preferences, "torch_build")
    is_online = preferences.packages_source == ONLINE
    _draw_sizes(layout, plan, folder, is_online=is_online)
    box = layout.box()
    box.label(text="Licences of what is installed")
    column = box.column(align=True)
    column.scale_y = 0.85
    for licence in plan.list_licences():
        split = column.split(factor=0.62)
        split.label(text=licence.part)
        split.label(text=licence.licence)
    if is_online and not bpy.app.online_access:
        _draw_offline(layout)


def _draw_sizes(layout: UILayout, plan: SetupPlan, folder: Path, *, is_online: bool) -> None:
    column = layout.box().column(align=True)
    if is_online:
        why = " (with CUDA, for the NVIDIA card)" if plan.has_nvidia else ""
        download = f"about {format_gigabytes(plan.download_bytes)}{why}"
        column.label(text=f"Download: {download}", icon="IMPORT")
    else:
        column.label(text="Download: none", icon="IMPORT")
    free = "" if plan.free_bytes is None else f", {format_gigabytes(plan.free_bytes)} are free"
    row = column.row()
    row.alert = not plan.fits
    row.label(
        text=f"Disk: about {format_gigabytes(plan.disk_bytes)}, "
        f"{format_gigabytes(plan.peak_bytes)} while it works{free}",
        icon="DISK_DRIVE" if plan.fits else "ERROR",
    )
    column.label(text=f"Folder: {folder}", icon="FILE_FOLDER")


def _draw_offline(layout: UILayout) -> None:
    box = layout.box()
    row = box.row()
    row.alert = True
    row.label(text="Blender may not go online", icon="ERROR")
    if bpy.app.online_access_override:
        box.label(text="That was decided when Blender was started (--offline-mode)")
    else:
        box.operator(
            "screen.userpref_show",
            text="Allow Online Access in the Preferences",
            icon="PREFERENCES",
        ).section = "SYSTEM"
    box.label(text="Or choose Folder above")
