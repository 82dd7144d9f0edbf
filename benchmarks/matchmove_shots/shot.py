# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rendered shot on disk: its frames, its masks and the truth about it.

Runs in the engine and under the bpy wheel; numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.lens import Lens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Array = np.ndarray
TRUTH_FILE = "truth.npz"


@dataclass(frozen=True)
class Truth:
    """What is known of a shot; F frames, P hidden points.

    Args:
        w2c: (F, 4, 4) float64, OpenCV axes, metres.
        K: (F, 3, 3) float64, pixels of the plate; the pinhole part of the lens.
        distortion: (F, 2) float64, k1 and k2 of OpenCV's model.
        size: width and height of the plate, pixels.
        depth: (F, h, w) float32, metres along the axis at the pixel centres of the ideal pinhole
            picture, moving things included; 0 for the sky. The longer side is 504 pixels, and h
            and w are multiples of 14, as the network sees a picture.
        points: (P, 3) float64, on static surfaces, world.
        pixels: (F, P, 2) float64, where the plate shows them, distortion included.
        visible: (F, P) bool.
    """

    w2c: Array
    K: Array
    distortion: Array
    size: tuple[int, int]
    depth: Array
    points: Array
    pixels: Array
    visible: Array

    def make_lens(self, frame: int) -> Lens:
        """Return the lens of a frame."""
        return make_lens(self.K[frame], self.distortion[frame], self.size)

    @property
    def grid_from_photo(self) -> Array:
        """(3, 3) float64, pixels of the plate to those of the depth maps."""
        height, width = self.depth.shape[1:]
        return np.diag([width / self.size[0], height / self.size[1], 1.0])

    @property
    def median_depth(self) -> float:
        """Metres; of all that is no sky."""
        return float(np.median(self.depth[self.depth > 0]))

    def save(self, path: Path) -> None:
        """Write through a temporary name."""
        part = path.with_suffix(".part.npz")
        np.savez_compressed(
            part,
            w2c=self.w2c,
            K=self.K,
            distortion=self.distortion,
            size=np.array(self.size),
            depth=self.depth,
            points=self.points,
            pixels=self.pixels,
            visible=self.visible,
        )
        part.rename(path)

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read what `save` wrote."""
        with np.load(path) as file:
            arrays = dict(file)
        arrays["size"] = tuple(int(side) for side in arrays["size"])
        return cls(**arrays)


def make_lens(K: Array, distortion: Sequence[float], size: tuple[int, int]) -> Lens:
    """Return a lens of OpenCV's model with k1 and k2 and square pixels."""
    params = (K[0, 0], K[0, 2], K[1, 2], *distortion)
    return Lens("RADIAL", tuple(float(value) for value in params), *size)


@dataclass(frozen=True)
class Shot:
    """Where a shot lies."""

    name: str
    folder: Path

    @property
    def frames(self) -> Path:
        """Folder of the pictures."""
        return self.folder / "frames"

    @property
    def masks(self) -> Path | None:
        """Folder of the masks, black where something moves; None where nothing does."""
        folder = self.folder / "masks"
        return folder if folder.is_dir() else None

    def list_frames(self) -> list[Path]:
        """Return the pictures in order."""
        return sorted(self.frames.glob("*.png"))

    def load_truth(self) -> Truth:
        """Read the truth."""
        return Truth.load(self.folder / TRUTH_FILE)

    def is_complete(self) -> bool:
        """Whether the shot has been rendered to its end."""
        return (self.folder / TRUTH_FILE).is_file()


def open_shot(out: Path, name: str) -> Shot:
    """Return a shot of the benchmark's folder."""
    return Shot(name, out / "shots" / name)


def name_frame(shot: str, frame: int) -> str:
    """Return the name of a picture; frames count from 0, names from 1."""
    return f"{shot}_{frame + 1:04d}.png"
