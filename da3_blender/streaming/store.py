# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunks on disk: what a run goes on from after a crash, and what others read while it grows.

Runs in the engine. One file for each chunk, each appears whole or not at all; no pickles. Depth is
kept as 16-bit floats, confidence as 8-bit logarithms, cameras as doubles. Whoever reads gets what
is on the disk, also the run that has just computed it: a run that was interrupted and goes on ends
with the same numbers as one that was not.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.whole_file import open_whole

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .chunks import Chunk

FORMAT: Final = 1
_MANIFEST: Final = "streaming.json"
_LEAST_CONFIDENCE: Final = 1e-3
_STEPS_PER_E: Final = 16.0
"""Steps of the stored confidence for a factor of e: one step is six percent."""
_LARGEST_HALF: Final = 65_000.0
_ARRAYS: Final = ("depth", "confidence", "w2c", "K", "descriptors")


class ChunkResult(NamedTuple):
    """What the network says about the frames of a chunk, in a world and unit of its own.

    Attributes:
        depth: (n, H, W) float32, along the optical axis; 0 where nobody knows (sky, masks).
        confidence: (n, H, W) float32, larger is better, 0 or more.
        w2c: (n, 4, 4) float64, OpenCV world-to-camera.
        K: (n, 3, 3) float64, pixels of the depth maps.
        descriptors: (n, C) float32, what frames are compared with, or None.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    w2c: NDArray[np.float64]
    K: NDArray[np.float64]
    descriptors: NDArray[np.float32] | None = None

    def pick(self, frames: slice | NDArray[np.integer]) -> ChunkResult:
        """Return some of the frames."""
        return ChunkResult(*(None if part is None else part[frames] for part in self))


@dataclass(frozen=True)
class RunKey:
    """What a stored chunk depends on; a run goes on only with what has the same key.

    Attributes:
        frames: names of all frames, in order.
        size: frames of a chunk.
        overlap: frames that neighbours share.
        predictor: names model, weights and settings of whoever predicts.
    """

    frames: tuple[str, ...]
    size: int
    overlap: int
    predictor: str


class ChunkStore:
    """The folder of one run.

    Args:
        folder: made if it is missing.
        key: what belongs together.

    Raises:
        EngineError: OUTPUT_UNWRITABLE or DISK_FULL; INPUT_MISMATCH, the folder holds another run.
    """

    def __init__(self, folder: Path, key: RunKey) -> None:
        self.folder = folder
        manifest = folder / _MANIFEST
        if manifest.exists():
            if not holds_run(folder, key):
                raise EngineError(
                    ErrorCode.INPUT_MISMATCH,
                    f"The folder {folder} holds the chunks of another run.",
                    "Choose another results folder, or remove that one.",
                )
            return
        with open_whole(manifest) as file:
            file.write(json.dumps(_describe(key)).encode())

    def has(self, name: str) -> bool:
        """Tell whether something was stored whole."""
        return self._place(name).exists()

    def save(self, name: str, result: ChunkResult) -> None:
        """Store a result.

        Raises:
            EngineError: DISK_FULL or OUTPUT_UNWRITABLE.
        """
        arrays: dict[str, NDArray[Any]] = {
            "depth": np.clip(result.depth, 0, _LARGEST_HALF).astype(np.float16),
            "confidence": _pack_confidence(result.confidence),
            "w2c": np.asarray(result.w2c, np.float64),
            "K": np.asarray(result.K, np.float64),
        }
        if result.descriptors is not None:
            arrays["descriptors"] = result.descriptors.astype(np.float16)
        with open_whole(self._place(name)) as file:
            np.savez(file, **arrays)

    def load(self, name: str, frames: slice | NDArray[np.integer] = slice(None)) -> ChunkResult:
        """Read some frames of a result.

        Raises:
            EngineError: RESULT_BROKEN.
        """
        depth, confidence, w2c, K, descriptors = self._read(name, _ARRAYS, frames)
        return ChunkResult(
            depth.astype(np.float32),
            _unpack_confidence(confidence),
            w2c,
            K,
            None if descriptors is None else descriptors.astype(np.float32),
        )

    def load_cameras(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Read w2c (n, 4, 4) and K (n, 3, 3) of a result, which is much less than all of it.

        Raises:
            EngineError: RESULT_BROKEN.
        """
        w2c, K = self._read(name, ("w2c", "K"), slice(None))
        return w2c, K

    def _read(
        self, name: str, keys: tuple[str, ...], frames: slice | NDArray[np.integer]
    ) -> list[NDArray[Any]]:
        place = self._place(name)
        try:
            with np.load(place, allow_pickle=False) as file:
                return [file[key][frames] if key in file else None for key in keys]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise EngineError(
                ErrorCode.RESULT_BROKEN,
                f"The chunk {place} cannot be read ({error}).",
                "Remove the file: the run computes it again.",
            ) from error

    def _place(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def holds_run(folder: Path, key: RunKey) -> bool:
    """Tell whether a folder holds chunks of a run.

    Raises:
        EngineError: RESULT_BROKEN.
    """
    manifest = folder / _MANIFEST
    return manifest.exists() and _read_json(manifest) == _describe(key)


def _describe(key: RunKey) -> dict[str, Any]:
    return {"format": FORMAT, **asdict(key), "frames": list(key.frames)}


def estimate_disk_bytes(chunks: list[Chunk], height: int, width: int) -> int:
    """Tell how much room the chunks of a run take."""
    per_pixel = np.dtype(np.float16).itemsize + np.dtype(np.uint8).itemsize
    return sum(chunk.size for chunk in chunks) * height * width * per_pixel


def _pack_confidence(confidence: NDArray[np.floating]) -> NDArray[np.uint8]:
    log = np.log(np.maximum(confidence, _LEAST_CONFIDENCE) / _LEAST_CONFIDENCE)
    return np.clip(np.rint(log * _STEPS_PER_E), 0, 255).astype(np.uint8)


def _unpack_confidence(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    unpacked = np.exp(packed.astype(np.float32) / np.float32(_STEPS_PER_E))
    return np.where(packed == 0, np.float32(0), unpacked * np.float32(_LEAST_CONFIDENCE))


def _read_json(place: Path) -> dict[str, Any]:
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(
            ErrorCode.RESULT_BROKEN,
            f"The file {place} cannot be read ({error}).",
            "Remove it: the run computes it again.",
        ) from error
    return content
