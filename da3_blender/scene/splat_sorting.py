# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which splats of an object are shown, and in what order.

Runs in Blender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import splat_inputs as inputs
from .splat_limits import LEAST_ALPHA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..splats.cloud import GaussianCloud


@dataclass(frozen=True)
class SplatFacts:
    """What limits look at, one number per Gaussian.

    Attributes:
        positions: (G, 3) float32, object space.
        opacities: (G,) float32.
        largest: (G,) float32, largest scale.
        stretch: (G,) float32, largest scale over the middle one.
        rank: (G,) int32, place in the order of importance.
        confidence: (G,) float32, or None.
        border: (G,) float32, or None.
        far: (G,) float32, or None.
        neighbours: (G,) int32, or None.
    """

    positions: NDArray[np.float32]
    opacities: NDArray[np.float32]
    largest: NDArray[np.float32]
    stretch: NDArray[np.float32]
    rank: NDArray[np.int32]
    confidence: NDArray[np.float32] | None
    border: NDArray[np.float32] | None
    far: NDArray[np.float32] | None
    neighbours: NDArray[np.int32] | None


def collect_facts(cloud: GaussianCloud, rank: NDArray[np.int32]) -> SplatFacts:
    """Compute once what every change of a limit needs."""
    ordered = np.sort(cloud.scales, axis=1)
    return SplatFacts(
        cloud.positions,
        cloud.opacities,
        ordered[:, 2],
        ordered[:, 2] / np.maximum(ordered[:, 1], np.float32(1e-12)),
        rank,
        cloud.confidence,
        cloud.border,
        cloud.far,
        cloud.neighbours,
    )


def choose_shown(
    facts: SplatFacts, settings: dict[str, Any], crop: NDArray[np.floating] | None = None
) -> NDArray[np.int64]:
    """Return the indices within the limits of the object's settings.

    Args:
        facts: of the cloud.
        settings: of the object.
        crop: (4, 4), crop box from object, or None.
    """
    keep = facts.opacities >= max(settings[inputs.LEAST_OPACITY], LEAST_ALPHA)
    if settings[inputs.BUDGET] > 0:
        keep &= facts.rank < settings[inputs.BUDGET]
    if settings[inputs.LARGEST_SIZE] > 0:
        keep &= facts.largest <= settings[inputs.LARGEST_SIZE]
    if settings[inputs.LARGEST_STRETCH] > 0:
        keep &= facts.stretch <= settings[inputs.LARGEST_STRETCH]
    if facts.confidence is not None:
        keep &= facts.confidence >= settings[inputs.LEAST_CONFIDENCE]
    if facts.border is not None:
        keep &= facts.border >= np.float32(settings[inputs.TRIM_BORDER])
    if facts.far is not None:
        keep &= facts.far <= np.float32(settings[inputs.TRIM_FAR])
    if facts.neighbours is not None:
        keep &= facts.neighbours >= settings[inputs.LEAST_NEIGHBOURS]
    if crop is not None:
        inside = facts.positions @ crop[:3, :3].T + crop[:3, 3]
        keep &= np.abs(inside).max(axis=1) <= 1
    return np.flatnonzero(keep)


def sort_far_to_near(
    positions: NDArray[np.float32], shown: NDArray[np.int64], row: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Order splats for blending.

    Args:
        positions: (G, 3) object space.
        shown: (M,) indices.
        row: (3,) third row of view_from_object; z grows towards the viewer.

    Returns:
        (M,) indices, the farthest first.
    """
    depth = (positions @ row.astype(np.float32)).take(shown)
    return shown[_argsort(depth)]


def _argsort(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Sort float32 numbers exactly: numpy has a radix sort for 16 bits, used twice."""
    bits = values.view(np.uint32)
    # the order of the bit patterns is that of the numbers once negative ones are turned over
    flip = np.where(bits >> np.uint32(31), np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    keys = bits ^ flip
    low = np.argsort((keys & np.uint32(0xFFFF)).astype(np.uint16), kind="stable")
    high = (keys >> np.uint32(16)).astype(np.uint16).take(low)
    return low.take(np.argsort(high, kind="stable"))
