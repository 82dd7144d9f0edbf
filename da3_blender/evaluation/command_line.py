# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `evaluate`: scenes in folders, a table on the terminal, JSON and CSV in a folder.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..contract.errors import EngineError, ErrorCode
from ..contract.models import Capability, get_model
from .modes import DEFAULT_MODES, MODES
from .scene_facts import PROTOCOLS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..inference.predictor import PredictOptions
    from .estimate import Estimator
    from .evaluate import SceneScores
    from .scene import Scene

# Options of a reconstruction that mean something here.
RUN_OPTIONS: Final = (
    "cameras", "model", "checkpoint", "may_download", "device", "precision", "process_resolution",
    "resize_method", "reference_view", "use_ray_pose", "matching", "shared_lens", "lens_model",
    "use_focal_prior", "max_features", "max_photo_side", "seed",
)  # fmt: skip
# As in the published evaluation.
PROTOCOL_DEFAULTS: Final = {"cameras": "DA3", "reference_view": "first"}
MAX_FRAMES: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options that only this command has."""
    parser.add_argument("input", nargs="+", help="folders of scenes, or scenes")
    parser.add_argument("--out", default="", help="folder for the scores (JSON and CSV)")
    parser.add_argument(
        "--modes",
        nargs="+",
        choices=MODES,
        default=list(DEFAULT_MODES),
        help=f"what to measure (default {' '.join(DEFAULT_MODES)})",
    )
    parser.add_argument(
        "--max-frames",
        type=int,
        default=MAX_FRAMES,
        help=f"most frames of a scene, chosen with a fixed seed; -1: all (default {MAX_FRAMES})",
    )
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="",
        help="limits of surfaces as in the published benchmark, where scene.json has none",
    )


def run(
    options: argparse.Namespace, settings: RunSettings, progress: Progress
) -> list[SceneScores]:
    """Evaluate what the options name, and write the scores if a folder is given.

    Args:
        options: of `add_arguments`.
        settings: of the run; its input and output do not matter.
        progress: is told of everything and asked about cancelling.

    Returns:
        The scores of all scenes.

    Raises:
        EngineError: with a remedy.
        CancelledError: the user cancelled; nothing is written.
    """
    from .evaluate import evaluate_scenes
    from .report import write_report
    from .scene_folder import find_scenes

    folders = [
        scene for name in options.input for scene in find_scenes(Path(name).expanduser().absolute())
    ]
    estimators = make_estimators(settings, options.modes, progress)
    scenes = [partial(_read, folder, options.protocol, options.max_frames) for folder in folders]
    results = evaluate_scenes(scenes, estimators, options.modes, progress, len(scenes))
    if all(result.failure for result in results):
        raise EngineError(
            ErrorCode.INPUT_UNREADABLE,
            f"None of the {len(results)} scenes could be measured; {results[0].name}: "
            f"{results[0].failure}",
            "Mend the scenes or leave them out.",
        )
    if options.out:
        used = describe_settings(settings, options.modes, options.max_frames)
        write_report(results, used, Path(options.out).expanduser().absolute())
    return results


def _read(folder: Path, protocol: str, max_frames: int) -> Scene:
    from .scene_folder import read_scene

    return read_scene(folder, protocol).limit_frames(max_frames)


def make_estimators(
    settings: RunSettings, modes: Sequence[str], progress: Progress
) -> tuple[Estimator, Estimator | None]:
    """Load what finds cameras and depth.

    Args:
        settings: `cameras` says who: DA3 (a model of single views gives depth alone), COLMAP
            (with depth where a checkpoint is named or on this machine), or AUTO.
        modes: what will be measured.
        progress: is told about downloads.

    Returns:
        The estimator that gets the pictures alone, and the one that gets the true cameras too
        (None where there is no network that can use them).

    Raises:
        EngineError: CHECKPOINT_MISSING, CHECKPOINT_WRONG, SETTINGS_INVALID or OUT_OF_MEMORY.
    """
    from ..pipeline.choice import STAGE_DOWNLOAD, choose_solver
    from .colmap_estimator import ColmapEstimator
    from .evaluate import check_modes
    from .network_estimator import NetworkEstimator

    finds_cameras = get_model(settings.model).can(Capability.CAMERAS)
    is_single_view = settings.cameras == "DA3" and not finds_cameras
    progress.plan([(STAGE_DOWNLOAD, 1.0)])
    if is_single_view:
        choice = choose_solver(replace(settings, cameras="AUTO"), progress)
    else:
        settings.check()
        choice = choose_solver(settings, progress)
    if choice.checkpoint is None and settings.cameras == "DA3":
        raise EngineError(
            ErrorCode.CHECKPOINT_MISSING,
            f"The weights of {settings.model} are not on this machine.",
            "Allow the download, or name a folder that has them.",
        )
    predictor = None
    if choice.checkpoint is not None:
        from ..inference.loading import load_predictor

        predictor = load_predictor(choice.checkpoint, settings.device, settings.precision)
    posed = None
    if predictor is not None and finds_cameras:
        posed = NetworkEstimator(predictor, make_options(settings), uses_true_cameras=True)
    check_modes(modes, posed)
    if choice.use_colmap and not is_single_view:
        return ColmapEstimator(settings, predictor), posed
    return NetworkEstimator(predictor, make_options(settings)), posed


def make_options(settings: RunSettings) -> PredictOptions:
    """Return the network's options of a run, cameras unknown."""
    from ..inference.predictor import PredictOptions

    return PredictOptions(
        process_resolution=settings.network_resolution,
        resize_method=settings.resize_method,
        reference_view=settings.reference_view,
        use_ray_pose=settings.use_ray_pose,
        seed=settings.seed,
    )


def describe_settings(
    settings: RunSettings, modes: Sequence[str], max_frames: int
) -> dict[str, Any]:
    """Return plain values for a report, without the places of files."""
    used = {name: getattr(settings, name) for name in RUN_OPTIONS if name != "checkpoint"}
    return {**used, "modes": list(modes), "max_frames": max_frames}
