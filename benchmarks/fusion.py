# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: INP001, T201 - a script that prints its tables
"""One cloud by votes: errors before and after, what is left of a walker, time and memory.

Runs in the engine's environment: `python benchmarks/fusion.py [quality] [photos] [length]`. Cameras
are the true ones: what is measured is the cloud alone. Depth is that of the network's stand-in (see
`streaming_world.py`), in whose picture somebody walks.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.streaming_world import HEIGHT, TRAJECTORIES, WIDTH, StandIn, make_place
from da3_blender.contract.projection import project
from da3_blender.pipeline.fusion import CloudMaker, FusionLimits, fuse_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from da3_blender.pipeline.points import Cloud

_FRAMES = 600
_CHUNK = 60
_LENGTH = 10_000
_WALKS_BEFORE = 0.7
"""Share of the true depth below which a pixel shows who walks there."""
_DROP_PERCENT = 20.0


class Seen(NamedTuple):
    """All depth maps, (F, H, W): as they are, and as the stand-in says."""

    true: NDArray[np.float32]
    said: NDArray[np.float32]
    confidence: NDArray[np.float32]


def look(name: str, frames: int) -> tuple[Seen, NDArray[np.float64], NDArray[np.float64]]:
    """Return the depth maps of a trajectory, in metres, with K and w2c of all frames."""
    place = make_place(name, frames)
    stand_in = StandIn(place)
    parts = []
    for begin in range(0, frames, _CHUNK):
        numbers = range(begin, min(begin + _CHUNK, frames))
        true, result = place.cast(numbers), stand_in.predict(numbers)
        solid = true > 0
        unit = np.median(result.depth[solid] / true[solid])
        said = np.where(solid, result.depth / unit, 0).astype(np.float32)
        parts.append(Seen(true, said, result.confidence))
    seen = Seen(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    return seen, np.tile(place.K, (frames, 1, 1)), place.w2c


def make(
    seen: Seen, K: NDArray[np.float64], w2c: NDArray[np.float64], *, votes: bool
) -> tuple[Cloud, float]:
    """Return the cloud, and the seconds that it took; without votes all points as they came."""
    limits = FusionLimits(_DROP_PERCENT, 0.05, 1_000_000)
    began = time.perf_counter()
    maker = CloudMaker((K, w2c), (HEIGHT, WIDTH), limits)
    for begin in range(0, len(w2c), _CHUNK):
        part = np.arange(begin, min(begin + _CHUNK, len(w2c)))
        black = np.zeros((len(part), HEIGHT, WIDTH, 3), np.uint8)
        maker.add(part, seen.said[part], seen.confidence[part], black)
    cloud = maker.finish() if votes else maker.cloud
    return cloud, time.perf_counter() - began


def compare(
    cloud: Cloud, seen: Seen, K: NDArray[np.float64], w2c: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the relative error of depth of each point, and whether it shows who walks."""
    error, walks = np.zeros(len(cloud.positions)), np.zeros(len(cloud.positions), bool)
    for view in np.unique(cloud.view):
        mine = np.flatnonzero(cloud.view == view)
        pixels, depth = project(cloud.positions[mine], K[view], w2c[view])
        column, row = np.clip(pixels.astype(int), 0, (WIDTH - 1, HEIGHT - 1)).T
        true = seen.true[view, row, column]
        error[mine] = np.abs(depth / true - 1)
        walks[mine] = seen.said[view, row, column] < _WALKS_BEFORE * true
    return error, walks


def report_quality() -> None:
    """Print errors before and after, and what became of the walker."""
    print(f"{_FRAMES} frames of {WIDTH} x {HEIGHT}; errors are medians, in percent of the depth")
    for name in TRAJECTORIES:
        seen, K, w2c = look(name, _FRAMES)
        before, _ = make(seen, K, w2c, votes=False)
        after, seconds = make(seen, K, w2c, votes=True)
        error, walks = compare(before, seen, K, w2c)
        new_error, new_walks = compare(after, seen, K, w2c)
        still = ~new_walks & ~after.moving
        whole = np.count_nonzero(walks)
        print(
            f"{name}: {100 * np.median(error[~walks]):.2f} -> "
            f"{100 * np.median(new_error[still]):.2f}; of the walker "
            f"{np.count_nonzero(new_walks & after.moving) / whole:.0%} marked, "
            f"{np.count_nonzero(new_walks & ~after.moving) / whole:.0%} left; of the rest "
            f"{np.count_nonzero(~new_walks & after.moving) / np.count_nonzero(~walks):.2%} marked, "
            f"{np.count_nonzero(~new_walks) / np.count_nonzero(~walks):.0%} there; {seconds:.1f} s"
        )


def report_photos() -> None:
    """Print the time for 14 photos of the usual size."""
    height, width, count = 378, 504, 14
    rng = np.random.default_rng(0)
    K = np.tile([[420.0, 0, width / 2], [0, 420.0, height / 2], [0, 0, 1]], (count, 1, 1))
    w2c = np.tile(np.eye(4), (count, 1, 1))
    w2c[:, 0, 3] = np.linspace(-1, 1, count)
    depth = (4 * np.exp(0.01 * rng.normal(size=(count, height, width)))).astype(np.float32)
    confidence = rng.uniform(1, 2, depth.shape).astype(np.float32)
    images = np.zeros((*depth.shape, 3), np.uint8)
    began = time.perf_counter(), time.process_time()
    cloud = fuse_depth(depth, confidence, images, (K, w2c), (40.0, 0.05, 1_000_000))
    ended = time.perf_counter(), time.process_time()
    print(
        f"{count} photos of {width} x {height}: {ended[0] - began[0]:.1f} s, of the processor "
        f"{ended[1] - began[1]:.1f} s, {len(cloud.positions):,} points"
    )


def report_length() -> None:
    """Print time and memory of a long street, beside those of the depth maps themselves."""
    seen, K, w2c = look("street", _LENGTH)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cloud, seconds = make(seen, K, w2c, votes=True)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{_LENGTH} frames: {seconds:.0f} s, {more:.0f} MiB, {len(cloud.positions):,} points")


def main() -> None:
    """Print the tables that were asked for."""
    tables = {"quality": report_quality, "photos": report_photos, "length": report_length}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=" ".join(tables))
    for name in parser.parse_args().tables or list(tables):
        tables[name]()


if __name__ == "__main__":
    main()
