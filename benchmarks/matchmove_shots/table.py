# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All results of the benchmark as one table of the documentation.

Runs anywhere; standard library only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .motions import SHOTS

if TYPE_CHECKING:
    from pathlib import Path

_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"
_COLUMNS = {
    "stand-in": "rough",
    "refined": "rough, refined",
    "colmap": "COLMAP alone",
    "blender": "Blender's tracker",
}


def make_table(results: Path) -> str:
    """Return Markdown: a row for each shot, median and worst frame of each solver.

    Args:
        results: `table.json` of the benchmark.
    """
    rows = json.loads(results.read_text(encoding="utf-8"))
    found = {(row["shot"], row["solver"]): row for row in rows}
    head = "| shot | " + " | ".join(_COLUMNS.values()) + " |"
    lines = [head, "|---" * (len(_COLUMNS) + 1) + "|"]
    for shot in SHOTS:
        cells = [_format(found.get((shot, solver))) for solver in _COLUMNS]
        lines.append(f"| {shot} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(
        "Median slip / slip of the worst frame, pixels. *Failed*: more than a tenth of the frames "
        "got no camera; the numbers are of the others."
    )
    return "\n".join(lines)


def _format(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not run"
    if row["median"] is None:
        return "failed"
    text = f"{row['median']:.2f} / {row['worst_frame']:.2f}"
    total = row["frames"] + row["lost"]
    return f"failed, {row['frames']} of {total}: {text}" if row["has_failed"] else text


def write_table(page: Path, results: Path) -> None:
    """Put the table between its two marks in a page.

    Raises:
        ValueError: the page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        message = f"{page} has no place for the table"
        raise ValueError(message)
    whole = f"{before}{_BEGIN}\n{make_table(results)}\n{_END}{after}"
    page.write_text(whole, encoding="utf-8")
