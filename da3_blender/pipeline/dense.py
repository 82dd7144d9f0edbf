# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dense depth from a DA3 network, with its own cameras or with known ones.

Runs in the engine.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import make_square_pixels
from ..contract.errors import EngineError, ErrorCode
from ..network.presets import SingleViewPreset
from .depth_scale import fit_depth_to_points
from .fusion import CONTRADICTED, CloudMaker, FusionLimits
from .outcome import Dense, Outcome
from .points import make_empty_cloud
from .splats import gather_splats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from ..inference.metric_scale import MetricScale
    from ..inference.predictor import Prediction, PredictOptions, Predictor
    from .photos import PinholePhotos

# Shares of the time that the network stage spends on its steps.
_PREPARED: Final = 0.1
_PREDICTED: Final = 0.95
# Focal length of a photo that does not tell it, in shares of its longer side: 45 degrees wide.
_USUAL_FOCAL: Final = 1.2
# On low memory: the next resolution as a share of the last, and the least worth having.
_NEXT_RESOLUTION: Final = 0.75
_LEAST_RESOLUTION: Final = 112
_CROP_WORTH_A_WORD: Final = 0.02
# JPEGs are decoded at no less than this multiple of the network's resolution: 54 dB or better.
_SPARE_PIXELS: Final = 2


METRIC_MODEL: Final = "da3metric-large"


class NetworkKeeper:
    """Keeps the last network loaded, because loading takes longer than a small run."""

    def __init__(self) -> None:
        self._key: tuple[str, int, str, str, bool] | None = None
        self._predictor: Predictor | None = None

    def get(self, checkpoint: Path, settings: RunSettings, progress: Progress) -> Predictor:
        """Return the predictor of a checkpoint on the wanted device, loading it if needed.

        Raises:
            EngineError: CHECKPOINT_WRONG or OUT_OF_MEMORY.
        """
        from ..inference.loading import load_predictor

        changed_ns = checkpoint.stat().st_mtime_ns
        choices = (settings.device, settings.precision, settings.compile_network)
        key = (str(checkpoint), changed_ns, *choices)
        if self._predictor is None or key != self._key:
            self._predictor = None  # free the old one before the new one comes
            progress.report(0.0, f"loading {settings.model}", force=True)
            self._predictor = load_predictor(
                checkpoint, settings.device, settings.precision, compiles=settings.compile_network
            )
            self._key = key
        return self._predictor


def predict_dense(
    predictor: Predictor,
    photos: PinholePhotos,
    source: PhotoSource,
    settings: RunSettings,
    progress: Progress,
    known: Outcome | None,
) -> Outcome:
    """Predict depth (and cameras, where none are known) and fuse it to a cloud.

    Args:
        predictor: loaded network; one that looks at single views needs known cameras, or a
            single photo.
        photos: pinhole pictures.
        source: the input, for names in notes.
        settings: of the run.
        progress: within its stage.
        known: cameras found before; they go into the network and come out unchanged, but for
            their size where the network measures metres.

    Returns:
        The outcome with depth maps and a dense cloud.

    Raises:
        EngineError: OUT_OF_MEMORY with numbers to try.
        CancelledError: the user cancelled.
    """
    is_single_view = isinstance(predictor.preset, SingleViewPreset)
    if known is None and is_single_view:
        known = _guess_one_camera(source, photos)
    # Known cameras are in pixels of the whole photo, so it must be decoded whole for them.
    least_side = 0 if known is not None else _find_least_side(source, settings)
    options = _make_options(settings, known, is_single_view=is_single_view)
    prediction = _predict_within_memory(predictor, photos, least_side, options, progress)
    if predictor.compile_trouble:
        progress.note(f"The network ran without torch.compile: {predictor.compile_trouble}.")
    _tell_about_crops(prediction, photos, source, progress)
    if settings.measure_scale and prediction.metres_per_unit is None:
        prediction = _measure_scale(
            prediction, predictor, settings, progress, is_known=known is not None
        )
    progress.report(_PREDICTED, "points", force=True)
    grid = prediction.grid_from_original @ _make_scales(photos.reductions)
    if known is None:
        outcome = _take_cameras(prediction, grid, photos, settings)
        depth = prediction.depth
    else:
        outcome, depth = fit_depth_to_points(prediction, grid, known)
    confidence = prediction.confidence
    if confidence is None:
        confidence = np.ones_like(depth)
    depth = _hide_masked(depth, grid, photos)
    visible = depth if prediction.sky is None else np.where(prediction.sky, np.float32(0), depth)
    maker = CloudMaker((grid @ outcome.K, outcome.w2c), depth.shape[1:], FusionLimits.of(settings))
    maker.add(np.arange(len(depth)), visible, confidence, prediction.images)
    cloud = maker.finish(
        lambda share: progress.report(_PREDICTED + share * (1 - _PREDICTED), "points")
    )
    if maker.is_contradictory:
        progress.note(CONTRADICTED)
    splats = None
    if prediction.gaussians is not None:
        progress.report(_PREDICTED, "splats", force=True)
        splats = gather_splats(prediction, outcome.w2c, depth, settings.max_splats, progress)
        if splats is None:
            progress.note("The network's Gaussians are all invisible, so there are no splats.")
    return outcome.replace(
        cloud=cloud,
        observations=None,
        dense=Dense(depth, confidence, grid, prediction.sky),
        splats=splats,
    )


