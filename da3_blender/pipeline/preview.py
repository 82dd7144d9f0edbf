# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been found so far, for people who wait: a few points and the cameras.

Runs in the engine. The file lies in the work folder of the run; it is replaced by each preview
and removed before the result is complete.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from .world import orient_world

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.progress import Progress
    from .outcome import Outcome

_FILE: Final = "preview.npz"
_MOST_POINTS: Final = 20_000


def show_preview(
    outcome: Outcome, total: int, folder: Path, world_up: str, progress: Progress
) -> None:
    """Write what there is and tell the client.

    Args:
        outcome: cameras and points in the solver's world.
        total: number of views in the input.
        folder: work folder of the run.
        world_up: as in the settings; the preview lies as the result will.
        progress: passes it on.
    """
    world = orient_world(
        outcome.w2c, outcome.cloud.positions, world_up, is_metric=outcome.is_metric
    )
    shown = outcome.moved(world)
    step = max(1, -(-len(shown.cloud.positions) // _MOST_POINTS))
    part, path = folder / f"part_{_FILE}", folder / _FILE
    try:
        np.savez(
            part,
            w2c=shown.w2c,
            K=shown.K,
            points=shown.cloud.positions[::step].astype(np.float32),
            colours=shown.cloud.colours[::step],
        )
        part.replace(path)
    except OSError:  # a full disk is told by the run itself; somebody may be reading the file
        return
    progress.show(
        {
            "cameras": len(shown.indices),
            "views": total,
            "points": len(shown.cloud.positions),
            "file": str(path),
        }
    )


def remove_preview(folder: Path) -> None:
    """Remove the file, if there is one."""
    for name in (_FILE, f"part_{_FILE}"):
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)
