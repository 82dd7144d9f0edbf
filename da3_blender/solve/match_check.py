# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells matches that rough cameras contradict: the corners of a window look alike.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..contract.cameras import invert_rigid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .refine_start import RefineStart

_LEAST_PX: Final = 40.0  # of a plate 1000 wide: what rough cameras may be off without being doubted
_MANY_SIGMAS: Final = 6.0


def find_plausible(
    start: RefineStart, ends: Sequence[tuple[int, int]], places: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.bool_]]:
    """Tell which matches rough cameras could believe.

    Where the depth of a point is known, its other end must be near where the cameras say; else near
    the line on which it must lie. How near follows from all matches, most of which are right.

    Args:
        start: rough cameras.
        ends: the two views of each pair.
        places: (M, 4) of each pair: x and y in the first view, x and y in the second, pixels.

    Returns:
        (M,) bool for each pair.
    """
    if not ends:
        return []
    off = [_measure(start, *pair, place) for pair, place in zip(ends, places, strict=True)]
    unit = max(max(lens.width, lens.height) for lens in start.lenses) / 1000
    together = np.concatenate(off)
    usual = float(np.median(together)) if len(together) else 0.0
    limit = max(_LEAST_PX * unit, _MANY_SIGMAS * usual)
    return [distance < limit for distance in off]


def _measure(
    start: RefineStart, first: int, second: int, place: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far the second ends are from where the first ones should be seen, (M,) pixels."""
    one, two = start.lenses[start.lens_of_view[first]], start.lenses[start.lens_of_view[second]]
    near, far = one.photo_to_pinhole(place[:, :2]), two.photo_to_pinhole(place[:, 2:])
    rays = np.concatenate([near, np.ones((len(near), 1))], axis=1) @ np.linalg.inv(one.K).T
    second_from_first = start.w2c[second] @ invert_rigid(start.w2c[first])
    turned = rays @ second_from_first[:3, :3].T
    shift = second_from_first[:3, 3]
    depth = start.look_up_depth(first, place[:, :2])
    known = np.isfinite(depth)
    seen = _project(turned * np.where(known, depth, 1.0)[:, None] + shift, two.K)
    distance = np.linalg.norm(seen - far, axis=1)
    if not known.all():
        # the line runs from where the point would be if it were infinitely far to the other centre
        end = _project(turned, two.K)
        along = _project(turned + shift / max(float(np.linalg.norm(shift)), 1e-12), two.K) - end
        length = np.linalg.norm(along, axis=1)
        across = np.abs(along[:, 0] * (far - end)[:, 1] - along[:, 1] * (far - end)[:, 0])
        line = np.where(length > 1e-6, across / np.maximum(length, 1e-6), 0.0)  # noqa: PLR2004
        distance = np.where(known, distance, line)
    return np.where(np.isfinite(distance), distance, np.inf)


def _project(local: NDArray[np.float64], K: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return local[:, :2] / local[:, 2:] @ K[:2, :2].T + K[:2, 2]
