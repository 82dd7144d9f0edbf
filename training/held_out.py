# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a network on worlds that it has never seen: `python -m training.held_out`.

Runs in the environment `training` or in the engine's; `make evaluate` calls it. The worlds come
from seeds that training and its log never use; the same options give the same numbers. With
`--write` the scenes are kept as folders in the layout of docs/evaluation.md; with `--card` the
numbers go into the card of the model, together with those on the rendered samples.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from da3_blender.cli import EXIT_FAILED, add_run_options, follow, settings_from_options
from da3_blender.evaluation import command_line
from da3_blender.evaluation.evaluate import evaluate_scenes
from da3_blender.evaluation.modes import MODES
from da3_blender.evaluation.report import format_table, write_report
from da3_blender.evaluation.scene import Scene
from da3_blender.evaluation.scene_folder import read_scene, write_scene
from da3_blender.inference.model_store import find_local_checkpoint

from .card import write_card
from .worlds.views import make_views

if TYPE_CHECKING:
    from da3_blender.contract.progress import Progress

FIRST_SEED = 1 << 20
"""Below the seeds of training (`batches.FIRST_TRAINING_SEED`) and of its log (`validation`)."""
MOST_SCENES = 1 << 20
SCENES, VIEWS = 200, 4
SHAPES = ((3, 4), (2, 3), (1, 1), (9, 16), (4, 3))
"""Height to width, taken in turns."""
LONGEST_SIDE = 224
_PATCH = 14
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "courtyard"
_MODES = ("pose", "depth", "depth_posed")
_COLMAP_MODES = ("pose", "depth")


def make_scene(number: int, views: int, longest_side: int) -> Scene:
    """Make one held-out scene.

    Args:
        number: 0 to MOST_SCENES - 1; decides everything.
        views: number of pictures.
        longest_side: pixels; both sides are multiples of 14.
    """
    made = make_views(FIRST_SEED + number, views, choose_size(number, longest_side))
    return Scene(
        name=f"world_{number:04d}",
        images=list(made.images.numpy()),
        w2c=made.w2c.double().numpy(),
        K=made.K.double().numpy(),
        depth=list(made.depth.numpy()),
        valid=list(~made.sky.numpy()),
    )


def choose_size(number: int, longest_side: int) -> tuple[int, int]:
    """Return height and width of the pictures of a scene."""
    height, width = SHAPES[number % len(SHAPES)]
    scale = longest_side / max(height, width)
    rows, columns = (max(1, round(side * scale / _PATCH)) for side in (height, width))
    return rows * _PATCH, columns * _PATCH


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.held_out", description=__doc__)
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"default {SCENES}")
    parser.add_argument("--views", type=int, default=VIEWS, help=f"of each; default {VIEWS}")
    parser.add_argument(
        "--longest-side", type=int, default=LONGEST_SIDE, help=f"pixels; default {LONGEST_SIDE}"
    )
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(_MODES))
    parser.add_argument("--out", default="", help="folder for the scores (JSON and CSV)")
    parser.add_argument("--write", type=Path, help="only write the scenes into this folder")
    parser.add_argument("--card", type=Path, help="Markdown file that gets the numbers")
    parser.add_argument("--all", action="store_true", help="print every scene")
    changes = {**command_line.PROTOCOL_DEFAULTS, "model": "da3-tiny"}
    add_run_options(parser, command_line.RUN_OPTIONS, changes)
    options = parser.parse_args()
    if not 0 < options.scenes <= MOST_SCENES:
        parser.error(f"--scenes must be 1 to {MOST_SCENES}")
    if options.views < 1 or options.longest_side < _PATCH:
        parser.error(f"--views must be at least 1 and --longest-side at least {_PATCH}")
    if options.card is not None and set(options.modes) != set(_MODES):
        parser.error(f"--card needs the modes {' '.join(_MODES)}")
    return options


def main() -> int:
    """Measure, or write the scenes."""
    options = read_arguments()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    makers = [
        partial(make_scene, number, options.views, options.longest_side)
        for number in range(options.scenes)
    ]
    if options.write is not None:
        for make in makers:
            scene = make()
            write_scene(scene, options.write / scene.name)
        return 0
    options.input = ["."]  # the pictures come from memory
    options.process_resolution = options.longest_side
    settings = settings_from_options(options, options.out or str(Path.cwd()))

    def work(progress: Progress) -> dict[str, Any]:
        estimators = command_line.make_estimators(settings, options.modes, progress)
        results = evaluate_scenes(makers, estimators, options.modes, progress, len(makers))
        samples, with_colmap = [], []
        if options.card is not None and SAMPLES.is_dir():
            read = [partial(read_scene, SAMPLES)]
            samples = evaluate_scenes(read, estimators, options.modes, progress, 1)
            from_colmap = replace(settings, cameras="COLMAP")
            estimators = command_line.make_estimators(from_colmap, _COLMAP_MODES, progress)
            with_colmap = evaluate_scenes(read, estimators, _COLMAP_MODES, progress, 1)
        return {"scores": results, "samples": samples, "with_colmap": with_colmap}

    summary = follow(work)
    if isinstance(summary, int):
        return summary
    results = summary["scores"]
    if options.out:
        facts = command_line.describe_settings(settings, options.modes, -1)
        facts |= {"views": options.views, "longest_side": options.longest_side}
        write_report(results, facts, Path(options.out))
    if options.card is not None:
        named = Path(settings.checkpoint) if settings.checkpoint else None
        weights = find_local_checkpoint(settings.model, named).parent
        shown = settings.network_resolution
        samples = (summary["samples"], summary["with_colmap"])
        write_card(options.card, weights, results, samples, shown)
    sys.stdout.write(format_table(results, with_scenes=options.all) + "\n")
    return EXIT_FAILED if any(result.failure for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
