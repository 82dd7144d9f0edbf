# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a long run for pictures: what the engine would show after each chunk and each loop.

Runs in the engine's environment: `python long_shot_data.py FOLDER`. Chunks, seams, loops and the
files are made by the code of real runs; only the network is a stand-in, whose cameras drift much
more than those of a real one, so that the closing of the loop can be seen.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.streaming_world import StandIn, make_place
from da3_blender.contract.projection import unproject
from da3_blender.pipeline.live_chunks import MOST_FRAMES, LiveChunks
from da3_blender.streaming.runner import run_stream
from da3_blender.streaming.stream_settings import StreamSettings

if TYPE_CHECKING:
    from da3_blender.streaming.loop_looks import Loop
    from da3_blender.streaming.sim3_batch import Sim3Batch
    from da3_blender.streaming.stream_settings import PlacedChunk

FRAMES = 480
SETTINGS = StreamSettings(60, 15)
_SIZE = (96, 128)
_BLOCK_M = 18.0
_DRIFT = {"turn_deg": 0.16, "slip": 0.05, "bend": 0.03, "noise": 0.004, "outliers": 0.0}


class _Recorder:
    """Writes what a viewer would see, and keeps each state of it."""

    def __init__(self, place, folder: Path) -> None:  # noqa: ANN001 - of the benchmark
        self.place, self.folder = place, folder
        self.live = LiveChunks(folder, "AVERAGE", place.frames)
        self.done = self.states = 0

    def on_chunk(self, _number: int, _count: int, placed: PlacedChunk) -> None:
        fresh = placed.result.pick(slice(-placed.fresh, None))
        some = np.unique(np.linspace(0, placed.fresh - 1, MOST_FRAMES).round().astype(np.intp))
        numbers = list(range(self.done, self.done + placed.fresh))
        self.done += placed.fresh
        pictures = paint(self.place, [numbers[index] for index in some])
        place = placed.world_from_chunk, placed.seam
        self.live.add(fresh, (some, pictures), (np.eye(3), True), place, numbers)
        self._keep()

    def on_loop(self, _number: int, _count: int, loop: Loop | None) -> None:
        if loop is not None:
            self.live.count_loop()
            self._keep()

    def on_nodes(self, nodes: Sim3Batch) -> None:
        self.live.move([nodes.get(number) for number in range(nodes.count)])
        self._keep()

    def _keep(self) -> None:
        shutil.copy(self.live.file, self.folder / f"state_{self.states:02d}.json")
        self.states += 1


def paint(place, frames: list[int]) -> np.ndarray:  # noqa: ANN001 - of the benchmark
    """Return (n, H, W, 3) uint8: houses coloured by block, bricks, a street."""
    depth = place.cast(frames)
    w2c = place.w2c[frames]
    world = unproject(depth, np.tile(place.K, (len(frames), 1, 1)), w2c)
    x, y, z = (np.nan_to_num(world[..., axis]) for axis in range(3))
    palette = np.random.default_rng(4).uniform(90, 230, (64, 3))
    block = (np.floor(x / _BLOCK_M) * 5 + np.floor(y / _BLOCK_M)).astype(int) % len(palette)
    bricks = 0.85 + 0.15 * ((np.floor(z / 0.7) + np.floor((x + y) / 1.4)) % 2)
    normal = np.cross(np.gradient(world, axis=1), np.gradient(world, axis=2))
    with np.errstate(invalid="ignore", divide="ignore"):
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = 0.7 + 0.3 * np.abs(np.nan_to_num(normal) @ np.array([0.8, 0.3, 0.5]))
    street = 105 + 20 * ((np.floor(x / 2) + np.floor(y / 2)) % 2)
    colour = np.where((z < 0.02)[..., None], street[..., None], palette[block] * bricks[..., None])
    return np.clip(colour * light[..., None], 0, 255).astype(np.uint8)


def main(folder: Path) -> None:
    """Write chunks and states into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    place = replace(make_place("ring", FRAMES), height=_SIZE[0], width=_SIZE[1], keeps=True)
    with tempfile.TemporaryDirectory() as chunks:
        names = [f"ring_{n:04d}.png" for n in range(FRAMES)]
        recorder = _Recorder(place, folder)
        run_stream(
            StandIn(place, seed=5, **_DRIFT), names, Path(chunks), "ring", SETTINGS, recorder
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
