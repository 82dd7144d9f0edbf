# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Solved cameras on disk, so that nobody solves twice.

Runs in the engine and under the bpy wheel; numpy only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from da3_blender.contract.lens import Lens

from .slip import Solved

if TYPE_CHECKING:
    from pathlib import Path


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
