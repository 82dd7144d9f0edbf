# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network as whoever looks at the frames of a long sequence, a few at a time.

Runs in the engine.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.protocol import VERSION
from ..contract.whole_file import open_whole
from ..media.grid_picture import reduce_to_grid
from ..network.presets import NestedPreset
from ..streaming.loops import pool_tokens
from ..streaming.store import ChunkResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from ..inference.predictor import Predictor
    from .photos import PinholePhotos

_SPARE_PIXELS: Final = 2
_PREPARED: Final = 0.3


class FrameReader:
    """The network as a `Predictor` of streaming: reads frames and looks at them together."""

    def __init__(
        self,
        predictor: Predictor,
        photos: PinholePhotos,
        run: tuple[PhotoSource, RunSettings, Progress],
        facts: Path,
    ) -> None:
        self._predictor, self._photos, self._facts = predictor, photos, facts
        self._source, self._settings, self._progress = run
        self._first, self._share = 0.0, 1.0
        self._seen: tuple[list[int], NDArray[np.uint8]] = [], np.zeros((0, 1, 1, 3), np.uint8)
        preset = predictor.preset
        branch = preset.any_view if isinstance(preset, NestedPreset) else preset
        # the last block that has looked at one frame only: the same in every chunk
        self._layer = (branch.backbone.multi_view_start or 1) - 1

    @property
    def name(self) -> str:
        """Name all that the answers depend on."""
        settings = self._settings.to_json()
        cloud_only = ("max_points", "drop_percent", "edge_step", "least_views")
        # which frames there are is told by their names
        frames_only = ("keyframes", "keyframe_count", "keyframe_motion", "pose_between")
        for free in ("inputs", "output", "world_up", *cloud_only, *frames_only):
            settings.pop(free)
        views = [(v.name, v.width, v.height) for v in self._source.views]
        masks = self._photos.masks
        # pictures that were replaced under the same names are others
        files = [
            (path, Path(path).stat().st_mtime_ns)
            for path in sorted(
                {view.path for view in self._source.views}
                | {str(path) for path in (masks.files if masks is not None else ())}
            )
            if Path(path).exists()
        ]
        parts = [VERSION, settings, views, files, str(self._predictor.precision)]
        content = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def set_part(self, first: float, share: float) -> None:
        """Say which part of the stage the next call is."""
        self._first, self._share = first, share

    def report(self, fraction: float, detail: str = "") -> None:
        """Tell how far the current call is."""
        self._progress.report(self._first + fraction * self._share, detail)

    def predict(self, frames: Sequence[int]) -> ChunkResult:
        """Look at some frames together."""
        from ..inference.predictor import PredictOptions

        settings = self._settings
        options = PredictOptions(
            process_resolution=settings.network_resolution,
            resize_method=settings.resize_method,
            reference_view="middle",
            use_ray_pose=settings.use_ray_pose,
            export_layers=(self._layer,),
            seed=settings.seed,
        )
        wanted = [self._photos.indices[frame] for frame in frames]
        self._photos.reductions = []
        least_side = _SPARE_PIXELS * settings.network_resolution
        part = _Part(self, _PREPARED)
        prediction = self._predictor.predict(
            (image for _, image in self._photos.iterate_some(wanted, part, least_side)),
            options,
            lambda share: self.report(_PREPARED + share * (1 - _PREPARED), "network"),
            self._progress.is_cancelled,
        )
        scale = np.diag([*[1 / self._photos.reductions[0]] * 2, 1.0])
        grid = prediction.grid_from_original[0] @ scale
        self._save_facts(grid, is_metric=prediction.is_metric)
        depth, confidence = prediction.depth, np.maximum(prediction.confidence - 1, 0)
        if prediction.sky is not None:
            depth = np.where(prediction.sky, np.float32(0), depth)
        # what is masked joins no chunks and makes no points
        for place, index in enumerate(wanted):
            hidden = self._photos.read_hidden(index, grid, depth.shape[:0:-1])
            if hidden is not None:
                depth[place] = np.where(hidden, np.float32(0), depth[place])
        self._seen = list(frames), prediction.images
        tokens = prediction.features[self._layer]
        descriptors = pool_tokens(tokens.reshape(len(tokens), -1, tokens.shape[-1]))
        return ChunkResult(depth, confidence, prediction.w2c, prediction.K, descriptors)

    def get_pictures(self, frames: NDArray[np.intp]) -> NDArray[np.uint8] | None:
        """Return (n, H, W, 3) of frames that the last call has looked at; None for others."""
        numbers, images = self._seen
        places = {number: place for place, number in enumerate(numbers)}
        if not all(int(frame) in places for frame in frames):
            return None
        return images[[places[int(frame)] for frame in frames]]

    def _save_facts(self, grid: NDArray[np.float64], *, is_metric: bool) -> None:
        if not self._facts.exists():
            with open_whole(self._facts) as file:
                file.write(json.dumps({"grid": grid.tolist(), "is_metric": is_metric}).encode())

    def load_facts(self) -> tuple[NDArray[np.float64], bool]:
        """Return grid_from_photo (3, 3) of all frames, and whether depth is in metres."""
        facts = json.loads(self._facts.read_text(encoding="utf-8"))
        return np.array(facts["grid"]), bool(facts["is_metric"])


class _Part:
    """The first stretch of a call, while frames are read."""

    def __init__(self, whole: FrameReader, share: float) -> None:
        self._whole, self._share = whole, share

    def report(self, fraction: float, detail: str = "") -> None:
        self._whole.report(fraction * self._share, detail)


def read_pictures(
    photos: PinholePhotos,
    frames: NDArray[np.intp],
    grid: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Return (n, H, W, 3), the frames on the grid of their depth maps."""
    height, width = shape
    wanted = [photos.indices[frame] for frame in frames]
    photos.reductions = []
    pictures = []
    least_side = _SPARE_PIXELS * max(shape)
    for _, image in photos.iterate_some(wanted, _Silent(), least_side):
        reduction = photos.reductions[-1]
        reduced = grid @ np.diag([reduction, reduction, 1.0])
        pictures.append(reduce_to_grid(image, reduced, (width, height)))
    return np.stack(pictures)


class _Silent:
    """Nobody is told: the frames are read for the second time."""

    def report(self, fraction: float, detail: str = "") -> None:
        pass
