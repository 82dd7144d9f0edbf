# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody found out about a scene from its pictures, to be compared with the truth.

Runs in the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .scene import Scene


@dataclass(frozen=True, eq=False)
class Cost:
    """What an estimate took.

    Args:
        seconds: for all frames, decoding the pictures included, loading the network not.
        device: its name.
        precision: of the network's backbone, "" without one.
        peak_device_bytes: most memory of the graphics card, None where it does not count.
    """

    seconds: float
    device: str
    precision: str = ""
    peak_device_bytes: int | None = None


@dataclass(frozen=True, eq=False)
class Estimate:
    """Cameras and depth of the frames that were found.

    Args:
        frames: (M,) indices of the frames in the scene, ascending; the rest follows them.
        w2c: (M, 4, 4) OpenCV world-to-camera, any world; None where cameras were not sought.
        K: (M, 3, 3) pixels of the scene's pictures, or None.
        depth: (M, H, W) float32 along the optical axis, in the unit of w2c; None without a network.
        grid_from_photo: (M, 3, 3) pixels of the pictures to pixels of the depth maps, or None.
        cost: what it took.
        notes: sentences for the user.
    """

    frames: NDArray[np.intp]
    w2c: NDArray[np.float64] | None
    K: NDArray[np.float64] | None
    depth: NDArray[np.float32] | None
    grid_from_photo: NDArray[np.float64] | None
    cost: Cost
    notes: tuple[str, ...] = field(default=())


class Estimator(Protocol):
    """Somebody who finds cameras, depth or both."""

    title: str

    def estimate(
        self,
        scene: Scene,
        report: Callable[[float, str], None],
        is_cancelled: Callable[[], bool],
    ) -> Estimate:
        """Look at a scene.

        Args:
            scene: its truth may be used only by an estimator that is given it by design.
            report: is told the finished share, 0 to 1, and what is being done.
            is_cancelled: asked from time to time.

        Raises:
            EngineError: with a remedy.
            CancelledError: the user cancelled.
        """
        ...


def sample_depth(
    estimate: Estimate, index: int, size: tuple[int, int], shape: tuple[int, int], stride: int = 1
) -> NDArray[np.float32]:
    """Read an estimated depth map at the pixels of another grid, nearest.

    Args:
        estimate: with depth.
        index: which of its frames.
        size: width and height of the scene's picture.
        shape: rows and columns of the other grid, which covers the picture.
        stride: take every n-th row and column of it.

    Returns:
        (rows / stride, columns / stride) float32, NaN outside of the estimated map.
    """
    depth = estimate.depth[index]
    grid = estimate.grid_from_photo[index]
    (width, height), (rows, columns) = size, shape
    x = (np.arange(0, columns, stride) + 0.5) * width / columns
    y = (np.arange(0, rows, stride) + 0.5) * height / rows
    u = np.floor(grid[0, 0] * x + grid[0, 2]).astype(np.intp)  # the grid is never turned
    v = np.floor(grid[1, 1] * y + grid[1, 2]).astype(np.intp)
    inside = (v >= 0)[:, None] & (v < depth.shape[0])[:, None]
    inside = inside & (u >= 0) & (u < depth.shape[1])
    u, v = np.clip(u, 0, depth.shape[1] - 1), np.clip(v, 0, depth.shape[0] - 1)
    return np.where(inside, depth[v[:, None], u], np.float32(np.nan))
