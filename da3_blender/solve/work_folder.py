# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where COLMAP's files lie in a run's work folder.

Runs in the engine, on both sides of COLMAP's child process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class WorkFolder:
    """Names of the files in one work folder.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def database(self) -> Path:
        """COLMAP's database."""
        return self.path / "database.db"

    @property
    def sparse(self) -> Path:
        """The model that was taken, in COLMAP's binary format."""
        return self.path / "sparse"

    @property
    def solution(self) -> Path:
        """The same model as arrays."""
        return self.path / "solution.npz"

    @property
    def snapshot(self) -> Path:
        """A model that is not finished yet, as arrays."""
        return self.path / "snapshot.npz"

    @property
    def start(self) -> Path:
        """Rough cameras before they are refined, as arrays."""
        return self.path / "start.npz"

    @property
    def pairs(self) -> Path:
        """Names of the pairs of images to compare."""
        return self.path / "pairs.txt"

    def pixels(self, view: int) -> Path:
        """The reduced photo of a view, for as long as its features are searched."""
        return self.path / f"pixels_{view:06d}.npy"

    def features(self, view: int) -> Path:
        """Keypoints, descriptors and colours of a view."""
        return self.path / "features" / f"{view:06d}.npz"

    def log(self, process: int) -> Path:
        """What a child process wrote to stdout and stderr."""
        return self.path / f"colmap_{process}.log"

    def make(self) -> None:
        """Make the folders that must exist."""
        (self.path / "features").mkdir(parents=True, exist_ok=True)
