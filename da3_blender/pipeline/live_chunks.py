# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chunks of a long sequence as they come, for a viewer that shows them as objects.

Runs in the engine. Each chunk is one file that never changes: points and cameras in the world and
unit of the chunk. A second, small file says where the chunks lie; only that one is written again
when a loop moves them. The files lie in the work folder of the run and go with it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.live import LIVE_FILE, LIVE_PATTERN, name_live_chunk
from ..contract.projection import unproject
from ..contract.similarity import Sim3, chain_sim3, identity_sim3
from ..contract.whole_file import open_whole
from .world import orient_world

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..streaming.overlap import Seam
    from ..streaming.store import ChunkResult

MOST_FRAMES: Final = 12
"""Of a chunk, that give points."""
_POINTS: Final = 25_000
"""Of a chunk."""
_LEAST_CONFIDENCE_PERCENT: Final = 40.0


class LiveChunks:
    """Writes what a viewer shows.

    Args:
        folder: work folder of the run.
        world_up: as in the settings.
        total: frames of the sequence.
    """

    def __init__(self, folder: Path, world_up: str, total: int) -> None:
        self._folder, self._world_up, self._total = folder, world_up, total
        self._chunks: list[dict[str, Any]] = []
        self._places: list[Sim3] = []
        self._world: Sim3 = identity_sim3()
        self._loops = 0

    @property
    def file(self) -> Path:
        """Return the file that tells where the chunks lie."""
        return self._folder / LIVE_FILE

    def add(
        self,
        fresh: ChunkResult,
        shown: tuple[NDArray[np.intp], NDArray[np.uint8]],
        facts: tuple[NDArray[np.float64], bool],
        place: tuple[Sim3, Seam | None],
        numbers: list[int],
    ) -> None:
        """Add the frames that a chunk has and none before it.

        Args:
            fresh: n frames.
            shown: (m,) places of those that give points, and (m, H, W, 3) uint8 sRGB, their
                pictures on the grid of the depth maps.
            facts: grid_from_photo (3, 3), and whether depth is in metres.
            place: world_from_chunk by the seams so far, and how it is joined to its predecessor.
            numbers: of the frames, on the time line of the source.
        """
        points, colours = _choose_points(fresh.pick(shown[0]), shown[1])
        grid, is_metric = facts
        if not self._chunks:
            # the first chunk turns the world upright; it stays like that until the result comes
            self._world = orient_world(fresh.w2c, points, self._world_up, is_metric=is_metric)
        with open_whole(self._folder / name_live_chunk(len(self._chunks))) as file:
            np.savez(
                file,
                points=points,
                colours=colours,
                w2c=fresh.w2c,
                K=np.linalg.inv(grid) @ fresh.K,
                frames=np.array(numbers, np.int64),
                size=np.array(_find_size(grid, fresh.depth.shape)),
            )
        where, seam = place
        self._places.append(where)
        self._chunks.append(
            {
                "drift": None if seam is None else seam.shift,
                "agreement": None if seam is None else seam.inliers,
                "frames": len(numbers),
                "points": len(points),
            }
        )
        self._write()

    def move(self, places: list[Sim3]) -> None:
        """Put all chunks somewhere else."""
        self._places = places[: len(self._chunks)]
        self._write()

    def count_loop(self) -> None:
        """Note that a place was seen again."""
        self._loops += 1
        self._write()

    def describe(self) -> dict[str, Any]:
        """Return what the panel shows: frames done and in all, points, last drift, loops."""
        drifts = [chunk["drift"] for chunk in self._chunks if chunk["drift"] is not None]
        return {
            "live": str(self.file),
            "cameras": sum(chunk["frames"] for chunk in self._chunks),
            "views": self._total,
            "points": sum(chunk["points"] for chunk in self._chunks),
            "drift": drifts[-1] if drifts else None,
            "loops": self._loops,
        }

    def _write(self) -> None:
        chunks = [
            {**chunk, "place": chain_sim3(self._world, place).to_json()}
            for chunk, place in zip(self._chunks, self._places, strict=True)
        ]
        with open_whole(self.file) as file:
            file.write(json.dumps({**self.describe(), "chunks": chunks}).encode())


def remove_live(folder: Path) -> None:
    """Remove the files; a viewer then leaves what it shows as it is."""
    for file in (*folder.glob(LIVE_PATTERN), folder / LIVE_FILE):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _choose_points(
    fresh: ChunkResult, pictures: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return some points of a chunk in its own world, and their colours."""
    known = fresh.depth > 0
    if not known.any():
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8)
    known &= fresh.confidence >= np.percentile(fresh.confidence[known], _LEAST_CONFIDENCE_PERCENT)
    place = np.flatnonzero(known)
    place = np.sort(np.random.default_rng(0).permutation(place)[:_POINTS])
    # frame by frame: lifting all pixels of a chunk at once takes as much memory as the chunk
    pixels = known[0].size
    parts = []
    for frame in np.unique(place // pixels).tolist():
        mine = place[place // pixels == frame] - frame * pixels
        one = slice(frame, frame + 1)
        world = unproject(fresh.depth[one], fresh.K[one], fresh.w2c[one])
        parts.append(world.reshape(-1, 3)[mine])
    return np.concatenate(parts).astype(np.float32), pictures.reshape(-1, 3)[place]


def _find_size(grid: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int]:
    """Return width and height of the photo, from where the corners of its grid come from."""
    corner = np.linalg.inv(grid) @ (shape[2], shape[1], 1.0)
    return round(float(corner[0])), round(float(corner[1]))
