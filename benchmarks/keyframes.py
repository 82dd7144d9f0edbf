# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001, T201 - a script that prints its table
"""Every n-th frame as a keyframe and the others posed between, against all frames in chunks.

Runs in the engine's environment: `python benchmarks/keyframes.py`. The network is the stand-in of
`streaming_world.py`, so cameras are compared with the truth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.streaming_world import TRAJECTORIES, Place, StandIn, make_place
from da3_blender.contract.cameras import invert_rigid
from da3_blender.contract.similarity import fit_sim3
from da3_blender.streaming.between import make_groups, place_group
from da3_blender.streaming.runner import run_stream
from da3_blender.streaming.stream_settings import StreamSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from da3_blender.streaming.store import ChunkResult

_CHUNK = StreamSettings(60, 30)
_FRAMES = 600
_STEPS = (1, 4, 10)
_GROUP = 24


class Keys:
    """The stand-in that knows keyframes by their place among them, and counts."""

    def __init__(self, stand_in: StandIn, keys: Sequence[int]) -> None:
        self.stand_in, self.keys, self.frames = stand_in, list(keys), 0

    def predict(self, frames: Sequence[int]) -> ChunkResult:
        """Answer for some keyframes."""
        return self.look([self.keys[frame] for frame in frames])

    def look(self, frames: list[int]) -> ChunkResult:
        """Answer for any frames."""
        self.frames += len(frames)
        return self.stand_in.predict(frames)


def solve(place: Place, step: int, seed: int) -> tuple[np.ndarray, int]:
    """Return the cameras of all frames and how many frames were looked at, some more than once."""
    keys = sorted({*range(0, place.frames, step), place.frames - 1})
    looker = Keys(StandIn(place, seed=seed), keys)
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{n:06d}.jpg" for n in keys]
        found = run_stream(looker, names, Path(folder), f"stand-in {seed}", _CHUNK)
    w2c = np.tile(np.eye(4), (place.frames, 1, 1))
    w2c[keys] = found.w2c
    for group in make_groups(place.frames, keys, _GROUP):
        w2c[group.between] = place_group(group, looker.look(group.frames).w2c, w2c[group.known])
    return w2c, looker.frames


def measure(w2c: np.ndarray, place: Place) -> tuple[float, float]:
    """Return the absolute error of the way, and that of the steps, metres (root mean square)."""
    ours, true = (invert_rigid(each)[:, :3, 3] for each in (w2c, place.w2c))
    moved = fit_sim3(ours, true).apply_to_points(ours)
    steps = np.diff(moved, axis=0) - np.diff(true, axis=0)
    return tuple(float(np.sqrt((each**2).sum(1).mean())) for each in (moved - true, steps))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=_FRAMES)
    arguments = parser.parse_args()
    print("| trajectory | keyframes | error, m | of a step, m | frames asked |")
    print("|---|---|---|---|---|")
    for name in TRAJECTORIES:
        place = replace(make_place(name, arguments.frames), keeps=True)
        for step in _STEPS:
            runs = [solve(place, step, seed) for seed in range(arguments.seeds)]
            way, steps = np.mean([measure(w2c, place) for w2c, _ in runs], axis=0)
            asked = np.mean([frames for _, frames in runs])
            kind = "all" if step == 1 else f"every {step}th"
            print(f"| {name} | {kind} | {way:.3f} | {steps:.4f} | {asked:.0f} |", flush=True)


if __name__ == "__main__":
    main()
