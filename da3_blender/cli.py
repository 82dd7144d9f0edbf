# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine without Blender: `python -m da3_blender reconstruct INPUT --out DIR`.

Also `models`, the catalogue, `download MODEL`, and `evaluate FOLDER` against a known truth. Runs
in the engine's Python.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contract.errors import CancelledError, EngineError
from .contract.models import (
    MODELS,
    Capability,
    ModelEntry,
    estimate_memory_bytes,
    format_gigabytes,
    get_model,
)
from .contract.names import EXPORT_FORMATS
from .contract.progress import Progress
from .contract.settings import CHOICES, RunSettings
from .evaluation import command_line as evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

EXIT_FAILED = 1
EXIT_CANCELLED = 130
_PHOTOS = 10  # of the example in the list of models
_SIZE = (336, 504)  # rows and columns of a photo of 3:2 at the usual resolution

_HELP = {
    "input_kind": "what the input is",
    "frame_start": "first frame number to use",
    "frame_end": "last frame number to use",
    "frame_step": "use every n-th frame",
    "target_fps": "frames per second of video to use; 0: --frame-step decides",
    "keyframes": "frames that are looked at for depth: all, by motion and sharpness, or a number",
    "keyframe_count": "how many keyframes, for COUNT",
    "keyframe_motion": "motion from keyframe to keyframe for AUTO, share of the diagonal",
    "pose_between": "cameras for the frames between keyframes too",
    "cameras": "who finds the cameras; AUTO: DA3 where a checkpoint can be had, else COLMAP",
    "model": "DA3 model",
    "checkpoint": "file or folder with the model's weights; default: the Hugging Face cache",
    "may_download": "allow the download of the weights from the Hugging Face hub",
    "device": "where the network runs",
    "precision": "number format of the network's backbone",
    "compile_network": "torch.compile on a graphics card; needs a compiler on this machine",
    "process_resolution": "pixels of the side that the network sees",
    "resize_method": "how photos come to the network's size",
    "reference_view": "how the network chooses its reference view",
    "use_ray_pose": "cameras from the network's rays",
    "measure_scale": "bring the result to metres with DA3METRIC-LARGE, if it is on this machine",
    "matching": "which pairs of photos COLMAP compares",
    "shared_lens": "one lens for all photos",
    "known_cameras": "cameras that one has: a file of ours, COLMAP, transforms.json or .chan",
    "lens_model": "COLMAP camera model",
    "refine": "refine the cameras with points of the full-size pictures",
    "refine_focal": "one focal length for the shot, the one that is known, or a zoom",
    "refine_distortion": "also find the lens's distortion",
    "refine_principal_point": "also find where the optical axis meets the picture",
    "refine_features": "SIFT features per picture for refining",
    "use_focal_prior": "start from the focal length in EXIF data",
    "max_features": "SIFT features per photo",
    "max_photo_side": "larger photos are reduced to this for the feature search",
    "world_up": "how the world is turned upright",
    "square_pixels": "fx = fy for cameras that a network guessed",
    "drop_percent": "share of the least confident pixels that make no points",
    "edge_step": "drop pixels whose depth steps by more than this share",
    "max_points": "largest number of points",
    "least_views": "leave out points on which fewer views agree",
    "masks": "folder of mask pictures named like the frames; black makes no points",
    "masks_inverted": "white of the masks makes no points, in place of black",
    "make_splats": "also keep the Gaussians of a model that makes them",
    "chunk_frames": "frames of a chunk of long sequences and videos; 0: all frames at once",
    "chunk_method": "how chunks are joined: as we do, or as DA3-Streaming does, to compare",
    "max_splats": "largest number of Gaussians; photos are left out where all give more",
    "seed": "of everything random",
    "check_photos": "look for blurred, doubled and foreign photos first",
}
# Paths of their own, and what only makes sense with a scene around it.
_NOT_OFFERED = ("inputs", "output", "reuse", "only_views", "renew_cameras")


