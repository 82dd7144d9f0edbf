# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the test folders, each in the environment that it needs, and adds up what they say.

Runs with any Python 3.11 or later; `make test` calls it after making the environments.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# (environment, what it runs); a line is a process, and one process can hold one installed extension
RUNS = [
    (
        "engine",
        [
            "tests/test_architecture.py",
            "tests/contract",
            "tests/engine",
            "tests/worker",
            "tests/installer",
        ],
    ),
    ("blender-4.5", ["tests/contract", "tests/addon"]),
    ("blender-4.5", ["tests/packaging"]),
    ("blender-4.5", ["tests/end_to_end"]),
    ("blender-5.2", ["tests/contract", "tests/addon"]),
    ("blender-5.2", ["tests/packaging"]),
    ("blender-5.2", ["tests/end_to_end"]),
]
_SUMMARY = re.compile(r"=+ .*\d+ \w+.* in [\d.]+s")
_SECONDS_TO_END = 60.0  # after the summary; Blender's own end now and then waits for ever
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


def run(environment: str, paths: list[str], extra: list[str]) -> tuple[bool, dict[str, int]]:
    """Run pytest in one environment; return whether all is well, and the counts."""
    python = ROOT / ".env" / environment / "bin" / "python"
    print(f"\n=== {environment}: {' '.join(paths)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="da3-blender-") as user:
        process = subprocess.Popen(
            [python, "-P", "-m", "pytest", *paths, *extra],
            cwd=ROOT,
            env={
                **os.environ,
                "BLENDER_USER_RESOURCES": user,
                "LIBGL_ALWAYS_SOFTWARE": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        summary, end = "", threading.Timer(_SECONDS_TO_END, process.kill)
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if _SUMMARY.search(line):  # Blender may speak after it
                summary = line
                if not end.is_alive():
                    end.start()
        code = process.wait()
        was_killed = end.finished.is_set()
        end.cancel()
    counts: dict[str, int] = {}
    for number, word in _COUNT.findall(summary):
        counts[word.removesuffix("s")] = counts.get(word.removesuffix("s"), 0) + int(number)
    if was_killed:  # the tests were over: their counts tell
        print(f"=== {environment}: its end took too long and was cut short", flush=True)
        code = counts.get("failed", 0) + counts.get("error", 0)
    return code == 0 and counts.get("passed", 0) > 0, counts


def main() -> None:
    """Run everything; arguments go to pytest."""
    all_well, total = True, {"passed": 0, "failed": 0, "skipped": 0}
    for environment, paths in RUNS:
        if not (ROOT / ".env" / environment / "stamp").exists():
            print(f"\n=== {environment}: left out, its Python is not on this machine")
            continue
        well, counts = run(environment, paths, sys.argv[1:])
        all_well &= well
        total["passed"] += counts.get("passed", 0)
        total["skipped"] += counts.get("skipped", 0)
        total["failed"] += counts.get("failed", 0) + counts.get("error", 0)
    if not all_well and not total["failed"]:
        total["failed"] = 1  # a run that broke before its first test
    print(f"\n{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    sys.exit(0 if all_well else 1)


if __name__ == "__main__":
    main()
