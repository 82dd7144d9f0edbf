# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a DA3 network look at a scene, with its own cameras or with the true ones.

Runs in the engine.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .estimate import Cost, Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ..inference.predictor import PredictOptions, Predictor
    from .scene import Scene


class NetworkEstimator:
    """One network on all frames at once.

    Args:
        predictor: loaded network.
        options: how to predict; cameras are set here.
        uses_true_cameras: the network gets the true cameras and gives depth in their unit.
    """

    def __init__(
        self, predictor: Predictor, options: PredictOptions, *, uses_true_cameras: bool = False
    ) -> None:
        self._predictor = predictor
        self._options = options
        self._uses_true_cameras = uses_true_cameras
        self.title = predictor.preset.name + (" with true cameras" if uses_true_cameras else "")

    def estimate(
        self,
        scene: Scene,
        report: Callable[[float, str], None],
        is_cancelled: Callable[[], bool],
    ) -> Estimate:
        """Predict; see `Estimator.estimate`."""
        from ..inference.peak_memory import name_device, read_peak_bytes, reset_peak

        device = self._predictor.device
        options = self._options
        if self._uses_true_cameras:
            options = replace(options, w2c=scene.w2c, K_original=scene.K)
        reset_peak(device)
        began_s = time.perf_counter()
        prediction = self._predictor.predict(
            _decode(scene), options, lambda share: report(share, "network"), is_cancelled
        )
        cost = Cost(
            time.perf_counter() - began_s,
            name_device(device),
            str(self._predictor.dtype).removeprefix("torch."),
            read_peak_bytes(device),
        )
        grid = prediction.grid_from_original
        has_cameras = prediction.w2c is not None and prediction.K is not None
        return Estimate(
            np.arange(len(scene)),
            prediction.w2c if has_cameras else None,
            np.linalg.inv(grid) @ prediction.K if has_cameras else None,
            prediction.depth,
            grid,
            cost,
        )


def _decode(scene: Scene) -> Iterator[NDArray[np.uint8]]:
    for index in range(len(scene)):
        yield scene.images[index]