def add_run_options(
    parser: argparse.ArgumentParser,
    names: Sequence[str] | None = None,
    changes: Mapping[str, object] | None = None,
) -> None:
    """Give a parser one option per field of `RunSettings` but the input and the output.

    Args:
        parser: gets the options.
        names: fields to offer; None for all.
        changes: defaults that differ from those of `RunSettings`.
    """
    for field in fields(RunSettings):
        if field.name in _NOT_OFFERED or (names is not None and field.name not in names):
            continue
        flag = "--" + field.name.replace("_", "-")
        text = _HELP[field.name]
        default = None if field.default is MISSING else field.default
        default = (changes or {}).get(field.name, default)
        if isinstance(default, bool):
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=default, help=text
            )
            continue
        kind = int if default is None else type(default)
        shown = "" if default in (None, "") else f" (default {default})"
        parser.add_argument(
            flag, type=kind, default=default, choices=CHOICES.get(field.name), help=text + shown
        )


def settings_from_options(options: argparse.Namespace, output: str) -> RunSettings:
    """Fill `RunSettings` from parsed options; `options.input` is a list of paths."""
    return RunSettings(
        inputs=tuple(str(Path(path).expanduser().absolute()) for path in options.input),
        output=output,
        **{
            field.name: getattr(options, field.name)
            for field in fields(RunSettings)
            if field.name not in ("inputs", "output") and hasattr(options, field.name)
        },
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
    commands.add_parser("models", help="list the DA3 models and which are on this machine")
    download = commands.add_parser("download", help="fetch a model; shows its licence first")
    download.add_argument("model", choices=MODELS)
    download.add_argument("--yes", action="store_true", help="accept the licence without asking")
    test = commands.add_parser("self-test", help="compute a small picture, compare with the truth")
    test.add_argument("--device", default="auto", choices=CHOICES["device"], help="where to run")
    test.add_argument("--json", action="store_true", help="answer with one JSON object")
    export = commands.add_parser("export", help="a results folder for other programs")
    export.add_argument("result", help="results folder")
    export.add_argument(
        "--format",
        "--formats",
        dest="formats",
        nargs="+",
        choices=EXPORT_FORMATS,
        required=True,
        metavar="FORMAT",
        help="; ".join(f"{name}: {what}" for name, what in EXPORT_FORMATS.items()),
    )
    export.add_argument(
        "--out", required=True, help="folder for the files; several formats get one each in it"
    )
    evaluate = commands.add_parser("evaluate", help="compare with the truth of scenes")
    evaluation.add_arguments(evaluate)
    add_run_options(evaluate, evaluation.RUN_OPTIONS, evaluation.PROTOCOL_DEFAULTS)
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if getattr(options, "verbose", False) else logging.WARNING,
        format="%(message)s",
    )
    logging.getLogger(__package__).setLevel(logging.INFO)
    if options.command == "models":
        return _list_models()
    if options.command == "self-test":
        return _test_engine(options)
    if options.command == "export":
        return _export(options)
    if options.command == "evaluate":
        return _evaluate(options)
    return _download(options) if options.command == "download" else _reconstruct(options)


def _reconstruct(options: argparse.Namespace) -> int:
    from .pipeline import create_pipeline

    def work(progress: Progress) -> dict[str, Any]:
        settings = settings_from_options(options, str(Path(options.out).expanduser().absolute()))
        return create_pipeline().run(settings, progress)

    summary = follow(work)
    if isinstance(summary, int):
        return summary
    sys.stdout.write(
        f"{summary['cameras']} of {summary['views']} cameras, {summary['points']} points, "
        f"{summary['solver']}, {summary['seconds']:.0f} s: {summary['folder']}\n"
    )
    return 0


def follow(work: Callable[[Progress], dict[str, Any]]) -> dict[str, Any] | int:
    """Do something long; show its progress, stop it with Ctrl+C, explain its failure.

    Returns:
        What it returned, or the exit code of a failure or a cancel.
    """
    cancelled = threading.Event()

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()

    before = signal.signal(signal.SIGINT, cancel)
    progress = Progress(_show_progress, cancelled.is_set, lambda text: _say(f"\n{text}"))
    try:
        summary = work(progress)
    except EngineError as error:
        _say(f"\n{error.message}\n{error.hint}")
        return EXIT_FAILED
    except CancelledError:
        _say("\nCancelled.")
        return EXIT_CANCELLED
    finally:
        signal.signal(signal.SIGINT, before)
    _say("")
    return summary


