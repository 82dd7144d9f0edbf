# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some views of a result go through the network again; all others stay as they are.

Runs in the engine. The views are looked at together with neighbours that stay: these tell the
network, and us, how large everything is and where it lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid, make_square_pixels
from ..contract.errors import EngineError, ErrorCode
from ..contract.models import Capability, get_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.similarity import Sim3
    from ..inference.prediction import Prediction
    from ..inference.predictor import Predictor
    from .outcome import Dense, Outcome
    from .reuse import Earlier

_NEIGHBOURS: Final = 3  # of each view that is run again
_FEWEST_HELPERS: Final = 4
_MOST_HELPERS: Final = 16
_FEWEST_PIXELS: Final = 100  # that must agree on the scale


def rerun_views(
    predictor: Predictor,
    earlier: Earlier,
    outcome: Outcome,
    settings: RunSettings,
    progress: Progress,
) -> Outcome:
    """Predict depth, and cameras where that is wanted, of `settings.only_views`.

    Args:
        predictor: of an any-view model.
        earlier: gives the photos.
        outcome: from `Earlier.load_outcome`.
        settings: `only_views`, `renew_cameras` and those of the network.
        progress: within its stage.

    Returns:
        The outcome with new depth maps; the cloud is still the old one.

    Raises:
        EngineError: SETTINGS_INVALID or INPUT_MISMATCH; what was asked for cannot be done.
        CancelledError: the user cancelled.
    """
    dense = outcome.dense
    if dense is None:
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            "This result has no depth maps, so no view of it can be run again.",
            "Run Reconstruct with a Depth Anything 3 model.",
        )
    if not get_model(settings.model).can(Capability.CAMERAS):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"The model {get_model(settings.model).title} looks at single photos.",
            "Choose a model that looks at several photos, such as Base.",
        )
    chosen = earlier.find_views(settings.only_views)
    known = dense.list_cameras().tolist()
    if not set(chosen) <= set(known):
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "A selected view lies between keyframes: it has a camera, but no depth.",
            "Select views with depth, or run Reconstruct without keyframes.",
        )
    helpers = choose_helpers(outcome.w2c, chosen, known)
    if not helpers:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "All views are selected, so nothing would stay.",
            "Select fewer cameras, or run Reconstruct.",
        )
    views = sorted({*chosen, *helpers})
    prediction = _predict(predictor, earlier, outcome, views, settings, progress)
    fresh = _find_rows(views, chosen)
    steady = _find_rows(views, helpers)
    w2c, K = outcome.w2c.copy(), outcome.K.copy()
    residual = list(outcome.residual_px)
    scale = 1.0
    if settings.renew_cameras:
        old_from_new = _align(outcome.w2c[helpers], prediction.w2c[steady])
        scale = old_from_new.scale
        w2c[chosen] = old_from_new.apply_to_w2c(prediction.w2c[fresh])
        found = np.linalg.inv(prediction.grid_from_original[fresh]) @ prediction.K[fresh]
        K[chosen] = make_square_pixels(found) if settings.square_pixels else found
        for view in chosen:
            residual[view] = None
    scale *= _fit_scale(prediction, steady, dense, dense.find_maps(helpers), scale)
    return outcome.replace(
        w2c=w2c,
        K=K,
        residual_px=residual,
        dense=_merge(dense, prediction, fresh, dense.find_maps(chosen), scale),
    )


def choose_helpers(
    w2c: NDArray[np.floating], chosen: Sequence[int], known: Sequence[int] | None = None
) -> list[int]:
    """Choose the views that stay and are looked at together with the chosen ones.

    Those that look the same way from nearby come first; at most _MOST_HELPERS.

    Args:
        w2c: (N, 4, 4), OpenCV.
        chosen: views that are run again.
        known: views that have depth; None for all.
    """
    poses = invert_rigid(w2c)
    centres, forward = poses[:, :3, 3], poses[:, :3, 2]
    reach = np.linalg.norm(centres - centres.mean(0), axis=1).max() or 1.0
    candidates = range(len(w2c)) if known is None else known
    others = [view for view in candidates if view not in set(chosen)]
    cost = {
        other: min(
            float(np.linalg.norm(centres[other] - centres[view]) / reach)
            + (1 - float(forward[other] @ forward[view]))
            for view in chosen
        )
        for other in others
    }
    count = min(max(_FEWEST_HELPERS, _NEIGHBOURS * len(chosen)), _MOST_HELPERS)
    return sorted(sorted(others, key=cost.__getitem__)[:count])


