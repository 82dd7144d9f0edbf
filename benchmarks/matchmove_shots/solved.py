# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Solved cameras, and their files, so that nobody solves twice.

Runs in the engine and under the bpy wheel; numpy only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from da3_blender.contract.lens import Lens

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray


class Solved(NamedTuple):
    """Cameras that somebody found; F frames.

    Args:
        w2c: (F, 4, 4) float64, OpenCV axes, any similarity; NaN where the frame is lost.
        K: (F, 3, 3) float64, pixels of the plate.
        lenses: per frame, None where the frame is lost.
        seconds: that it took.
        note: what there is to say.
    """

    w2c: Array
    K: Array
    lenses: list[Lens | None]
    seconds: float = 0.0
    note: str = ""

    def list_placed(self) -> list[int]:
        """Return the frames with a camera."""
        usable = np.isfinite(self.w2c).all((1, 2))
        return [i for i, lens in enumerate(self.lenses) if usable[i] and lens is not None]


def place_solved(out: Path, shot: str, solver: str) -> Path:
    """Return where the cameras of a solver are kept."""
    return out / "solved" / f"{shot}-{solver}.npz"


def save_solved(path: Path, solved: Solved) -> None:
    """Write through a temporary name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "lenses": [None if lens is None else lens.to_json() for lens in solved.lenses],
        "seconds": solved.seconds,
        "note": solved.note,
    }
    part = path.with_suffix(".part.npz")
    np.savez(part, w2c=solved.w2c, K=solved.K, told=json.dumps(told))
    part.rename(path)


def load_solved(path: Path) -> Solved:
    """Read what `save_solved` wrote."""
    with np.load(path) as file:
        told = json.loads(str(file["told"]))
        w2c, K = file["w2c"], file["K"]
    lenses = [None if lens is None else Lens.from_json(lens) for lens in told["lenses"]]
    return Solved(w2c, K, lenses, float(told["seconds"]), str(told["note"]))
