# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who solves a shot: the stand-in, the stand-in refined, COLMAP alone, Blender's own solver.

Runs in the engine's environment; Blender works in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from da3_blender.contract.errors import EngineError
from da3_blender.contract.lens import Lens
from da3_blender.contract.progress import Progress
from da3_blender.contract.settings import RunSettings
from da3_blender.media import open_source
from da3_blender.media.frame_masks import FrameMasks
from da3_blender.pipeline.refined import carry_along
from da3_blender.solve import (
    REFINE_STAGES,
    STAGES,
    RefineStart,
    SparseSolution,
    refine_cameras,
    solve_cameras,
)

from .solved import Solved
from .stand_in import Start, make_stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .shot import Shot

ROOT = Path(__file__).resolve().parents[2]
BLENDER_PYTHON = ROOT / ".env" / "blender-5.2" / "bin" / "python"
SEED = 0
_FEATURES = 4096  # for COLMAP alone as many as the refinement takes; all pairs take long
_TURNS_ONLY = ("rotation",)
_ZOOMS = ("zoom",)
_RICH_LENS = ("distortion",)


class Bench(NamedTuple):
    """What solvers get besides the shot.

    Args:
        start: of the stand-in.
        blender: Python with the bpy wheel.
    """

    start: Start
    blender: Path = BLENDER_PYTHON


def make_bench(shot: Shot, blender: Path = BLENDER_PYTHON) -> Bench:
    """Make the stand-in of a shot, always the same."""
    return Bench(make_stand_in(shot.load_truth(), SEED), blender)


def choose_settings(shot: Shot) -> RunSettings:
    """Return what somebody who knows what was filmed would choose."""
    return RunSettings(
        inputs=(str(shot.frames),),
        output=str(shot.folder / "never-written"),
        input_kind="SEQUENCE",
        use_focal_prior=False,
        max_features=_FEATURES,
        lens_model="RADIAL" if shot.name in _RICH_LENS else "SIMPLE_RADIAL",
        refine_focal="ZOOM" if shot.name in _ZOOMS else "SHARED",
        masks=str(shot.masks or ""),
        seed=SEED,
    )


def keep_truth(shot: Shot, _bench: Bench) -> Solved:
    """Take the true cameras: their slip is what the measure itself is worth."""
    truth = shot.load_truth()
    return Solved(truth.w2c, truth.K, [truth.make_lens(frame) for frame in range(len(truth.w2c))])


def keep_stand_in(shot: Shot, bench: Bench) -> Solved:
    """Take the stand-in's cameras as they are."""
    size = shot.load_truth().size
    start = bench.start
    lenses = [start.make_lens(frame, size) for frame in range(len(start.w2c))]
    return Solved(start.w2c, start.K, list(lenses))


def solve_refined(shot: Shot, bench: Bench) -> Solved:
    """Refine the stand-in's cameras."""
    return refine_stand_in(shot, bench.start, choose_settings(shot))


def refine_stand_in(shot: Shot, start: Start, settings: RunSettings) -> Solved:
    """Refine rough cameras with the plate, as the extension does after the network."""
    frames = len(start.w2c)
    source = open_source(settings)
    width, height = shot.load_truth().size
    distortion = [0.0] * (2 if settings.lens_model == "RADIAL" else 1)

    def make_lens(focal_px: float) -> Lens:
        params = (float(focal_px), width / 2, height / 2, *distortion)
        return Lens(settings.lens_model, params, width, height)

    is_zoom = settings.refine_focal == "ZOOM"
    focals = start.K[:, 0, 0] if is_zoom else [np.median(start.K[:, 0, 0])]
    rough = RefineStart(
        views=list(range(frames)),
        w2c=start.w2c,
        lenses=tuple(make_lens(focal) for focal in focals),
        lens_of_view=list(range(frames)) if is_zoom else [0] * frames,
        depth=start.depth,
        grid_from_photo=np.tile(start.grid_from_photo, (frames, 1, 1)),
        depth_view=np.arange(frames),
    )
    notes: list[str] = []
    progress = _listen(REFINE_STAGES, notes)
    masks = FrameMasks(source.views, settings.masks) if settings.masks else None
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            refined = refine_cameras(
                source, Path(folder), rough, settings, progress, masks.read if masks else None
            )
    except EngineError as error:
        return _give_up(frames, str(error.message), time.perf_counter() - began)
    seconds = time.perf_counter() - began
    notes.append(f"{len(refined.solution.points)} points")
    return _carry_rest(_read_solution(refined.solution, seconds, notes), start)


