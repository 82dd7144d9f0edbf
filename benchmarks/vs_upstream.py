# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001 - a script, no package
"""Compare speed and memory with upstream's own package: `python benchmarks/vs_upstream.py`.

Runs with any Python 3.11 or later: it makes the environment `.env/benchmark` if that is missing and
starts itself there. Same random weights, same pictures, both sides in turns; a gate checks first
that both compute the same. Figures are kept in `out/benchmark`, so the groups can be run one by
one; `--write` puts the tables into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "benchmarks")) if path not in sys.path]

if TYPE_CHECKING:
    from collections.abc import Callable

    from side_by_side.plan import Plan
    from side_by_side.rows import Row

GROUPS = ("network", "memory", "loading", "photos", "exports", "blender")
NEEDS_LINUX = ("memory", "loading", "photos")
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


def enter_environment() -> NoReturn:
    """Go on in the benchmark's own environment, making it if needed."""
    setup = [sys.executable, str(ROOT / "tools" / "setup_environments.py"), "benchmark"]
    if subprocess.run(setup, check=False).returncode != 0:  # noqa: S603 - our own script
        raise SystemExit(1)
    python = ROOT / ".env" / "benchmark" / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = [str(python), "-P", __file__, "--here", *sys.argv[1:]]
    # numpy's products, too, are to use one thread: idle ones spin and count as work
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, env=one_thread)  # noqa: S603 - this script
    raise SystemExit(done.returncode)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare speed and memory with upstream.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--models", nargs="+", help="such as da3-small; the default fits the device"
    )
    parser.add_argument("--views", nargs="+", type=int, help="numbers of pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=GROUPS, help=f"groups: {', '.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    parser.add_argument(
        "--here", action="store_true", help="stay in this Python; it has everything"
    )
    parser.add_argument("--probe", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--probe-photos", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.only) - set(GROUPS)
    if unknown:
        parser.error(f"there is no group {', '.join(sorted(unknown))}")
    return arguments


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Turn the command line into a plan that fits the device."""
    import torch
    from side_by_side.plan import Plan

    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    on_card = device == "cuda"
    models = arguments.models or (
        ["da3-large", "da3-giant"] if on_card else ["da3-small", "da3-base"]
    )
    views = arguments.views or ([1, 4, 16] if on_card else [1, 4])
    if not on_card:
        torch.set_num_threads(1)
    return Plan(
        device,
        tuple(models),
        tuple(sorted(views)),
        arguments.rounds,
        warm_ups=3 if on_card else 0,
        folder=ROOT / "out" / "benchmark",
    )


def list_groups() -> dict[str, Callable[[Plan], list[Row]]]:
    """Return what measures each group."""
    from side_by_side import (
        blender_cases,
        export_cases,
        loading_cases,
        network_cases,
        photo_cases,
    )

    return {
        "network": network_cases.measure_networks,
        "memory": network_cases.measure_memory,
        "loading": loading_cases.measure_loading,
        "photos": photo_cases.measure_photos,
        "exports": export_cases.measure_exports,
        "blender": blender_cases.measure_blender,
    }


def measure(plan: Plan, groups: list[str]) -> dict[str, Any]:
    """Measure groups one by one; a new figure replaces the old one of the same case.

    Returns:
        All figures that are known for the device: "machine", and per group case -> row.
    """
    from side_by_side.machine import describe_machine

    place = plan.folder / f"figures-{plan.device}.json"
    plan.folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = json.loads(place.read_text("utf-8")) if place.exists() else {}
    for group in groups:
        if group in NEEDS_LINUX and sys.platform != "linux":
            plan.say(f"{group}: left out, its counters exist on Linux only")
            continue
        rows = list_groups()[group](plan)
        # read late: another run may have added figures in the meantime
        figures = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
        known = figures.setdefault(group, {})
        known.update({row.case: asdict(row) for row in rows})
        figures["machine"] = describe_machine(plan.device)
        place.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def format_tables(figures: dict[str, Any]) -> str:
    """Return the machine and all tables as Markdown."""
    from side_by_side.rows import Row, write_tables

    rows = [Row(**row) for group in GROUPS for row in figures.get(group, {}).values()]
    return f"Machine: {figures['machine']}.\n\n{write_tables(rows)}"


def write_document(device: str, tables: str) -> None:
    """Replace the device's part of docs/performance.md."""
    begin, end = BEGIN.format(device), END.format(device)
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n\n{tables}\n\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Measure, or be the process that is measured."""
    arguments = parse_arguments()
    if not arguments.here:
        enter_environment()
    if arguments.probe:
        from side_by_side.probe import run_probe

        side, checkpoint, views = arguments.probe
        run_probe(side, Path(checkpoint), int(views))
        return
    if arguments.probe_photos:
        from side_by_side.photo_cases import run_photo_probe

        run_photo_probe(arguments.probe_photos[0], arguments.probe_photos[1:])
        return
    from side_by_side.gate import GateError

    plan = make_plan(arguments)
    try:
        figures = measure(plan, list(arguments.only))
    except GateError as error:
        sys.stderr.write(f"The two sides do not compute the same, so nothing is timed: {error}\n")
        raise SystemExit(1) from error
    if not figures:
        return
    tables = format_tables(figures)
    if arguments.write:
        write_document(plan.device, tables)
    sys.stdout.write(tables + "\n")


if __name__ == "__main__":
    main()
