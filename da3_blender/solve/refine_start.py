# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before cameras are refined: rough poses, lenses and depth maps.

Runs in the engine, on both sides of COLMAP's child process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.lens import Lens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class RefineStart:
    """Rough cameras of N views.

    Args:
        views: indices of the source's views, ascending.
        w2c: (N, 4, 4) float64, OpenCV world-to-camera, any scale.
        lenses: to start from.
        lens_of_view: index into `lenses` for each of the N views.
        depth: (D, H, W) float32 along the axis in units of w2c, <= 0 unknown; None for none.
        grid_from_photo: (D, 3, 3), pixels of the photo to those of the depth map.
        depth_view: (D,) positions among the N views, ascending.
        depth_lenses: of each of the D maps the lens whose distortion its photo had been freed of
            before, None where it was looked at as it is; empty for none at all.
    """

    views: Sequence[int]
    w2c: NDArray[np.float64]
    lenses: tuple[Lens, ...]
    lens_of_view: Sequence[int]
    depth: NDArray[np.float32] | None = None
    grid_from_photo: NDArray[np.float64] | None = None
    depth_view: NDArray[np.integer] | None = None
    depth_lenses: tuple[Lens | None, ...] = ()

    def lens_per_view(self) -> list[Lens]:
        """Return the lens of each view."""
        return [self.lenses[index] for index in self.lens_of_view]

    def look_up_depth(self, view: int, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (P,) depth at (P, 2) pixels of the photo of a view; NaN where it is unknown."""
        pixels = np.asarray(pixels, float)
        nothing = np.full(len(pixels), np.nan)
        if self.depth is None or self.grid_from_photo is None or self.depth_view is None:
            return nothing
        row = int(np.searchsorted(self.depth_view, view))
        if row >= len(self.depth_view) or self.depth_view[row] != view:
            return nothing
        lens = self.depth_lenses[row] if self.depth_lenses else None
        if lens is not None:
            pixels = lens.photo_to_pinhole(pixels)
        _, height, width = self.depth.shape
        grid = self.grid_from_photo[row]
        at = pixels @ grid[:2, :2].T + grid[:2, 2]
        inside = (at >= 0).all(1) & (at < [width, height]).all(1)
        column, line = np.where(inside[:, None], at, 0).astype(int).T
        found = self.depth[row][line, column].astype(float)
        return np.where(inside & np.isfinite(found) & (found > 0), found, np.nan)

    def collect_depth(self) -> NDArray[np.float32]:
        """Return all known depths of a coarse sample, (P,)."""
        if self.depth is None:
            return np.zeros(0, np.float32)
        some = self.depth[:, ::8, ::8]
        return some[np.isfinite(some) & (some > 0)]

    def save(self, path: Path) -> dict[str, Any]:
        """Write the arrays for the child process; return the rest as plain values."""
        arrays: dict[str, Any] = {"w2c": self.w2c}
        if self.depth is not None:
            arrays |= {
                "depth": self.depth,
                "grid_from_photo": self.grid_from_photo,
                "depth_view": self.depth_view,
            }
        np.savez(path, **arrays)
        return {
            "views": list(self.views),
            "lenses": [lens.to_json() for lens in self.lenses],
            "lens_of_view": list(self.lens_of_view),
            "depth_lenses": [
                None if lens is None else lens.to_json() for lens in self.depth_lenses
            ],
        }

    @classmethod
    def load(cls, path: Path, rest: dict[str, Any]) -> RefineStart:
        """Read what `save` wrote."""
        with np.load(path) as file:
            arrays = dict(file)
        return cls(
            views=[int(view) for view in rest["views"]],
            lenses=tuple(Lens.from_json(lens) for lens in rest["lenses"]),
            lens_of_view=[int(lens) for lens in rest["lens_of_view"]],
            depth_lenses=tuple(
                None if lens is None else Lens.from_json(lens) for lens in rest["depth_lenses"]
            ),
            **arrays,
        )