def _carry_rest(solved: Solved, start: Start) -> Solved:
    """Let frames with too few points move as their neighbours did, as a run does."""
    placed = np.array([lens is not None for lens in solved.lenses])
    if placed.all():
        return solved
    known = np.flatnonzero(placed)
    frames = np.arange(len(placed))
    nearest = known[np.abs(known[None] - frames[:, None]).argmin(axis=1)]
    lenses = [solved.lenses[frame] for frame in nearest]
    note = f"{solved.note}; {(~placed).sum()} frames carried by their neighbours"
    w2c = carry_along(start.w2c, solved.w2c, placed)
    return Solved(w2c, np.array([lens.K for lens in lenses]), lenses, solved.seconds, note)


def solve_by_colmap(shot: Shot, _bench: Bench) -> Solved:
    """Let COLMAP solve the pictures from nothing, comparing neighbours in time."""
    settings = replace(choose_settings(shot), matching="SEQUENTIAL")
    source = open_source(settings)
    notes: list[str] = []
    progress = _listen(STAGES, notes)
    masks = FrameMasks(source.views, settings.masks) if settings.masks else None
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            solution = solve_cameras(
                source,
                Path(folder),
                settings,
                progress,
                read_hidden=masks.read if masks else None,
            )
    except EngineError as error:
        return _give_up(len(source.views), str(error.message), time.perf_counter() - began)
    return _read_solution(solution, time.perf_counter() - began, notes)


def solve_by_blender(shot: Shot, bench: Bench) -> Solved:
    """Let Blender detect, track and solve; it begins with the stand-in's focal length."""
    frames = len(bench.start.w2c)
    size = shot.load_truth().size
    focal = float(np.median(bench.start.K[:, 0, 0]))
    command = [str(bench.blender), "-P", "-m", "benchmarks.matchmove_shots.blender_tracks"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "solved.npz"
        command += [str(shot.folder), f"{focal:.3f}", str(out)]
        if shot.name in _TURNS_ONLY:
            command.append("--tripod")
        began = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - our own script
            command,
            env=os.environ | {"PYTHONPATH": str(ROOT), "BLENDER_USER_RESOURCES": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no words"])[-1]
            return _give_up(frames, f"Blender ends: {last}", time.perf_counter() - began)
        with np.load(out) as file:
            found = dict(file)
    focal, k1, k2 = (float(value) for value in found["lens"])
    lens = Lens("RADIAL", (focal, size[0] / 2, size[1] / 2, k1, k2), *size)
    is_placed = np.isfinite(found["w2c"]).all((1, 2))
    return Solved(
        found["w2c"],
        np.tile(lens.K, (frames, 1, 1)),
        [lens if placed else None for placed in is_placed],
        float(found["seconds"]),
        str(found["note"]),
    )


SOLVERS: dict[str, Callable[[Shot, Bench], Solved]] = {
    "truth": keep_truth,
    "stand-in": keep_stand_in,
    "refined": solve_refined,
    "colmap": solve_by_colmap,
    "blender": solve_by_blender,
}


def _listen(stages: Sequence[tuple[str, float]], notes: list[str]) -> Progress:
    """Return a progress that nobody watches, and that nobody cancels."""
    progress = Progress(lambda *_told: None, lambda: False, notes.append)
    progress.plan(stages)
    return progress


def _read_solution(solution: SparseSolution, seconds: float, notes: Sequence[str]) -> Solved:
    lenses = [solution.lenses[index] if index >= 0 else None for index in solution.lens_of_view]
    K = np.array([np.full((3, 3), np.nan) if lens is None else lens.K for lens in lenses])
    return Solved(solution.w2c, K, lenses, seconds, " ".join(notes))


def _give_up(frames: int, why: str, seconds: float) -> Solved:
    return Solved(
        np.full((frames, 4, 4), np.nan),
        np.full((frames, 3, 3), np.nan),
        [None] * frames,
        seconds,
        why,
    )
