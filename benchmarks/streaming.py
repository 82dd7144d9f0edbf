# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001, T201, S603 - a script that prints its tables and starts itself
"""Long sequences: our way against that of DA3-Streaming, memory and time against length, resuming.

Runs in the engine's environment: `python benchmarks/streaming.py [accuracy] [length] [resume]`.
The network is a stand-in (see `streaming_world.py`) that both ways ask the same; what it has
answered once for a set of frames it answers again.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.streaming_world import TRAJECTORIES, Place, StandIn, make_place
from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.similarity import fit_sim3
from da3_blender.evaluation.relative_pose import measure_auc, measure_pairs
from da3_blender.streaming.runner import StreamResult, run_stream
from da3_blender.streaming.stream_settings import StreamSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from da3_blender.streaming.store import ChunkResult

RELEASE = StreamSettings(120, 60, like_release=True)
OURS = StreamSettings(120, 60)
LEAN = StreamSettings(120, 30)
"""What the extension does: fewer frames twice, and overviews."""
WAYS = {"release": RELEASE, "ours, same chunks": OURS, "ours, overlap 30": LEAN}
_FRAMES = 600
_SEEDS = 5
_LENGTHS = (500, 2000, 10_000, 20_000)
_MIB = 1 << 20


class Timed:
    """The stand-in, with the frames that it was asked for and the time that it took."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in, self.frames, self.seconds = stand_in, 0, 0.0

    def predict(self, frames: Sequence[int]) -> ChunkResult:
        """Answer, and count."""
        began = time.perf_counter()
        result = self.stand_in.predict(frames)
        self.seconds += time.perf_counter() - began
        self.frames += len(frames)
        return result


def solve(predictor: Timed, folder: Path, settings: StreamSettings) -> StreamResult:
    """Run a sequence."""
    names = [f"{n:06d}.jpg" for n in range(predictor.stand_in.place.frames)]
    return run_stream(predictor, names, folder, f"stand-in {predictor.stand_in.seed}", settings)


def measure_error(w2c: np.ndarray, place: Place) -> float:
    """Return the absolute trajectory error after a similarity, metres (root mean square)."""
    ours, true = (invert_rigid(each)[:, :3, 3] for each in (w2c, place.w2c))
    moved = fit_sim3(ours, true).apply_to_points(ours)
    return float(np.sqrt(((moved - true) ** 2).sum(1).mean()))


def compare_accuracy(seeds: int) -> None:
    """Print the errors of all ways on all trajectories, and what they cost."""
    print(f"\n## Accuracy, {_FRAMES} frames, {seeds} seeds\n")
    print(
        "| trajectory | way | error, m | per length | of the release's | frames asked | seconds |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in TRAJECTORIES:
        place = replace(make_place(name, _FRAMES), keeps=True)
        length = np.linalg.norm(np.diff(invert_rigid(place.w2c)[:, :3, 3], axis=0), axis=1).sum()
        base = None
        for way, settings in WAYS.items():
            errors, frames, seconds = [], [], []
            for seed in range(seeds):
                predictor = Timed(StandIn(place, seed=seed))
                with tempfile.TemporaryDirectory() as folder:
                    began = time.perf_counter()
                    result = solve(predictor, Path(folder), settings)
                    spent = time.perf_counter() - began - predictor.seconds
                errors.append(measure_error(result.w2c, place))
                frames.append(predictor.frames)
                seconds.append(spent)
            base = np.array(errors) if base is None else base
            ratio = np.array(errors) / base
            print(
                f"| {name} | {way} | {np.mean(errors):.3f} ({min(errors):.3f} to "
                f"{max(errors):.3f}) | {np.mean(errors) / length:.4%} | {np.mean(ratio):.2f} "
                f"| {np.mean(frames):.0f} | {np.mean(seconds):.1f} |",
                flush=True,
            )
        print(f"<!-- {name}: {length:.0f} m, AUC@3 of a chunk {_judge_stand_in(place):.1%} -->")


def _judge_stand_in(place: Place) -> float:
    """Return AUC@3 of what the stand-in says of single chunks: published networks have 80 to 85."""
    scores = []
    for begin in range(0, place.frames - 120, 120):
        frames = list(range(begin, begin + 120))
        said = StandIn(place).predict(frames).w2c
        scores.append(measure_auc(measure_pairs(said, place.w2c[frames]).worst, 3))
    return float(np.mean(scores))


def compare_lengths() -> None:
    """Print memory, time and disk for sequences of several lengths, each in its own process."""
    print("\n## Memory, time and disk against length\n")
    print(
        "| frames | peak memory, MiB | above 500 frames | seconds without the network "
        "| per 1,000 frames | disk, MiB | error, m |"
    )
    print("|---|---|---|---|---|---|---|")
    first = None
    for frames in _LENGTHS:
        text = subprocess.run(
            [sys.executable, "-P", __file__, "one", str(frames)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        memory, seconds, disk, error = (float(word) for word in text.split()[-4:])
        first = first or memory
        print(
            f"| {frames} | {memory:.0f} | {memory / first:.2f} | {seconds:.1f} "
            f"| {1000 * seconds / frames:.2f} | {disk:.0f} | {error:.3f} |",
            flush=True,
        )


def run_one(frames: int) -> None:
    """Run one sequence and print its numbers."""
    place = make_place("street", frames)
    predictor = Timed(StandIn(place))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = solve(predictor, Path(folder), LEAN)
        spent = time.perf_counter() - began - predictor.seconds
        disk = sum(file.stat().st_size for file in Path(folder).iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(peak, spent, disk / _MIB, measure_error(result.w2c, place))


def try_resuming(frames: int = 2000) -> None:
    """Kill a run in its middle, go on, and compare with one that was not killed."""
    print(f"\n## A run of {frames} frames that is killed\n")
    with tempfile.TemporaryDirectory() as name:
        whole, cut = Path(name) / "whole", Path(name) / "cut"
        place = make_place("street", frames)
        result = solve(Timed(StandIn(place)), whole, LEAN)
        chunks = len(result.chunks)
        for kill in range(2):
            child = subprocess.Popen(
                [sys.executable, "-P", __file__, "part", str(frames), str(cut)]
            )
            wanted = (1 + kill) * chunks // 3
            while len(list(cut.glob("chunk_*.npz"))) < wanted and child.poll() is None:
                time.sleep(0.05)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            there = len(list(cut.glob("chunk_*.npz")))
            print(f"killed after {there} of {chunks} chunks")
        predictor = Timed(StandIn(place))
        again = solve(predictor, cut, LEAN)
        is_same = all(
            np.array_equal(one, two)
            for one, two in (
                (result.w2c, again.w2c),
                (result.K, again.K),
                (result.depth_scales, again.depth_scales),
            )
        )
        print(
            f"gone on: {predictor.frames} frames asked, the result is "
            f"{'identical' if is_same else 'DIFFERENT'}"
        )
        if not is_same:
            raise SystemExit(1)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["accuracy", "length", "resume"])
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    arguments = parser.parse_args()
    parts = arguments.parts
    if parts[0] == "one":
        run_one(int(parts[1]))
        return
    if parts[0] == "part":
        place = make_place("street", int(parts[1]))
        solve(Timed(StandIn(place)), Path(parts[2]), LEAN)
        return
    for part, function in (("length", compare_lengths), ("resume", try_resuming)):
        if part in parts:
            function()
    if "accuracy" in parts:
        compare_accuracy(arguments.seeds)


if __name__ == "__main__":
    main()
