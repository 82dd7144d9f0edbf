# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own command line: `blender --command da3 INPUT... --output scene.blend`.

Runs in Blender.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..da3_blender.client.job import JobState
from ..da3_blender.client.session import shut_down
from ..da3_blender.contract import names
from ..da3_blender.contract.errors import EngineError, ErrorCode
from ..da3_blender.contract.models import check_licence
from ..da3_blender.contract.result_folder import load_result
from ..da3_blender.contract.settings import RunSettings
from ..da3_blender.scene.build_options import BuildOptions
from ..da3_blender.scene.builder import build_scene
from .arguments import CommandOptions, parse_arguments
from .engine_access import connect, wait_for_job
from .extension import get_preferences

if TYPE_CHECKING:
    from ..da3_blender.client.job import Job

_RENDER_SAMPLES = 16


class _Command:
    """The handle that Blender wants back; the module's only state."""

    handle: Any = None


def run_command(argv: list[str]) -> int:
    """Reconstruct, build and save; progress goes to stdout, a failure to stderr.

    Args:
        argv: words after `--command da3`.

    Returns:
        0, 1 after a failure or a cancel, 2 for wrong words.
    """
    try:
        options = parse_arguments(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    try:
        folder = _reconstruct(options) if options.inputs else _need_result(options)
        _build(options, folder)
    except EngineError as error:
        sys.stderr.write(f"{names.CLI_COMMAND}: {error.message} {error.hint}\n")
        return 1
    finally:
        shut_down()
    return 0


def _need_result(options: CommandOptions) -> Path:
    if options.result is None:
        raise EngineError(
            ErrorCode.INPUT_MISSING,
            "There is no input and no result.",
            "Give a folder, photos or a video, or a results folder with --result.",
        )
    return options.result


_OF_THE_MACHINE = ("checkpoint", "device", "precision", "compile_network")


def _reconstruct(options: CommandOptions) -> Path:
    preferences = get_preferences(bpy.context)
    output = options.result or options.output.with_name(f"{options.output.stem}_da3")
    machine = {name: getattr(preferences, name) for name in _OF_THE_MACHINE}
    run = machine | options.run
    run["may_download"] = run.get("may_download", False) and bpy.app.online_access
    settings = RunSettings(inputs=options.inputs, output=str(output), **run)
    check_licence(settings.model, commercial_only=preferences.commercial_only)
    settings.check()
    python = options.engine_python or bpy.path.abspath(preferences.engine_python)
    client = connect(python)
    job = client.start_job(settings)
    told = _Teller()
    wait_for_job(client, job, told.tell)
    if job.error is not None:
        raise job.error
    if job.state is JobState.CANCELLED:
        raise EngineError(ErrorCode.INTERNAL, "The run was cancelled.", "Run it again.")
    return Path(job.summary["folder"])


class _Teller:
    """Writes a line whenever the stage, the detail or the whole percent has changed."""

    def __init__(self) -> None:
        self._line = ""
        self._notes = 0

    def tell(self, job: Job) -> None:
        """Write what is new about the job."""
        line = f"{100 * job.fraction:3.0f} % {job.stage} {job.detail}".rstrip()
        if line != self._line and job.stage:
            sys.stdout.write(f"{line}\n")
        for note in job.notes[self._notes :]:
            sys.stdout.write(f"note: {note}\n")
        self._line, self._notes = line, len(job.notes)
        sys.stdout.flush()


def _build(options: CommandOptions, folder: Path) -> None:
    result = load_result(folder)
    # The start-up file of the user has a cube, a light and a camera.
    bpy.ops.wm.read_homefile(use_empty=True)
    report = build_scene(bpy.context, result, BuildOptions(**options.build))
    for note in report.notes:
        sys.stdout.write(f"note: {note}\n")
    _save(options.output)
    sys.stdout.write(f"{report.frames} poses and {report.points} points in {options.output}\n")
    if options.render is not None:
        _render(options.render)


def _save(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        # Paths can be relative only once the file has a place.
        bpy.ops.file.make_paths_relative()
        bpy.ops.wm.save_mainfile()
    except (OSError, RuntimeError) as error:
        raise EngineError(
            ErrorCode.OUTPUT_UNWRITABLE,
            f"The file {path} cannot be written ({str(error).strip()}).",
            "Choose another place with --output.",
        ) from error


def _render(path: Path) -> None:
    scene = bpy.context.scene
    if scene.camera is None:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            "There is no active camera to render.",
            "Leave out --no-set-render-size.",
        )
    # Cycles is the engine that works without a display and without a GPU.
    scene.render.engine = "CYCLES"
    scene.cycles.samples = _RENDER_SAMPLES
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def register() -> None:
    """Add the command."""
    _Command.handle = bpy.utils.register_cli_command(names.CLI_COMMAND, run_command)


def unregister() -> None:
    """Remove the command."""
    bpy.utils.unregister_cli_command(_Command.handle)
    _Command.handle = None
