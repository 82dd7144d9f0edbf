# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: no line about speed without the proof that both sides compute the same.

Runs in the benchmark's environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .sides import Maps

Array = np.ndarray

DEPTH_LIMIT = 1e-5
POSE_LIMIT = 1e-4
HALF_PRECISION_LIMIT = 1.2
"""Our bfloat16 may be this much further from float32 than upstream's own."""
GREY_LEVEL_LIMIT = 1.01
"""One grey level and the rounding of float32."""
_HALF_LEVEL = 0.5
LEAST_PSNR = 50.0
_LEAST_SPREAD = np.array([0.229, 0.224, 0.225])[:, None, None]
"""Normalised input per unit of brightness, by colour."""


class GateError(Exception):
    """The two sides do not compute the same."""


@dataclass(frozen=True)
class Check:
    """One comparison: what, the error found, the error allowed."""

    name: str
    error: float
    limit: float

    def __str__(self) -> str:
        """Return a line for people."""
        return f"{self.name}: {self.error:.2e} (limit {self.limit:.1e})"


def check_float32(upstream: Maps, ours: Maps, name: str) -> list[Check]:
    """Compare float32 with float32, as a share of the largest number.

    Raises:
        GateError: a difference is over its limit.
    """
    limits = {"depth": DEPTH_LIMIT, "confidence": DEPTH_LIMIT, "w2c": POSE_LIMIT}
    return _pass_all(
        [
            Check(f"{name}, {part}", _compare(getattr(ours, part), getattr(upstream, part)), limit)
            for part, limit in limits.items()
        ]
    )


def check_bfloat16(truth: Maps, upstream: Maps, ours: Maps, name: str) -> list[Check]:
    """Compare both bfloat16 depths with upstream's float32.

    Raises:
        GateError: ours is more than 1.2 times as far from it as upstream's.
    """
    allowed = HALF_PRECISION_LIMIT * measure_nrmse(upstream.depth, truth.depth)
    error = measure_nrmse(ours.depth, truth.depth)
    return _pass_all([Check(f"{name}, depth in bfloat16", error, allowed)])


def check_photos(upstream: Array, ours: Array) -> tuple[list[Check], float]:
    """Compare prepared photos (N, 3, H, W) in grey levels.

    Returns:
        The check and the share of values that round to the same grey level.

    Raises:
        GateError: sizes differ, or a pixel by more than one grey level.
    """
    if upstream.shape != ours.shape:
        message = f"prepared photos have the shapes {upstream.shape} and {ours.shape}"
        raise GateError(message)
    levels = np.abs(upstream - ours) * _LEAST_SPREAD * 255
    same = float((levels < _HALF_LEVEL).mean())
    check = Check("photos, grey levels", float(levels.max()), GREY_LEVEL_LIMIT)
    return _pass_all([check]), same


def check_fast_photos(upstream: Array, ours: Array) -> float:
    """Compare photos that were decoded at reduced size.

    Returns:
        The peak signal-to-noise ratio in dB, over all photos.

    Raises:
        GateError: sizes differ, or the ratio is below 50 dB.
    """
    if upstream.shape != ours.shape:
        message = f"prepared photos have the shapes {upstream.shape} and {ours.shape}"
        raise GateError(message)
    levels = (upstream - ours) * _LEAST_SPREAD * 255
    psnr = float(10 * np.log10(255**2 / np.mean(levels**2)))
    if not psnr >= LEAST_PSNR:
        message = f"photos of the fast path: {psnr:.1f} dB (at least {LEAST_PSNR:g})"
        raise GateError(message)
    return psnr


def _compare(ours: Array, upstream: Array) -> float:
    if ours.shape != upstream.shape:
        message = f"shapes are {ours.shape} and {upstream.shape}"
        raise GateError(message)
    return float(np.abs(ours - upstream).max() / np.abs(upstream).max())


def measure_nrmse(values: Array, truth: Array) -> float:
    """Return the root of the mean squared error as a share of the range of `truth`."""
    return float(np.sqrt(np.mean((values - truth) ** 2)) / (truth.max() - truth.min()))


def _pass_all(checks: list[Check]) -> list[Check]:
    failed = [check for check in checks if not check.error <= check.limit]
    if failed:
        raise GateError("; ".join(str(check) for check in failed))
    return checks
