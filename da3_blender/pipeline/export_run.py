# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several exports of one result, with progress.

Runs in the engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..contract.result_folder import load_result
from .export import EXPORTS

if TYPE_CHECKING:
    from ..contract.export_request import ExportRequest
    from ..contract.progress import Progress

# Labels of the stages, and their usual shares of the time.
_STAGES: Final = {
    "npz": ("Writing arrays", 0.1),
    "colmap": ("Writing COLMAP", 0.1),
    "colmap-text": ("Writing COLMAP as text", 0.2),
    "ply": ("Writing splats", 0.2),
    "spz": ("Writing small splats", 0.2),
    "report": ("Writing the report", 0.1),
    "st-maps": ("Writing ST-maps", 0.2),
    "undistorted": ("Undistorting the plate", 1.0),
    "undistorted-overscan": ("Undistorting the whole plate", 1.2),
    "layers": ("Writing layers", 1.5),
    "layers-undistorted": ("Writing undistorted layers", 1.5),
}


def run_exports(request: ExportRequest, progress: Progress) -> dict[str, Any]:
    """Write what is asked for: one format into the folder itself, several into one each.

    Returns:
        folder, and files: the path that each export named.

    Raises:
        EngineError: RESULT_BROKEN and what the exports raise; what was written before stays.
        CancelledError: by the user's wish; files that are complete stay.
    """
    request.check()
    result, out = load_result(Path(request.result)), Path(request.out)
    formats = list(dict.fromkeys(request.formats))
    progress.plan([_STAGES[name] for name in formats])
    files: list[str] = []
    for name in formats:
        progress.begin(_STAGES[name][0])
        folder = out if len(formats) == 1 else out / name
        files.append(str(EXPORTS[name](result, folder, progress)))
    return {"folder": str(out), "files": files}