def _hide_masked(
    depth: NDArray[np.float32], grid: NDArray[np.float64], photos: PinholePhotos
) -> NDArray[np.float32]:
    """Return the depth maps with 0 where the pictures are masked."""
    height, width = depth.shape[1:]
    hidden = {
        place: mask
        for place, index in enumerate(photos.indices)
        if (mask := photos.read_hidden(index, grid[place], (width, height))) is not None
    }
    if hidden:
        depth = depth.copy()
        for place, mask in hidden.items():
            depth[place][mask] = 0
    return depth


def _predict_within_memory(
    predictor: Predictor,
    photos: PinholePhotos,
    least_side: int,
    options: PredictOptions,
    progress: Progress,
) -> Prediction:
    """Predict at the wanted resolution, or at the largest smaller one that fits into memory."""
    while True:
        try:
            return predictor.predict(
                photos.iterate(_Part(progress, 0.0, _PREPARED), least_side),
                options,
                lambda part: progress.report(
                    _PREPARED + part * (_PREDICTED - _PREPARED), "network"
                ),
                progress.is_cancelled,
            )
        except EngineError as error:
            smaller = int(options.process_resolution * _NEXT_RESOLUTION) // 14 * 14
            if error.code is not ErrorCode.OUT_OF_MEMORY or smaller < _LEAST_RESOLUTION:
                raise
            progress.note(
                f"Memory ran out at a resolution of {options.process_resolution} pixels, so the "
                f"depth has {smaller}. For more, use fewer photos or a smaller model."
            )
        options = replace(options, process_resolution=smaller)


def _measure_scale(
    prediction: Prediction,
    predictor: Predictor,
    settings: RunSettings,
    progress: Progress,
    *,
    is_known: bool,
) -> Prediction:
    """Let the metric model tell how long one unit is, and where the sky is."""
    from ..inference.metric_scale import apply_metric_scale
    from ..inference.model_store import find_local_checkpoint

    named = Path(settings.checkpoint) if settings.checkpoint else None
    folder = named if named is not None and named.is_dir() else None
    checkpoint = find_local_checkpoint(METRIC_MODEL, folder)
    if checkpoint is None or prediction.w2c is None:
        progress.note(
            f"The weights of {METRIC_MODEL} are not on this machine, so the size of the scene "
            "is a guess. Download them to measure it."
        )
        return prediction
    try:
        metric, is_sky = _run_metric_model(prediction, predictor, checkpoint, settings, progress)
    except EngineError as error:
        if error.code is not ErrorCode.OUT_OF_MEMORY:
            raise
        progress.note(
            f"There is not enough memory for {METRIC_MODEL}, so the size of the scene is a guess."
        )
        return prediction
    if metric is None:
        progress.note("No pixel was sure enough to tell the size of the scene: it is a guess.")
    else:
        progress.note(
            f"One unit of the network is {metric.scale:.3g} m; single pixels differ by "
            f"{metric.spread:.0%}."
        )
    if not is_known:
        return apply_metric_scale(prediction, metric, is_sky)
    metres = None if metric is None else metric.scale
    return replace(prediction, metres_per_unit=metres, sky=is_sky)


