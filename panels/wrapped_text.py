# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences that break where the sidebar ends; Blender's labels are cut off.

Runs in Blender, while a panel is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import blf

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

_FONT: Final = 0
_POINTS: Final = 11
# Margins of panel and box, and the icon of the first line, in pixels at scale 1.
_MARGIN_PX: Final = 62


def draw_wrapped(layout: UILayout, context: Context, text: str, icon: str = "NONE") -> None:
    """Draw one sentence as a column of labels, as wide as the region allows."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(wrap_text(context, text)):
        shown = icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE"
        column.label(text=line, icon=shown)


def wrap_text(context: Context, text: str) -> list[str]:
    """Break a text into lines that fit the region; words that are too long are cut in pieces."""
    scale = context.preferences.system.ui_scale
    room = (context.region.width if context.region else 300) - _MARGIN_PX * scale
    blf.size(_FONT, _POINTS * scale)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or _measure(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
        while _measure(lines[-1]) > room and len(lines[-1]) > 1:
            head = _fit(lines[-1], room)
            lines[-1:] = [lines[-1][:head], lines[-1][head:]]
    return lines


def _measure(text: str) -> float:
    return blf.dimensions(_FONT, text)[0]


def _fit(text: str, room: float) -> int:
    """Return how many letters fit; at least one."""
    low, high = 1, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _measure(text[:middle]) <= room else (low, middle - 1)
    return low
