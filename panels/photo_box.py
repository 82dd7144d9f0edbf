# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of the input that look doubtful, and the look at them that is in progress.

Runs in Blender, while a panel is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import current_client
from ..da3_blender.contract import names
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from bpy.types import Context, PropertyGroup, UILayout

    from ..da3_blender.client.job import Job

_MOST_SHOWN: Final = 5
_ICONS: Final = {"blurred": "MATFLUID", "doubled": "DUPLICATE", "lens": "CAMERA_DATA"}


def draw_photo_check(layout: UILayout, context: Context, settings: PropertyGroup) -> None:
    """Show what was found in the photos, or offer to look.

    Args:
        layout: of the panel.
        context: for the width of the region.
        settings: of the scene.
    """
    check = _find_check()
    if check is not None:
        text = check.detail or "Looking at the photos"
        layout.progress(factor=check.fraction, text=f"Checking: {text}", type="BAR")
        return
    if settings.findings:
        _draw_findings(layout, context, settings)


def draw_summary(layout: UILayout, settings: PropertyGroup) -> None:
    """Show how many photos there are, and whether they look well."""
    if not settings.input_summary:
        return
    row = layout.row(align=True)
    is_good = settings.is_checked and not settings.findings
    row.label(text=settings.input_summary, icon="CHECKMARK" if is_good else "NONE")
    if not settings.is_checked and settings.input_views > 1 and _find_check() is None:
        row.operator(names.OP_CHECK_PHOTOS, text="Check", icon="VIEWZOOM")


def _find_check() -> Job | None:
    """Return the look at the photos that is in progress."""
    client = current_client()
    check = None if client is None else client.check
    is_busy = check is not None and not check.is_over and check.state is not JobState.CANCELLING
    return check if is_busy else None


def _draw_findings(layout: UILayout, context: Context, settings: PropertyGroup) -> None:
    photos = {finding.name for finding in settings.findings}
    count = len(photos)
    header, body = layout.panel("da3_doubtful_photos", default_closed=True)
    header.label(text=f"{count} doubtful photo{'s' if count > 1 else ''}", icon="ERROR")
    if body is None:
        return
    for finding in list(settings.findings)[:_MOST_SHOWN]:
        row = body.row(align=True)
        column = row.column()
        icon = _ICONS.get(finding.kind, "QUESTION")
        draw_wrapped(column, context, f"{finding.name} {finding.text}", icon=icon, margin_px=26)
        row.operator(names.OP_LEAVE_OUT, text="", icon="X", emboss=False).photo = finding.name
    if len(settings.findings) > _MOST_SHOWN:
        body.label(text=f"and {len(settings.findings) - _MOST_SHOWN} more")
    body.operator(names.OP_LEAVE_OUT, text="Leave Them Out", icon="REMOVE").photo = ""
