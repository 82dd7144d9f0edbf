# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets COLMAP find a scene's cameras, and a DA3 network the depth in them.

Runs in the engine. The same steps as a reconstruction with cameras from COLMAP.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.progress import Progress
from ..contract.views import SourceKind, View
from ..media import open_source
from ..pipeline.dense import predict_dense
from ..pipeline.outcome import outcome_from_sparse
from ..pipeline.photos import PinholePhotos
from ..solve import STAGES, solve_cameras
from .estimate import Cost, Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from ..inference.predictor import Predictor
    from ..pipeline.outcome import Outcome
    from .scene import Scene

_NETWORK: Final = "Estimating depth"


class ColmapEstimator:
    """COLMAP, and a network for the depth if there is one.

    Args:
        settings: of a reconstruction; input and output do not matter.
        predictor: loaded network, or None.
    """

    def __init__(self, settings: RunSettings, predictor: Predictor | None) -> None:
        self._settings = settings
        self._predictor = predictor
        self.title = "COLMAP" if predictor is None else f"COLMAP + {predictor.preset.name}"

    def estimate(
        self,
        scene: Scene,
        report: Callable[[float, str], None],
        is_cancelled: Callable[[], bool],
    ) -> Estimate:
        """Solve; see `Estimator.estimate`. A scene without a solution has no frames."""
        notes: list[str] = []
        progress = Progress(
            lambda stage, share, _detail, _left: report(share, stage), is_cancelled, notes.append
        )
        progress.plan([*STAGES, *([] if self._predictor is None else [(_NETWORK, 1.0)])])
        began_s = time.perf_counter()
        source = _open(scene, self._settings)
        try:
            outcome = self._solve(source, progress)
        except EngineError as error:
            if error.code not in (ErrorCode.CAMERAS_NOT_FOUND, ErrorCode.INPUT_TOO_FEW):
                raise
            outcome = None
            notes.append(error.message)
        return self._collect(outcome, time.perf_counter() - began_s, tuple(notes))

    def _solve(self, source: PhotoSource, progress: Progress) -> Outcome:
        with ExitStack() as stack:
            # COLMAP's database may stay open for a moment on Windows
            work = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="da3-evaluate-", ignore_cleanup_errors=True)
                )
            )
            outcome = outcome_from_sparse(
                solve_cameras(source, work / "colmap", self._settings, progress)
            )
            if self._predictor is None:
                return outcome
            progress.begin(_NETWORK)
            photos = PinholePhotos(source, outcome.indices, outcome.lens_per_camera(), work)
            return predict_dense(self._predictor, photos, source, self._settings, progress, outcome)

    def _collect(self, outcome: Outcome | None, seconds: float, notes: tuple[str, ...]) -> Estimate:
        cost = Cost(seconds, "cpu")
        if self._predictor is not None:
            from ..inference.peak_memory import name_device

            device = name_device(self._predictor.device)
            cost = replace(
                cost, device=device, precision=str(self._predictor.dtype).removeprefix("torch.")
            )
        if outcome is None:
            none = np.zeros((0, 4, 4))
            depth = None if self._predictor is None else np.zeros((0, 1, 1), np.float32)
            return Estimate(
                np.zeros(0, np.intp), none, none[:, :3, :3], depth, none[:, :3, :3], cost, notes
            )
        dense = outcome.dense
        return Estimate(
            np.array(outcome.indices, np.intp),
            np.asarray(outcome.w2c, np.float64),
            np.asarray(outcome.K, np.float64),
            None if dense is None else dense.depth,
            None if dense is None else dense.grid_from_photo,
            cost,
            notes,
        )


def _open(scene: Scene, settings: RunSettings) -> PhotoSource:
    if not scene.paths:
        return _MemorySource(scene)
    inputs = tuple(str(path) for path in scene.paths)
    return open_source(replace(settings, inputs=inputs, input_kind="PHOTOS"))


class _MemorySource:
    """A scene's pictures as the source of a reconstruction."""

    def __init__(self, scene: Scene) -> None:
        self.kind = SourceKind.PHOTOS
        self.fps: float | None = None
        self.skipped: tuple[str, ...] = ()
        self.views = tuple(
            View(name, name, width, height)
            for name, (width, height) in zip(scene.frame_names, scene.sizes, strict=True)
        )
        self._scene = scene

    def read(self, index: int) -> NDArray[np.uint8]:
        return self._scene.images[index]

    def iterate(
        self,
        least_side: int = 0,  # noqa: ARG002 - nothing to save in memory
        wanted: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for index in range(len(self._scene)) if wanted is None else wanted:
            yield index, self.read(index)
