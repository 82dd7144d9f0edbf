# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many similarities at once: composition, inverse, exponential and logarithm.

Runs in the engine. A tangent vector is (nu, omega, sigma): translation part, rotation vector in
radians, logarithm of the scale. Source of the closed forms: Strasdat 2012, Local accuracy and
global consistency for efficient visual SLAM, appendix on Sim(3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from ..contract.similarity import Sim3, chain_sim3, identity_sim3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TANGENT: Final = 7
_NEAR_ZERO: Final = 1e-4
"""Below it the closed forms lose more digits than their series leave out."""


class Sim3Batch(NamedTuple):
    """K similarities x' = s R x + t.

    Attributes:
        scales: (K,) float64.
        rotations: (K, 3, 3) float64.
        translations: (K, 3) float64.
    """

    scales: NDArray[np.float64]
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Return K."""
        return len(self.scales)

    def pick(self, chosen: NDArray[np.integer] | slice) -> Sim3Batch:
        """Return some of them."""
        return Sim3Batch(*(part[chosen] for part in self))

    def get(self, index: int) -> Sim3:
        """Return one of them."""
        return Sim3(float(self.scales[index]), self.rotations[index], self.translations[index])


def stack_sim3(items: Sequence[Sim3]) -> Sim3Batch:
    """Put single similarities together."""
    return Sim3Batch(
        np.array([item.scale for item in items], np.float64).reshape(-1),
        np.array([item.rotation for item in items], np.float64).reshape(-1, 3, 3),
        np.array([item.translation for item in items], np.float64).reshape(-1, 3),
    )


def compose(outer: Sim3Batch, inner: Sim3Batch) -> Sim3Batch:
    """Return outer o inner: inner acts first."""
    turned = np.einsum("kij,kj->ki", outer.rotations, inner.translations)
    return Sim3Batch(
        outer.scales * inner.scales,
        outer.rotations @ inner.rotations,
        outer.scales[:, None] * turned + outer.translations,
    )


def invert(batch: Sim3Batch) -> Sim3Batch:
    """Return the inverses."""
    scales = 1 / batch.scales
    rotations = np.swapaxes(batch.rotations, 1, 2)
    turned = np.einsum("kij,kj->ki", rotations, batch.translations)
    return Sim3Batch(scales, rotations, -scales[:, None] * turned)


def accumulate(steps: Sim3Batch) -> Sim3Batch:
    """Chain relative similarities.

    Args:
        steps: K; number k takes node k + 1 to node k.

    Returns:
        K + 1; number k takes node k to node 0.
    """
    nodes = [identity_sim3()]
    for k in range(steps.count):
        nodes.append(chain_sim3(nodes[-1], steps.get(k)))
    return stack_sim3(nodes)


def exponential(tangents: NDArray[np.floating]) -> Sim3Batch:
    """Turn (K, 7) tangent vectors into similarities."""
    tangents = np.asarray(tangents, np.float64)
    nu, omega, sigma = tangents[:, :3], tangents[:, 3:6], tangents[:, 6]
    return Sim3Batch(
        np.exp(sigma),
        Rotation.from_rotvec(omega).as_matrix().reshape(-1, 3, 3),
        np.einsum("kij,kj->ki", _build_v(omega, sigma), nu),
    )


def logarithm(batch: Sim3Batch) -> NDArray[np.float64]:
    """Turn similarities into (K, 7) tangent vectors; rotations below half a turn."""
    omega = Rotation.from_matrix(batch.rotations).as_rotvec().reshape(-1, 3)
    sigma = np.log(batch.scales)
    nu = np.linalg.solve(_build_v(omega, sigma), batch.translations[..., None])[..., 0]
    return np.concatenate((nu, omega, sigma[:, None]), axis=1)


def _build_v(omega: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (K, 3, 3), what turns the translation part into the translation."""
    theta = np.linalg.norm(omega, axis=1)
    scale = np.exp(sigma)
    small_sigma, small_theta = np.abs(sigma) < _NEAR_ZERO, theta < _NEAR_ZERO
    safe_sigma = np.where(small_sigma, 1.0, sigma)
    safe_theta = np.where(small_theta, 1.0, theta)
    a = np.where(small_sigma, 1 + sigma / 2 + sigma**2 / 6, (scale - 1) / safe_sigma)
    length = sigma**2 + safe_theta**2
    sin, cos = np.sin(safe_theta), np.cos(safe_theta)
    b = (scale * sin * sigma + (1 - scale * cos) * safe_theta) / (safe_theta * length)
    c = (a - ((scale * cos - 1) * sigma + scale * sin * safe_theta) / length) / safe_theta**2
    b_straight = np.where(small_sigma, 0.5 + sigma / 3, (scale * (sigma - 1) + 1) / safe_sigma**2)
    c_straight = np.where(
        small_sigma,
        1 / 6 + sigma / 8 + sigma**2 / 20,
        (scale * (sigma**2 - 2 * sigma + 2) - 2) / (2 * safe_sigma**3),
    )
    b, c = np.where(small_theta, b_straight, b), np.where(small_theta, c_straight, c)
    cross = np.zeros((len(theta), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -omega[:, 2], omega[:, 1], -omega[:, 0]
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = omega[:, 2], -omega[:, 1], omega[:, 0]
    return (
        a[:, None, None] * np.eye(3) + b[:, None, None] * cross + c[:, None, None] * (cross @ cross)
    )
