# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine without Blender: `python -m da3_blender reconstruct INPUT --out DIR`.

Runs in the engine's Python.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING

from .contract import settings as choices
from .contract.errors import CancelledError, EngineError
from .contract.progress import Progress
from .contract.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

EXIT_FAILED = 1
EXIT_CANCELLED = 130

_HELP = {
    "input_kind": "what the input is",
    "frame_start": "first frame number to use",
    "frame_end": "last frame number to use",
    "frame_step": "use every n-th frame",
    "target_fps": "frames per second of video to use; 0: --frame-step decides",
    "cameras": "who finds the cameras; AUTO: DA3 where a checkpoint can be had, else COLMAP",
    "model": "DA3 model",
    "checkpoint": "file or folder with the model's weights; default: the Hugging Face cache",
    "may_download": "allow the download of the weights from the Hugging Face hub",
    "device": "where the network runs",
    "process_resolution": "pixels of the side that the network sees",
    "resize_method": "how photos come to the network's size",
    "reference_view": "how the network chooses its reference view",
    "use_ray_pose": "cameras from the network's rays",
    "matching": "which pairs of photos COLMAP compares",
    "shared_lens": "one lens for all photos",
    "lens_model": "COLMAP camera model",
    "use_focal_prior": "start from the focal length in EXIF data",
    "max_features": "SIFT features per photo",
    "max_photo_side": "larger photos are reduced to this for the feature search",
    "world_up": "how the world is turned upright",
    "square_pixels": "fx = fy for cameras that a network guessed",
    "drop_percent": "share of the least confident pixels that make no points",
    "edge_step": "drop pixels whose depth steps by more than this share",
    "max_points": "largest number of points",
    "seed": "of everything random",
}
_CHOICES = {
    "input_kind": choices.INPUT_KINDS,
    "cameras": choices.CAMERA_SOLVERS,
    "model": choices.MODELS,
    "device": choices.DEVICES,
    "resize_method": choices.RESIZE_METHODS,
    "reference_view": choices.REFERENCE_VIEWS,
    "matching": choices.MATCHING,
    "lens_model": choices.LENS_MODELS,
    "world_up": choices.WORLD_UP,
}


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser one option per field of `RunSettings` but the input and the output."""
    for field in fields(RunSettings):
        if field.name in ("inputs", "output"):
            continue
        flag = "--" + field.name.replace("_", "-")
        text = _HELP[field.name]
        if isinstance(field.default, bool):
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=field.default, help=text
            )
            continue
        default = None if field.default is MISSING else field.default
        kind = int if default is None else type(default)
        shown = "" if default in (None, "") else f" (default {default})"
        parser.add_argument(
            flag, type=kind, default=default, choices=_CHOICES.get(field.name), help=text + shown
        )


def settings_from_options(options: argparse.Namespace, output: str) -> RunSettings:
    """Fill `RunSettings` from parsed options; `options.input` is a list of paths."""
    names = {field.name for field in fields(RunSettings)} - {"inputs", "output"}
    return RunSettings(
        inputs=tuple(str(Path(path).expanduser().absolute()) for path in options.input),
        output=output,
        **{name: getattr(options, name) for name in names},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, or EXIT_FAILED with the reason on stderr, or EXIT_CANCELLED after Ctrl+C.
    """
    parser = argparse.ArgumentParser(prog="da3_blender", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    reconstruct = commands.add_parser("reconstruct", help="photos to cameras and points")
    reconstruct.add_argument("input", nargs="+", help="a folder, a video, or photo files")
    reconstruct.add_argument("--out", required=True, help="folder for the result")
    reconstruct.add_argument("--verbose", action="store_true", help="show the log")
    add_run_options(reconstruct)
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s"
    )
    logging.getLogger(__package__).setLevel(logging.INFO)
    return _reconstruct(options)


def _reconstruct(options: argparse.Namespace) -> int:
    from .pipeline import create_pipeline

    cancelled = threading.Event()

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()

    before = signal.signal(signal.SIGINT, cancel)
    progress = Progress(_show_progress, cancelled.is_set, lambda text: _say(f"\n{text}"))
    try:
        settings = settings_from_options(options, str(Path(options.out).expanduser().absolute()))
        summary = create_pipeline().run(settings, progress)
    except EngineError as error:
        _say(f"\n{error.message}\n{error.hint}")
        return EXIT_FAILED
    except CancelledError:
        _say("\nCancelled.")
        return EXIT_CANCELLED
    finally:
        signal.signal(signal.SIGINT, before)
    _say("")
    sys.stdout.write(
        f"{summary['cameras']} of {summary['views']} cameras, {summary['points']} points, "
        f"{summary['solver']}, {summary['seconds']:.0f} s: {summary['folder']}\n"
    )
    return 0


def _show_progress(stage: str, fraction: float, detail: str, remaining_s: float | None) -> None:
    left = "" if remaining_s is None else f", about {remaining_s:.0f} s left"
    line = f"{fraction:4.0%}  {stage}" + (f" ({detail})" if detail else "") + left
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line:<78}")
    else:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