def _predict(
    predictor: Predictor,
    earlier: Earlier,
    outcome: Outcome,
    views: list[int],
    settings: RunSettings,
    progress: Progress,
) -> Prediction:
    from ..inference.predictor import PredictOptions

    def read() -> Iterator[NDArray[np.uint8]]:
        for view in views:
            yield earlier.read_photo(view)

    is_known = not settings.renew_cameras
    options = PredictOptions(
        process_resolution=settings.network_resolution,
        resize_method=settings.resize_method,
        reference_view=settings.reference_view,
        use_ray_pose=settings.use_ray_pose,
        w2c=outcome.w2c[views] if is_known else None,
        K_original=outcome.K[views] if is_known else None,
        seed=settings.seed,
    )
    return predictor.predict(
        read(), options, lambda part: progress.report(part, "network"), progress.is_cancelled
    )


def _align(old_w2c: NDArray[np.floating], new_w2c: NDArray[np.floating]) -> Sim3:
    from ..inference.given_cameras import align_cameras

    return align_cameras(old_w2c, new_w2c)


def _find_rows(views: list[int], wanted: Sequence[int]) -> list[int]:
    return [views.index(view) for view in wanted]


def _fit_scale(
    prediction: Prediction, rows: list[int], dense: Dense, views: list[int], scale: float
) -> float:
    """Return the factor that makes new depth of the helpers agree with their old one."""
    ratios = []
    for row, view in zip(rows, views, strict=True):
        new = resample_map(prediction.depth[row], prediction.grid_from_original[row], dense, view)
        old = dense.depth[view]
        sure = dense.confidence[view] >= np.median(dense.confidence[view])
        good = np.isfinite(new) & (new > 0) & (old > 0) & sure
        if dense.sky is not None:
            good &= ~dense.sky[view]
        ratios.append(old[good] / (scale * new[good]))
    together = np.concatenate(ratios)
    return float(np.median(together)) if len(together) >= _FEWEST_PIXELS else 1.0


def resample_map(
    values: NDArray[np.generic], grid_from_photo: NDArray[np.floating], dense: Dense, view: int
) -> NDArray[np.generic]:
    """Look a map up at the pixels of the depth map of a view; the nearest value is taken.

    Args:
        values: (h, w) on its own grid.
        grid_from_photo: (3, 3) of that grid.
        dense: gives the grid of the answer.
        view: index into `dense`.

    Returns:
        (H, W), of the same dtype; 0 or False outside.
    """
    _, height, width = dense.depth.shape
    new_from_old = grid_from_photo @ np.linalg.inv(dense.grid_from_photo[view])
    # Both grids are scaled and shifted photos, so rows and columns are independent.
    column = np.floor(new_from_old[0, 0] * (np.arange(width) + 0.5) + new_from_old[0, 2])
    row = np.floor(new_from_old[1, 1] * (np.arange(height) + 0.5) + new_from_old[1, 2])
    column, row = column.astype(int), row.astype(int)
    inside_x, inside_y = (
        (column >= 0) & (column < values.shape[1]),
        (row >= 0) & (row < values.shape[0]),
    )
    answer = np.zeros((height, width), values.dtype)
    answer[np.ix_(inside_y, inside_x)] = values[np.ix_(row[inside_y], column[inside_x])]
    return answer


def _merge(
    dense: Dense, prediction: Prediction, rows: list[int], views: list[int], scale: float
) -> Dense:
    depth, confidence = dense.depth.copy(), dense.confidence.copy()
    sky = None if dense.sky is None else dense.sky.copy()
    for row, view in zip(rows, views, strict=True):
        grid = prediction.grid_from_original[row]
        fresh = scale * resample_map(prediction.depth[row], grid, dense, view)
        depth[view] = np.where(dense.depth[view] > 0, fresh, 0)  # what was masked stays masked
        confidence[view] = resample_map(prediction.confidence[row], grid, dense, view)
        if sky is not None and prediction.sky is not None:
            sky[view] = resample_map(prediction.sky[row], grid, dense, view)
    return dense._replace(depth=depth, confidence=confidence, sky=sky)
