# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussians of a prediction as a PLY file: which of them are worth a place in it.

Runs in the engine. The layout of the file is in `splats/gaussian_ply.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..contract.errors import EngineError, ErrorCode
from ..contract.whole_file import open_whole
from ..splats.cloud import GaussianCloud
from ..splats.gaussian_ply import PlyLayout, build_ply_rows, write_ply_head

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray

_BORDER_SHARE = 8 / 256
_CENTRED_QUANTILE = 0.95
_VIEWS_WORTH_KEEPING = 12


class GaussianArrays(Protocol):
    """What is written, G Gaussians in view, row, column order; `inference.gaussians` makes it."""

    @property
    def means(self) -> Array:
        """Return (G, 3) float32."""
        ...

    @property
    def scales(self) -> Array:
        """Return (G, 3) float32, scene units."""
        ...

    @property
    def rotations(self) -> Array:
        """Return (G, 4) float32, wxyz."""
        ...

    @property
    def harmonics(self) -> Array:
        """Return (G, 3, D) float32, D coefficients of each colour."""
        ...

    @property
    def opacities(self) -> Array:
        """Return (G,) float32, 0 to 1."""
        ...


@dataclass(frozen=True)
class PlyOptions:
    """What is left out, and how the rest is written.

    Attributes:
        layout: which columns.
        drops_border: leave out 8/256 of the picture at each side, where Gaussians are poor.
        depth_quantile: leave out of each view what lies deeper than this share; 1 keeps all.
        view_step: use views 0, n, 2n, ...; None uses about 12.
        is_centred: move the median to the origin and scale most of the cloud into a unit cube.
    """

    layout: PlyLayout = PlyLayout.FULL
    drops_border: bool = True
    depth_quantile: float = 1.0
    view_step: int | None = 1
    is_centred: bool = False


def write_gaussian_ply(
    path: Path,
    gaussians: GaussianArrays,
    depth: Array,
    options: PlyOptions | None = None,
    sky: Array | None = None,
) -> int:
    """Write a binary PLY file; it appears under its name when it is complete.

    Args:
        path: of the file; an older one is replaced.
        gaussians: one per pixel of `depth`, in any world.
        depth: (N, H, W) float32 of the same prediction.
        options: None for the defaults.
        sky: (N, H, W) bool, pixels to leave out, or None.

    Returns:
        The number of Gaussians in the file.

    Raises:
        EngineError: INPUT_MISMATCH, the numbers differ; SETTINGS_INVALID, nothing is left;
            DISK_FULL or OUTPUT_UNWRITABLE.
    """
    options = options or PlyOptions()
    keep = choose_gaussians(gaussians, depth, options, sky)
    count = int(np.count_nonzero(keep))
    if not count:
        raise EngineError(
            ErrorCode.SETTINGS_INVALID,
            f"None of {keep.size} Gaussians is left to write.",
            "Trim less, or use photos that show more than sky.",
        )
    centre, unit = None, 1.0
    if options.is_centred:
        centre, unit = _find_frame(gaussians.means[keep])
    cloud = GaussianCloud(
        gaussians.means,
        gaussians.scales,
        gaussians.rotations,
        gaussians.opacities,
        gaussians.harmonics,
    )
    per_view = depth.shape[1] * depth.shape[2]
    with open_whole(path) as file:
        write_ply_head(file, options.layout, gaussians.harmonics.shape[2], count)
        for view in range(len(depth)):
            part = keep[view * per_view : (view + 1) * per_view]
            chosen = view * per_view + np.flatnonzero(part)
            file.write(build_ply_rows(cloud, chosen, options.layout, centre, unit).data)
    return count


def choose_gaussians(
    gaussians: GaussianArrays, depth: Array, options: PlyOptions, sky: Array | None = None
) -> Array:
    """Choose what is worth a place in a file.

    Args:
        gaussians: one per pixel of `depth`.
        depth: (N, H, W) float32.
        options: what is left out. Gaussians without size, or with numbers that are not finite,
            always are.
        sky: (N, H, W) bool, pixels to leave out, or None.

    Returns:
        (G,) bool.

    Raises:
        EngineError: INPUT_MISMATCH; the numbers of pixels and Gaussians differ.
    """
    if len(gaussians.means) != depth.size or (sky is not None and sky.shape != depth.shape):
        raise EngineError(
            ErrorCode.INPUT_MISMATCH,
            f"There are {len(gaussians.means)} Gaussians for {depth.size} pixels.",
            "Give depth and sky of the prediction that the Gaussians come from.",
        )
    views, height, width = depth.shape
    keep = np.ones(depth.shape, bool) if sky is None else ~sky
    step = options.view_step
    if step is None:
        step = max(1, views // _VIEWS_WORTH_KEEPING)
    keep[np.arange(views) % step != 0] = False
    if options.drops_border:
        down, across = int(_BORDER_SHARE * height), int(_BORDER_SHARE * width)
        inside = np.zeros((height, width), bool)
        inside[down : height - down, across : width - across] = True
        keep &= inside
    if options.depth_quantile < 1:
        limits = np.quantile(depth.reshape(views, -1), options.depth_quantile, axis=1)
        keep &= depth <= limits[:, None, None]
    keep = keep.reshape(-1)
    for scales in gaussians.scales.T:
        keep &= scales > 0
    return keep & np.isfinite(_add_numbers(gaussians))


def _add_numbers(gaussians: GaussianArrays) -> Array:
    """Return (G,) float32, the sum of all numbers of a Gaussian: finite if they all are."""
    arrays = (
        gaussians.means,
        gaussians.scales,
        gaussians.rotations,
        gaussians.harmonics,
        gaussians.opacities,
    )
    total = np.zeros(len(gaussians.means), np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for values in arrays:
            flat = values.reshape(len(total), -1)
            total += flat @ np.ones(flat.shape[1], np.float32)
    return total


def _find_frame(means: Array) -> tuple[Array, float]:
    """Return the (lower) median position and the half size of most of the cloud."""
    middle = (len(means) - 1) // 2
    centre = np.sort(means, axis=0)[middle].astype(np.float64)
    unit = float(np.quantile(np.abs(means - centre), _CENTRED_QUANTILE, axis=0).max())
    return centre, unit if unit > 0 else 1.0
