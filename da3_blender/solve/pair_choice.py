# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which views to compare, when it is known roughly where their cameras are.

Runs in the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .refine_start import RefineStart

_SAMPLES: Final = 12  # per side of a picture
_LEAST_SHARE: Final = 0.25  # of the samples of one view that the other must see, too
# Poses may be wrong by some degrees, so a little beyond the border still counts as seen.
_BORDER: Final = 0.1
_MOST_NEIGHBOURS: Final = 12  # of each view, besides those next in order
_DIGITS: Final = 2  # of a share that mean something
_NEXT_IN_ORDER: Final = 3


def choose_pairs(start: RefineStart, *, is_ordered: bool) -> list[tuple[int, int]]:
    """Choose pairs of views that see the same things, near ones and far ones.

    Args:
        start: cameras, and depth maps where there are any.
        is_ordered: neighbours in the list are neighbours in time.

    Returns:
        Pairs (i, j) of positions in `start`, i < j, rising.
    """
    share = measure_covisibility(start)
    share = np.minimum(share, share.T)
    count = len(share)
    pairs: set[tuple[int, int]] = set()
    for i in range(count):
        if is_ordered:
            pairs |= {(i, j) for j in range(i + 1, min(i + 1 + _NEXT_IN_ORDER, count))}
        pairs |= {(min(i, j), max(i, j)) for j in _choose_neighbours(i, share[i])}
    return sorted(pairs)


def _choose_neighbours(view: int, share: NDArray[np.float64]) -> list[int]:
    """Take half of the neighbours from the nearest views, the rest spread over all that overlap."""
    apart = np.abs(np.arange(len(share)) - view)
    order = np.lexsort((apart, -np.round(share, _DIGITS)))  # of equal ones the nearest in order
    seen = [int(j) for j in order if j != view and share[j] >= _LEAST_SHARE]
    near = seen[: _MOST_NEIGHBOURS // 2]
    rest = seen[_MOST_NEIGHBOURS // 2 :]
    wanted = _MOST_NEIGHBOURS - len(near)
    if len(rest) <= wanted:
        return near + rest
    picks = np.linspace(0, len(rest) - 1, wanted).round().astype(int)
    return near + [rest[pick] for pick in picks]


def measure_covisibility(start: RefineStart) -> NDArray[np.float64]:
    """Tell which share of a view another one sees.

    Where a view has no depth map, its scene is thought to lie at the distance that is usual for
    the cameras: that at which their optical axes pass nearest to each other.

    Returns:
        (N, N) float64, row i column j: share of samples of view i inside the picture of view j.
    """
    count = len(start.w2c)
    K = np.stack([lens.K for lens in start.lens_per_view()])
    sizes = np.array([[lens.width, lens.height] for lens in start.lens_per_view()], float)
    usual = estimate_usual_depth(start)
    share = np.zeros((count, count))
    ticks = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    c2w = invert_rigid(start.w2c)
    for i in range(count):
        pixels = grid * sizes[i]
        depth = start.look_up_depth(i, pixels)
        depth = np.where(np.isfinite(depth), depth, usual)
        rays = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) @ np.linalg.inv(K[i]).T
        world = (rays * depth[:, None]) @ c2w[i, :3, :3].T + c2w[i, :3, 3]
        local = np.einsum("nij,sj->nsi", start.w2c[:, :3, :3], world)
        local += start.w2c[:, None, :3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = local[..., :2] / local[..., 2:]
        seen = flat * K[:, None, [0, 1], [0, 1]] + K[:, None, :2, 2]
        room = _BORDER * sizes[:, None]
        inside = (seen > -room).all(-1) & (seen < sizes[:, None] + room).all(-1)
        share[i] = (inside & (local[..., 2] > 0)).mean(axis=1)
    return share


def estimate_usual_depth(start: RefineStart) -> float:
    """Return how far things are from the cameras, where no depth map tells it.

    Source: the point nearest to all optical axes, in the sense of least squares.
    """
    known = start.collect_depth()
    if len(known):
        return float(np.median(known))
    c2w = invert_rigid(start.w2c)
    centres, axes = c2w[:, :3, 3], c2w[:, :3, 2]
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    normal = across.sum(0) + 1e-9 * len(axes) * np.eye(3)
    middle = np.linalg.solve(normal, np.einsum("nij,nj->i", across, centres))
    ahead = np.einsum("nj,nj->n", middle - centres, axes)
    spread = float(np.linalg.norm(centres - centres.mean(0), axis=1).max())
    return float(np.median(ahead)) if np.median(ahead) > spread else max(3 * spread, 1.0)


def write_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the text of a list of pairs of image names, as COLMAP reads it."""
    return "".join(f"{first} {second}\n" for first, second in pairs)
