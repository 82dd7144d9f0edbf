# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates scenes one after the other: estimate, measure, compare with the best constant guess.

Runs in the engine. Scenes may come from folders or be made in memory.
"""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from .constant_guess import CameraTruth, guess_cameras, score_camera_guess, score_depth_guess
from .measure_cameras import measure_cameras
from .measure_maps import measure_depth_maps, measure_temporal
from .measure_surface import fuse_truth, measure_surface
from .modes import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from ..contract.progress import Progress
    from .estimate import Estimate, Estimator
    from .scene import Scene

STAGE: Final = "Evaluating"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SceneScores:
    """What was measured in one scene.

    Args:
        name: of the scene.
        frames: names of the frames that were used.
        scores: mode -> named numbers, nested; NaN where there was nothing to measure.
        guess: the same of the best constant guess, for the modes pose and depth.
        cost: of the estimates.
        notes: sentences for the user.
        failure: why the scene could not be measured, "" if it was.
    """

    name: str
    frames: tuple[str, ...]
    scores: dict[str, Any] = field(default_factory=dict)
    guess: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    failure: str = ""


def check_modes(modes: Sequence[str], posed: Estimator | None) -> None:
    """Refuse modes that do not exist or that nobody can serve.

    Raises:
        EngineError: SETTINGS_INVALID.
    """
    for mode in modes:
        if mode not in MODES:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"There is no mode {mode!r}.",
                f"Use some of {', '.join(MODES)}.",
            )
        if MODES[mode] and posed is None:
            raise EngineError(
                ErrorCode.SETTINGS_INVALID,
                f"The mode {mode} needs a network that takes known cameras.",
                "Choose an any-view or the nested model with a checkpoint, or leave the mode out.",
            )


def evaluate_scenes(
    scenes: Iterable[Scene | Callable[[], Scene]],
    estimators: tuple[Estimator, Estimator | None],
    modes: Sequence[str],
    progress: Progress,
    count: int,
) -> list[SceneScores]:
    """Evaluate scenes; one that fails does not stop the others.

    Args:
        scenes: scenes, or functions that read one, whose failure counts as the scene's.
        estimators: one that gets the pictures alone, one that gets the true cameras or None.
        modes: some of MODES.
        progress: is told of everything and asked about cancelling.
        count: number of scenes, for the progress.

    Returns:
        One entry per scene, in order.

    Raises:
        EngineError: SETTINGS_INVALID.
        CancelledError: the user cancelled.
    """
    check_modes(modes, estimators[1])
    progress.plan([(STAGE, 1.0)])
    progress.begin(STAGE)
    results: list[SceneScores] = []
    truths: list[CameraTruth | None] = []
    for index, entry in enumerate(scenes):

        def report(share: float, detail: str, done: int = index) -> None:
            place = f"scene {done + 1} of {count}"
            progress.report((done + min(share, 1.0)) / max(count, 1), f"{place}: {detail}")

        report(0.0, "reading")
        name = getattr(entry, "name", f"scene {index + 1}")
        try:
            scene = entry() if callable(entry) else entry
            name = scene.name
            result = evaluate_scene(scene, estimators, modes, report, progress.is_cancelled)
            truths.append(CameraTruth(scene.w2c, scene.K, scene.sizes))
        except EngineError as error:
            _log.warning("%s: %s", name, error)
            progress.note(f"{error.message} {error.hint}")
            result = SceneScores(name, (), failure=error.message)
            truths.append(None)
        results.append(result)
    return _add_camera_guesses(results, truths) if "pose" in modes else results


def evaluate_scene(
    scene: Scene,
    estimators: tuple[Estimator, Estimator | None],
    modes: Sequence[str],
    report: Callable[[float, str], None],
    is_cancelled: Callable[[], bool],
) -> SceneScores:
    """Evaluate one scene.

    Args:
        scene: pictures and truth.
        estimators: one that gets the pictures alone, one that gets the true cameras or None.
        modes: some of MODES; what the scene has no truth for is left out with a note.
        report: is told the finished share, 0 to 1, and what is being done.
        is_cancelled: asked from time to time.

    Raises:
        EngineError: an estimate or the truth cannot be had.
        CancelledError: the user cancelled.
    """
    notes = list(scene.notes)
    scores: dict[str, Any] = {}
    cost: dict[str, Any] = {}
    true_points: NDArray[np.floating] | None = None
    if any(mode.startswith("recon") for mode in modes):
        true_points = fuse_truth(scene) if scene.true_points is None else scene.true_points()
    runs = [posed for posed in (False, True) if any(MODES[mode] == posed for mode in modes)]
    for number, posed in enumerate(runs):
        estimator = estimators[1] if posed else estimators[0]

        def tell(share: float, detail: str, done: int = number) -> None:
            report((done + 0.9 * share) / len(runs), detail)

        estimate = estimator.estimate(scene, tell, is_cancelled)
        notes += estimate.notes
        cost["posed" if posed else "unposed"] = _describe_cost(estimate, estimator, scene)
        for mode in (mode for mode in modes if MODES[mode] == posed):
            tell(1.0, mode.replace("_", " "))
            missing = _find_missing(mode, scene, estimate, true_points)
            if missing:
                notes.append(f"{mode} was left out: {missing}.")
                continue
            scores[mode] = _measure(mode, scene, estimate, true_points)
    guess = {"depth": score_depth_guess(scene)} if scores.keys() & {"depth", "depth_posed"} else {}
    return SceneScores(scene.name, scene.frame_names, scores, guess, cost, tuple(notes))


def _find_missing(
    mode: str, scene: Scene, estimate: Estimate, true_points: NDArray[np.floating] | None
) -> str:
    """Return why a mode cannot be measured, "" if it can."""
    if mode == "pose":
        return "" if estimate.w2c is not None else "the model finds no cameras"
    if estimate.depth is None:
        return "there is no estimated depth"
    if mode.startswith("depth"):
        return "" if scene.depth is not None else "the scene has no true depth"
    if estimate.w2c is None:
        return "the model finds no cameras"
    if mode == "temporal":
        return "" if len(estimate.frames) > 1 else "there is only one frame"
    return "" if true_points is not None else "the scene has neither a true surface nor true depth"


def _measure(
    mode: str, scene: Scene, estimate: Estimate, true_points: NDArray[np.floating] | None
) -> dict[str, Any]:
    if mode == "pose":
        return measure_cameras(scene, estimate.frames, estimate.w2c, estimate.K)
    if mode.startswith("depth"):
        return measure_depth_maps(scene, estimate)
    if mode == "temporal":
        return measure_temporal(scene, estimate)
    try:
        return measure_surface(scene, estimate, true_points, is_posed=MODES[mode])
    except ValueError as error:  # cells too small for the size of the scene
        why = f"the surface cannot be fused, {error}"
        raise scene.refuse(why) from error


def _describe_cost(estimate: Estimate, estimator: Estimator, scene: Scene) -> dict[str, Any]:
    size = None
    if estimate.depth is not None:
        size = [estimate.depth.shape[2], estimate.depth.shape[1]]
    return {
        "estimator": estimator.title,
        "seconds": estimate.cost.seconds,
        "seconds_per_frame": estimate.cost.seconds / len(scene),
        "device": estimate.cost.device,
        "precision": estimate.cost.precision,
        "size": size,
        "peak_device_bytes": estimate.cost.peak_device_bytes,
        "peak_process_bytes": _read_peak_process_bytes(),
    }


def _read_peak_process_bytes() -> int | None:
    """Return the most memory that this process has had so far, None where the system hides it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _add_camera_guesses(
    results: list[SceneScores], truths: list[CameraTruth | None]
) -> list[SceneScores]:
    known = [truth for truth in truths if truth is not None]
    if not known:
        return results
    guess = guess_cameras(known)
    for result, truth in zip(results, truths, strict=True):
        if truth is not None and "pose" in result.scores:
            result.guess["pose"] = score_camera_guess(guess, truth, result.name)
    return results


def average(results: Sequence[SceneScores], part: str = "scores") -> dict[str, Any]:
    """Return the plain mean over scenes of all their numbers.

    Args:
        results: of the scenes; those without a number do not count for it.
        part: "scores" or "guess".
    """
    return _average([getattr(result, part) for result in results if not result.failure])


def _average(trees: Sequence[dict[str, Any]]) -> dict[str, Any]:
    means: dict[str, Any] = {}
    for key in dict.fromkeys(key for tree in trees for key in tree):
        values = [tree[key] for tree in trees if key in tree]
        if isinstance(values[0], dict):
            means[key] = _average(values)
            continue
        numbers = [float(value) for value in values if not math.isnan(value)]
        means[key] = float(np.mean(numbers)) if numbers else math.nan
    return means
