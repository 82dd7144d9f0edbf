# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The curve of a zoom: focal lengths of neighbouring frames belong together.

Runs in COLMAP's child process of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.interpolate import make_smoothing_spline
from scipy.signal import medfilt

if TYPE_CHECKING:
    from ..contract.lens import Lens

_FEWEST: Final = 6  # frames that make a curve
_MEDIAN_OF: Final = 5  # frames among which one may be wrong
_WILD: Final = 4.0  # deviations from the running median, as a multiple of their usual size


def smooth_focal(lenses: tuple[Lens, ...]) -> tuple[Lens, ...]:
    """Lay a smooth curve through the focal lengths of the frames of a shot.

    How smooth it is follows from the frames themselves, by generalised cross-validation; frames
    far from their neighbours count little.

    Args:
        lenses: one per frame, in order.

    Returns:
        The same lenses with focal lengths on the curve; fewer than six stay as they are.
    """
    if len(lenses) < _FEWEST:
        return lenses
    focal = np.log([lens.K[0, 0] for lens in lenses])
    rough = medfilt(np.pad(focal, _MEDIAN_OF // 2, mode="edge"), _MEDIAN_OF)
    rough = rough[_MEDIAN_OF // 2 : len(focal) + _MEDIAN_OF // 2]
    off = np.abs(focal - rough)
    usual = max(float(np.median(off)), 1e-9)
    weights = 1 / np.maximum(1.0, off / (_WILD * usual))
    frames = np.arange(len(focal), dtype=float)
    curve = make_smoothing_spline(frames, focal, w=weights)(frames)
    return tuple(
        lens.with_focal(float(value)) for lens, value in zip(lenses, np.exp(curve), strict=True)
    )
