# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real worker process whose pipeline writes a small result, or fails, by the input's name.

Runs in a sub-process of the tests in this folder.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from da3_blender.contract.errors import EngineError, ErrorCode
from da3_blender.contract.result_folder import ResultWriter
from da3_blender.worker.loop import serve

if TYPE_CHECKING:
    from da3_blender.contract.progress import Progress
    from da3_blender.contract.settings import RunSettings


class SmallPipeline:
    """Two cameras and eight points."""

    _writer: ResultWriter | None = None

    def run(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        progress.plan([("Solving", 1.0)])
        progress.begin("Solving")
        name = Path(settings.inputs[0]).stem
        if "bad" in name:
            raise EngineError(ErrorCode.INPUT_EMPTY, f"{name} has no photos.", "Add photos.")
        while "endless" in name:
            progress.report(0.5, "1 of 2 photos")
            time.sleep(0.02)
        writer = ResultWriter(Path(settings.output))
        self._writer = writer
        go = Path(settings.inputs[0]) / "go"
        while name == "waiting" and not go.exists():
            progress.report(0.5, "1 of 2 photos")
            time.sleep(0.02)
        progress.note("a note from the engine")
        w2c = np.tile(np.eye(4), (2, 1, 1))
        w2c[1, 0, 3] = -1
        K = np.tile([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]], (2, 1, 1))
        view = {"path": "", "width": 64, "height": 48, "frame": None, "photo": "none", "lens": 0}
        corners = np.array(np.meshgrid([-1, 1], [-1, 1], [4, 6]), np.float32).reshape(3, -1).T
        for array, values in {
            "w2c": w2c,
            "K": K,
            "points": corners,
            "colours": np.full((8, 3), 99, np.uint8),
            "confidence": np.ones(8, np.float32),
            "point_view": np.zeros(8, np.int32),
        }.items():
            writer.save_array(array, values)
        writer.finish(
            {
                "name": name,
                "source": {"kind": "photos", "path": settings.inputs[0], "fps": None},
                "solver": settings.cameras,
                "views": [{"name": "a.jpg", **view}, {"name": "b.jpg", **view}],
                "lost": [],
                "notes": [],
                "settings": settings.to_json(),
            }
        )
        facts = {"views": 2, "cameras": 2, "points": 8, "solver": "test"}
        return {"folder": str(writer.folder), **facts}

    def check(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        progress.plan([("Looking", 1.0)])
        progress.begin("Looking")
        names = sorted(path.name for path in Path(settings.inputs[0]).iterdir())
        finding = {"name": names[1], "kind": "blurred", "text": "looks blurred"}
        return {
            "folder": "",
            "views": len(names),
            "width": 640,
            "height": 480,
            "findings": [finding],
        }

    def fetch(self, model_id: str, progress: Progress, folder: str = "") -> dict[str, Any]:
        progress.plan([("Downloading", 1.0)])
        progress.begin("Downloading")
        if model_id == "da3-giant":
            raise EngineError(ErrorCode.DOWNLOAD_FAILED, "The hub sleeps.", "Try again.")
        return {"folder": folder or "/models", "model": model_id, "bytes": 7}

    def abandon(self) -> None:
        """Remove the unfinished result."""
        if self._writer is not None:
            self._writer.discard()


if __name__ == "__main__":
    serve(SmallPipeline)
