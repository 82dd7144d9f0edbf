# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the engine with recorded reference numbers: `python tests/check_golden.py DIR`.

Runs in the engine's environment. Every .npz file under DIR is one fixture and gives one line:
name, worst difference, pass or fail. Exits with 1 if a fixture fails, with 2 if there
is none.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TESTS = Path(__file__).resolve().parent
sys.path[:0] = [path for path in (str(_TESTS.parent), str(_TESTS)) if path not in sys.path]

import torch  # noqa: E402
from golden_checks import (  # noqa: E402
    benchmark_checks,
    function_checks,
    gaussian_checks,
    network_checks,
    streaming_checks,
)
from golden_checks.fixture import (  # noqa: E402
    Comparison,
    Fixture,
    FixtureError,
    NetworkCache,
    open_fixture,
)

from da3_blender.contract.errors import EngineError  # noqa: E402
from da3_blender.network.presets import PRESETS  # noqa: E402

PASS, FAIL = "pass", "FAIL"

Check = Callable[[Fixture, NetworkCache], Comparison]

CHECKS: dict[str, Check] = {
    "network": network_checks.check_network,
    "strategies": network_checks.check_strategies,
    "raypose": network_checks.check_ray_pose,
    "api": network_checks.check_api,
    "weights": function_checks.check_weights,
    "embed": function_checks.check_embeddings,
    "pose": function_checks.check_poses,
    "refview": function_checks.check_reference_views,
    "rays": function_checks.check_rays,
    "align": function_checks.check_alignment,
    "preprocess": function_checks.check_preprocess,
    "gs": gaussian_checks.check_gaussians,
    "ply": gaussian_checks.check_ply,
    "paths": gaussian_checks.check_paths,
    "scale_sky": gaussian_checks.check_scale_and_sky,
    "benchmark": benchmark_checks.check_benchmark,
    "streaming": streaming_checks.check_streaming,
}
KIND_OF_FOLDER = {"benchmark": "benchmark", "streaming": "streaming"}
"""The files of both carry no description; the folder tells what they are."""


@dataclass(frozen=True)
class Outcome:
    """One line of the report."""

    name: str
    state: str
    worst: float | None
    note: str
    seconds: float

    def __str__(self) -> str:
        """Return the line."""
        number = "-" if self.worst is None else f"{self.worst:.1e}"
        return f"{self.name:<34} {number:>8}  {self.state:<9} {self.seconds:6.1f} s  {self.note}"


def check_fixture(path: Path, name: str, cache: NetworkCache) -> Outcome:
    """Check one file; whatever is wrong with it becomes a failing line."""
    start = time.perf_counter()
    try:
        fixture = open_fixture(path)
        result = find_check(fixture)(fixture, cache)
    except (FixtureError, EngineError) as error:
        return Outcome(name, FAIL, None, str(error), time.perf_counter() - start)
    except Exception as error:  # noqa: BLE001 - a damaged fixture may break a check anywhere
        reason = str(error).strip().split("\n")[0]
        note = f"the check broke: {type(error).__name__}: {reason}"
        return Outcome(name, FAIL, None, note, time.perf_counter() - start)
    if not result.compared:
        result.troubles.append("the fixture holds nothing to compare")
    state = FAIL if result.troubles else PASS
    notes = [f"worst: {result.worst_name}"] if result.worst_name else []
    note = "; ".join((*result.troubles[:4], *notes, *result.remarks))
    return Outcome(name, state, result.worst, note, time.perf_counter() - start)


def find_check(fixture: Fixture) -> Check:
    """Return the comparison for a fixture's kind; raises FixtureError if there is none."""
    variant = fixture.meta.get("variant")
    kind = fixture.kind or KIND_OF_FOLDER.get(_name_folder(fixture), "")
    if not kind:
        msg = "the file has no description (meta with kind)"
        raise FixtureError(msg)
    if kind not in CHECKS:
        msg = f"the kind {kind!r} is unknown"
        raise FixtureError(msg)
    if variant is not None and variant not in PRESETS:
        msg = f"the variant {variant!r} is unknown"
        raise FixtureError(msg)
    return CHECKS[kind]


def _name_folder(fixture: Fixture) -> str:
    return fixture.path.resolve().parent.name


def list_fixtures(folder: Path, pattern: str) -> list[Path]:
    """Return the fixtures below a folder, those of one model side by side."""
    paths = [
        path
        for path in sorted(folder.rglob("*.npz"))
        if fnmatch.fnmatch(path.stem, pattern) or fnmatch.fnmatch(_name(path, folder), pattern)
    ]
    return sorted(paths, key=_model_of)


def _model_of(path: Path) -> tuple[int, str]:
    """Return a sort key: small models first, so that a failure shows early."""
    try:
        meta = open_fixture(path).meta
    except FixtureError:
        return (-1, "")
    variant = str(meta.get("variant", ""))
    order = list(PRESETS).index(variant) if variant in PRESETS and meta.get("seed") else -1
    return (order, f"{meta.get('seed')} {meta.get('scale_rules')}")


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def main() -> int:
    """Check all fixtures and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("folder", type=Path, help="folder with .npz fixtures")
    parser.add_argument("--only", default="*", help="pattern of names, such as 'small_*'")
    options = parser.parse_args()
    torch.set_num_threads(min(torch.get_num_threads(), os.cpu_count() or 1))
    paths = list_fixtures(options.folder, options.only)
    if not paths:
        print(f"no fixtures match {options.only!r} in {options.folder}")  # noqa: T201
        return 2
    cache = NetworkCache()
    outcomes = []
    for path in paths:
        outcomes.append(check_fixture(path, _name(path, options.folder), cache))
        print(outcomes[-1], flush=True)  # noqa: T201 - the report is the program's output
    counts = {state: sum(o.state == state for o in outcomes) for state in (PASS, FAIL)}
    print(", ".join(f"{count} {state.lower()}" for state, count in counts.items()))  # noqa: T201
    return 1 if counts[FAIL] else 0


if __name__ == "__main__":
    sys.exit(main())