def _test_engine(options: argparse.Namespace) -> int:
    from .inference.self_test import run_self_test

    try:
        result = run_self_test(options.device)
    except EngineError as error:
        if options.json:
            sys.stdout.write(json.dumps({"failure": error.to_json()}) + "\n")
        else:
            _say(f"{error.message}\n{error.hint}")
        return EXIT_FAILED
    if options.json:
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
        return 0
    sys.stdout.write(
        f"{result.device_name}, {result.precision}: off by {result.error:.1e}, "
        f"{result.tolerance:.0e} is allowed; {result.seconds:.1f} s, torch {result.torch}\n"
    )
    return 0


def _export(options: argparse.Namespace) -> int:
    from .contract.export_request import ExportRequest
    from .pipeline.export_run import run_exports

    result, out = (Path(path).expanduser().absolute() for path in (options.result, options.out))
    request = ExportRequest(str(result), str(out), tuple(options.formats))
    summary = follow(lambda progress: run_exports(request, progress))
    if isinstance(summary, int):
        return summary
    sys.stdout.write("".join(f"{path}\n" for path in summary["files"]))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    def work(progress: Progress) -> dict[str, Any]:
        # nothing is written through the settings: the scores have a folder of their own
        settings = settings_from_options(options, options.out or str(Path.cwd()))
        return {"scores": evaluation.run(options, settings, progress)}

    summary = follow(work)
    if isinstance(summary, int):
        return summary
    from .evaluation.report import format_table

    sys.stdout.write(format_table(summary["scores"]) + "\n")
    if options.out:
        sys.stdout.write(f"{Path(options.out).expanduser().absolute()}\n")
    return EXIT_FAILED if any(scores.failure for scores in summary["scores"]) else 0


def _list_models() -> int:
    from .inference.devices import choose_device, describe_device
    from .inference.model_store import find_local_checkpoint

    for entry in MODELS.values():
        found = find_local_checkpoint(entry.id)
        gives = ", ".join(c.value for c in Capability if entry.can(c))
        earlier = " (earlier version)" if entry.is_deprecated else ""
        size = format_gigabytes(entry.download_bytes)
        line = f"{entry.id:<26}{size:>8}  {entry.licence.title:<14}{gives}{earlier}"
        half, whole = (
            format_gigabytes(estimate_memory_bytes(entry.id, _PHOTOS, *_SIZE, precision))
            for precision in ("bfloat16", "float32")
        )
        memory = f"{_PHOTOS} photos take {half} (16 bit) or {whole} (float32)"
        sys.stdout.write(f"{line}; {memory}\n    {found or 'not on this machine'}\n")
    device = describe_device(choose_device("auto"))
    _say(
        f"Networks run on {device.name} with {format_gigabytes(device.total_bytes)}, "
        f"{format_gigabytes(device.free_bytes)} of it free."
    )
    return 0


def _download(options: argparse.Namespace) -> int:
    from .pipeline.choice import STAGE_DOWNLOAD, fetch_checkpoint

    entry = get_model(options.model)
    _say(_describe_licence(entry))
    if entry.is_bundled:
        _say("It comes with the extension; nothing is downloaded.")
    elif not options.yes and not _ask():
        _say("Nothing was downloaded. --yes accepts without asking.")
        return EXIT_FAILED

    def work(progress: Progress) -> dict[str, Any]:
        progress.plan([(STAGE_DOWNLOAD, 1.0)])
        return {"path": fetch_checkpoint(entry.id, progress)}

    summary = follow(work)
    if isinstance(summary, int):
        return summary
    sys.stdout.write(f"{summary['path']}\n")
    return 0


def _describe_licence(entry: ModelEntry) -> str:
    licence = entry.licence
    return (
        f"{entry.title}, {format_gigabytes(entry.download_bytes)}, {entry.page}\n"
        f"Licence: {licence.title}, {licence.url}\n{licence.sentence}"
    )


def _ask() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Download? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


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
