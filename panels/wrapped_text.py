# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences that break where the sidebar ends; Blender's labels are cut off.

Runs in Blender, while a panel is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

# Margins of panel and box, tabs of the sidebar, and the icon, in pixels at scale 1.
_MARGIN_PX: Final = 60
_ICON_PX: Final = 26
# Widths of letters in Blender's interface font, in pixels at scale 1, rounded up.
_NARROW: Final = "iljtfrI.,:;'|!()[]/ "
_NARROW_PX: Final = 4.2
_WIDE: Final = "mwMWQOGD@%"
_WIDE_PX: Final = 9.5
_USUAL_PX: Final = 6.7
_FULL_WIDTH: Final = 0x2E80  # Chinese, Japanese and Korean letters begin here
_FULL_PX: Final = 12.0


def draw_wrapped(
    layout: UILayout, context: Context, text: str, icon: str = "NONE", margin_px: float = 0
) -> None:
    """Draw one sentence as a column of labels, as wide as the region allows.

    Args:
        layout: gets the column.
        context: for the width of the region.
        text: any sentence.
        icon: before the first line.
        margin_px: room that something beside it takes, in pixels at scale 1.
    """
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = (context.region.width if context.region else 300) / scale - _MARGIN_PX - margin_px
    if icon != "NONE":
        width -= _ICON_PX
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(wrap_text(text, width)):
        shown = icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE"
        column.label(text=line, icon=shown)


def wrap_text(text: str, width_px: float) -> list[str]:
    """Break a text into lines; words that are too long, such as paths, are cut in pieces.

    Args:
        text: any sentence.
        width_px: room for a line, in pixels at scale 1.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or _measure(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
        while _measure(lines[-1]) > width_px and len(lines[-1]) > 1:
            head = _fit(lines[-1], width_px)
            lines[-1:] = [lines[-1][:head], lines[-1][head:]]
    return lines


def _measure(text: str) -> float:
    return sum(_measure_letter(letter) for letter in text)


def _measure_letter(letter: str) -> float:
    if ord(letter) >= _FULL_WIDTH:
        return _FULL_PX
    if letter in _NARROW:
        return _NARROW_PX
    return _WIDE_PX if letter in _WIDE else _USUAL_PX


def _fit(text: str, width_px: float) -> int:
    """Return how many letters fit; at least one, and never all."""
    count, used = 0, 0.0
    for letter in text[:-1]:
        used += _measure_letter(letter)
        if used > width_px:
            break
        count += 1
    return max(1, count)
