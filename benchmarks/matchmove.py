# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001, T201 - a script that prints its table
"""How well solved cameras hold: how many pixels of the plate pinned things slip.

Runs in the engine's environment: `python benchmarks/matchmove.py [SHOT ...] --out out/matchmove`.
Shots are rendered first, by Blender in its own environment, with cameras that are known exactly;
hidden points on their surfaces, which no solver is told of, are then pinned in what each solver
found. What is rendered or solved is kept and not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.matchmove_shots.motions import FRAMES, SHOTS, WIDTH
from benchmarks.matchmove_shots.shot import Shot, open_shot
from benchmarks.matchmove_shots.slip import Slip, measure_slip
from benchmarks.matchmove_shots.solved import Solved, load_solved, place_solved, save_solved
from benchmarks.matchmove_shots.solvers import BLENDER_PYTHON, ROOT, SOLVERS, make_bench
from benchmarks.matchmove_shots.table import write_table

_HEAD = (
    "| shot | solver | frames | median slip, px | 95 % | worst frame | position, % of depth "
    "| rotation, degrees | seconds |\n|---|---|---|---|---|---|---|---|---|"
)
COMPARED = [name for name in SOLVERS if name != "truth"]


def run_blender(module: str, blender: Path, words: list[str]) -> None:
    """Run a module of ours under the bpy wheel.

    Raises:
        SystemExit: Blender failed; its last words say why.
    """
    done = subprocess.run(  # noqa: S603 - our own script
        [str(blender), "-P", "-m", f"benchmarks.matchmove_shots.{module}", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT), "LIBGL_ALWAYS_SOFTWARE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = (
            f"Blender could not run {module}. Is its environment at {blender}? "
            f"`make test` makes it; --blender names another.\n{done.stderr[-2000:]}"
        )
        raise SystemExit(message)


def solve(shot: Shot, solver: str, out: Path, blender: Path, *, is_renewed: bool) -> Solved:
    """Return the cameras of a solver, from its file where it solved before."""
    path = place_solved(out, shot.name, solver)
    rendered = (shot.folder / "truth.npz").stat().st_mtime
    if path.exists() and not is_renewed and path.stat().st_mtime > rendered:
        return load_solved(path)
    solved = SOLVERS[solver](shot, make_bench(shot, blender))
    save_solved(path, solved)
    return solved


def format_row(shot: str, solver: str, slip: Slip, solved: Solved) -> str:
    """Return a row of the table."""
    frames = f"{slip.frames} of {slip.frames + slip.lost}" + (", failed" * slip.has_failed)
    numbers = (slip.median, slip.high, slip.worst_frame, 100 * slip.position, slip.degrees)
    cells = [f"{value:.2f}" if math.isfinite(value) else "-" for value in numbers]
    return f"| {shot} | {solver} | {frames} | {' | '.join(cells)} | {solved.seconds:.0f} |"


def add_row(table: Path, row: dict[str, object]) -> None:
    """Write a row among the others; a row of the same shot and solver goes."""
    rows = json.loads(table.read_text(encoding="utf-8")) if table.exists() else []
    rows = [each for each in rows if any(each[key] != row[key] for key in ("shot", "solver"))]
    table.write_text(json.dumps([*rows, row], indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line, render, solve, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shots", nargs="*", help=f"of {', '.join(SHOTS)}; all by default")
    parser.add_argument("--out", type=Path, default=Path("out/matchmove"))
    parser.add_argument("--solvers", nargs="*", choices=list(SOLVERS), default=COMPARED)
    parser.add_argument("--again", nargs="*", choices=list(SOLVERS), default=[])
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--width", type=int, default=WIDTH, help="pixels of the longer side")
    parser.add_argument("--blender", type=Path, default=BLENDER_PYTHON, help="Python with bpy")
    parser.add_argument("--pictures", choices=list(SOLVERS), help="film a thing with its cameras")
    parser.add_argument("--card", type=Path, help="page that gets the table of all results")
    arguments = parser.parse_args()
    names = arguments.shots or list(SHOTS)
    if unknown := [name for name in names if name not in SHOTS]:
        parser.error(f"no shots {', '.join(unknown)}; there are {', '.join(SHOTS)}")
    out = arguments.out.resolve()
    table = out / "table.json"
    print(_HEAD, flush=True)
    sizes = ["--frames", str(arguments.frames), "--width", str(arguments.width)]
    for name in names:
        run_blender("render_shots", arguments.blender, [str(out), name, *sizes])
        shot = open_shot(out, name)
        truth = shot.load_truth()
        for solver in arguments.solvers:
            solved = solve(
                shot, solver, out, arguments.blender, is_renewed=solver in arguments.again
            )
            slip = measure_slip(truth, solved)
            print(format_row(name, solver, slip, solved), flush=True)
            facts = {"shot": name, "solver": solver, "seconds": solved.seconds}
            facts |= {"note": solved.note}
            add_row(table, facts | _drop_nan(asdict(slip)))
        if arguments.pictures:
            words = [str(out), arguments.pictures, name]
            run_blender("test_object", arguments.blender, words)
    if arguments.card:
        write_table(arguments.card, table)


def _drop_nan(values: dict[str, object]) -> dict[str, object]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


if __name__ == "__main__":
    main()
