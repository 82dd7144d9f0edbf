# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a result, with pictures of its plate.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError
from ..exports.report_facts import gather_facts
from ..exports.report_html import ReportPicture, choose_views, write_report
from ..exports.report_pictures import draw_points
from .export_plate import iterate_plate
from .export_progress import QUIET

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.result_folder import Result
    from ..exports.report_facts import ReportFacts
    from .photos import SupportsReport

_LEAST_SIDE: Final = 720  # pixels that a picture of the report has


def export_report(result: Result, out: Path, progress: SupportsReport = QUIET, /) -> Path:
    """Write `report.html`; return its path. Pictures that are gone are left out with a note.

    Raises:
        EngineError: RESULT_BROKEN, DISK_FULL or OUTPUT_UNWRITABLE.
    """
    facts = gather_facts(result)
    notes = []
    pictures: list[ReportPicture] = []
    try:
        pictures = _draw_pictures(result, facts, progress)
    except EngineError as error:
        notes.append(f"There are no pictures: {error.message}")
    path = out / "report.html"
    write_report(path, result.manifest, facts, pictures, notes)
    return path


def _draw_pictures(
    result: Result, facts: ReportFacts, progress: SupportsReport
) -> list[ReportPicture]:
    made: list[ReportPicture] = []
    views = choose_views(facts)
    for row, picture in iterate_plate(result, views, _LEAST_SIDE):
        progress.report(len(made) / len(views), f"{len(made) + 1} of {len(views)} pictures")
        view = facts.cameras.views[row]
        px, error = np.zeros((0, 2)), np.zeros(0)
        if facts.reprojection is not None:
            mine = facts.reprojection.view == row
            px, error = facts.reprojection.px[mine], facts.reprojection.error_px[mine]
        uri = draw_points(picture, (view.width, view.height), px, error)
        made.append(ReportPicture(row, uri))
    return sorted(made, key=lambda item: facts.x[item.view])