def _run_metric_model(
    prediction: Prediction,
    predictor: Predictor,
    checkpoint: Path,
    settings: RunSettings,
    progress: Progress,
) -> tuple[MetricScale | None, NDArray[np.bool_]]:
    """Run the metric model: beside the other network, in its place, or on the processor."""
    from ..inference.loading import load_predictor
    from ..inference.metric_scale import measure_metric_scale

    def measure(device: str) -> tuple[MetricScale | None, NDArray[np.bool_]]:
        return measure_metric_scale(
            prediction,
            load_predictor(checkpoint, device),
            lambda _part: progress.report(_PREDICTED, "metres"),
            progress.is_cancelled,
        )

    try:
        return measure(settings.device)
    except EngineError as error:
        if error.code is not ErrorCode.OUT_OF_MEMORY:
            raise
    with predictor.moved_to_host():
        try:
            return measure(settings.device)
        except EngineError as error:
            if error.code is not ErrorCode.OUT_OF_MEMORY:
                raise
        return measure("cpu")


def _make_options(
    settings: RunSettings, known: Outcome | None, *, is_single_view: bool
) -> PredictOptions:
    from ..inference.predictor import PredictOptions

    # Cameras that are said to stand still are a guess, which the network must not believe.
    is_guess = known is None or settings.is_tripod
    return PredictOptions(
        process_resolution=settings.network_resolution,
        resize_method=settings.resize_method,
        reference_view=settings.reference_view,
        use_ray_pose=settings.use_ray_pose,
        w2c=None if is_guess or is_single_view else known.w2c,
        K_original=None if is_guess else known.K,
        wants_gaussians=settings.make_splats,
        seed=settings.seed,
    )


def _take_cameras(
    prediction: Prediction,
    grid: NDArray[np.float64],
    photos: PinholePhotos,
    settings: RunSettings,
) -> Outcome:
    """Make an outcome of the cameras that a network found, without points yet."""
    K = np.linalg.inv(grid) @ prediction.K
    count = len(photos.indices)
    return Outcome(
        indices=photos.indices,
        w2c=prediction.w2c,
        K=make_square_pixels(K) if settings.square_pixels else K,
        cloud=make_empty_cloud(),
        lens_of_camera=[-1] * count,
        residual_px=[None] * count,
        is_metric=prediction.is_metric,
    )


def _guess_one_camera(source: PhotoSource, photos: PinholePhotos) -> Outcome:
    """Put the camera of a single photo at the origin, with the focal length of its EXIF data.

    Raises:
        EngineError: SETTINGS_INVALID; several photos need a model that finds cameras.
    """
    if len(photos.indices) != 1:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The model looks at single photos, and there are {len(photos.indices)}.",
            "Take the cameras from COLMAP, or choose another model.",
        )
    view = source.views[photos.indices[0]]
    focal = view.focal_prior_px or _USUAL_FOCAL * max(view.width, view.height)
    K = np.array([[focal, 0, view.width / 2], [0, focal, view.height / 2], [0, 0, 1.0]])
    return Outcome(
        indices=photos.indices,
        w2c=np.eye(4)[None],
        K=K[None],
        cloud=make_empty_cloud(),
        lens_of_camera=[-1],
        residual_px=[None],
    )


def _find_least_side(source: PhotoSource, settings: RunSettings) -> int:
    """Return the longer side in pixels that a photo must keep for the network to see no loss."""
    side = _SPARE_PIXELS * settings.network_resolution
    if settings.resize_method.startswith("upper"):
        return side
    longest = max(max(v.width, v.height) / min(v.width, v.height) for v in source.views)
    return math.ceil(side * longest)


def _make_scales(reductions: list[float]) -> NDArray[np.float64]:
    """Return (N, 3, 3) float64, pixels of the photo to pixels of the reduced picture."""
    scales = np.tile(np.eye(3), (len(reductions), 1, 1))
    scales[:, 0, 0] = scales[:, 1, 1] = 1 / np.array(reductions)
    return scales


class _Part:
    """A stretch of a stage that reports as if it were a whole one."""

    def __init__(self, progress: Progress, begin: float, end: float) -> None:
        self._progress, self._begin, self._end = progress, begin, end

    def report(self, fraction: float, detail: str = "") -> None:
        self._progress.report(self._begin + fraction * (self._end - self._begin), detail)


def _tell_about_crops(
    prediction: Prediction, photos: PinholePhotos, source: PhotoSource, progress: Progress
) -> None:
    cropped = [
        (float(share), source.views[index].name)
        for share, index in zip(prediction.cropped_share, photos.indices, strict=True)
        if share > _CROP_WORTH_A_WORD
    ]
    if cropped:
        share, name = max(cropped)
        progress.note(
            f"The photos differ in shape: {len(cropped)} of them give no points near their "
            f"borders (most: {name}, {share:.0%} of its area)."
        )
