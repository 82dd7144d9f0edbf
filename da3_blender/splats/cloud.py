# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one type for a cloud of 3D Gaussians.

Runs in both processes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COEFFICIENTS: Final = (1, 4, 9, 16)
"""How many numbers of each colour a degree of 0, 1, 2 and 3 has."""
EXTRAS: Final = {
    "views": -1,
    "confidence": np.finfo(np.float32).max,
    "border": 0.5,
    "far": 0.0,
    "neighbours": np.iinfo(np.int32).max,
}
"""Fields that may be None, and what a Gaussian without them gets beside others: none hides it."""


@dataclass(frozen=True)
class GaussianCloud:
    """G Gaussians: density exp(-d^T C^-1 d / 2) around each position, C = R diag(scales^2) R^T.

    Scales are linear and opacities are shares, although most files hold logarithms and logits:
    limits, similarities and shaders all work on the plain numbers.

    Attributes:
        positions: (G, 3) float32, scene units, OpenCV world unless a variable says otherwise.
        scales: (G, 3) float32, standard deviations along the three axes, scene units, >= 0.
        rotations: (G, 4) float32, world_from_axes as wxyz of any length but 0: files hold them
            unnormalised, and they stay as they are.
        opacities: (G,) float32, 0 to 1.
        harmonics: (G, 3, D) float32, D = 1, 4, 9 or 16 coefficients of red, green and blue in the
            order and sign of 3D Gaussian Splatting; display value (sRGB) =
            0.5 + sum of coefficient times basis at the direction from the eye to the Gaussian.
        views: (G,) int32, index of the photo that it comes from, or None.
        confidence: (G,) float32, larger is better, or None.
        border: (G,) float32, 0 to 0.5, distance of its pixel from the nearest edge of its photo as
            a share of that side, or None.
        far: (G,) float32, 0 to 1, share of the Gaussians of its photo that are nearer to the
            camera than it, or None.
        neighbours: (G,) int32, how many other Gaussians are near it, or None.
    """

    positions: NDArray[np.float32]
    scales: NDArray[np.float32]
    rotations: NDArray[np.float32]
    opacities: NDArray[np.float32]
    harmonics: NDArray[np.float32]
    views: NDArray[np.int32] | None = None
    confidence: NDArray[np.float32] | None = None
    border: NDArray[np.float32] | None = None
    far: NDArray[np.float32] | None = None
    neighbours: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: a shape is wrong.
        """
        count = len(self.positions)
        wanted = {"positions": (3,), "scales": (3,), "rotations": (4,), "opacities": ()}
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != (count, *shape):
                message = f"{name} has the shape {found}, not {(count, *shape)}"
                raise ValueError(message)
        if self.harmonics.shape[:2] != (count, 3) or self.harmonics.shape[2:] not in {
            (number,) for number in COEFFICIENTS
        }:
            message = f"harmonics has the shape {self.harmonics.shape}, not ({count}, 3, 1|4|9|16)"
            raise ValueError(message)
        for name in EXTRAS:
            extra = getattr(self, name)
            if extra is not None and extra.shape != (count,):
                message = f"{name} has the shape {extra.shape}, not {(count,)}"
                raise ValueError(message)

    @property
    def count(self) -> int:
        """Return G."""
        return len(self.positions)

    @property
    def degree(self) -> int:
        """Return the degree of the spherical harmonics, 0 to 3."""
        return COEFFICIENTS.index(self.harmonics.shape[2])

    def take(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> GaussianCloud:
        """Return some of the Gaussians, by index or by mask."""
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        every = {item.name: getattr(self, item.name) for item in fields(self)}
        return GaussianCloud(
            **{
                name: None if values is None else values.take(chosen, axis=0)
                for name, values in every.items()
            }
        )

    def limit_degree(self, degree: int) -> GaussianCloud:
        """Return a cloud whose colours have at most this degree."""
        if degree >= self.degree:
            return self
        return replace(self, harmonics=self.harmonics[:, :, : COEFFICIENTS[degree]])


def join_clouds(clouds: Sequence[GaussianCloud]) -> GaussianCloud:
    """Put clouds of one world into one, with the highest of their degrees.

    Args:
        clouds: at least one. What only some of them have gets the value of `EXTRAS` in the others.
    """
    if len(clouds) == 1:
        return clouds[0]
    number = max(COEFFICIENTS[cloud.degree] for cloud in clouds)
    harmonics = [
        np.pad(cloud.harmonics, ((0, 0), (0, 0), (0, number - cloud.harmonics.shape[2])))
        for cloud in clouds
    ]
    return GaussianCloud(
        np.concatenate([cloud.positions for cloud in clouds]),
        np.concatenate([cloud.scales for cloud in clouds]),
        np.concatenate([cloud.rotations for cloud in clouds]),
        np.concatenate([cloud.opacities for cloud in clouds]),
        np.concatenate(harmonics),
        **{name: _join_extra(clouds, name) for name in EXTRAS},
    )


def _join_extra(clouds: Sequence[GaussianCloud], name: str) -> NDArray[np.generic] | None:
    parts = [getattr(cloud, name) for cloud in clouds]
    known = next((part for part in parts if part is not None), None)
    if known is None:
        return None
    return np.concatenate(
        [
            np.full(cloud.count, EXTRAS[name], known.dtype) if part is None else part
            for cloud, part in zip(clouds, parts, strict=True)
        ]
    )


def normalise_rotations(rotations: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give (G, 4) quaternions unit length; those without length become the identity."""
    rotations = np.asarray(rotations, np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rotations, rotations))
    has_none = ~(length > 0)
    unit = rotations / np.where(has_none, 1, length)[:, None]
    unit[has_none] = (1, 0, 0, 0)
    return unit


def find_sound(cloud: GaussianCloud) -> NDArray[np.bool_]:
    """Tell which Gaussians can be drawn: all numbers finite, a rotation, a size.

    Returns:
        (G,) bool.
    """
    total = np.zeros(cloud.count, np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for values in (
            cloud.positions,
            cloud.scales,
            cloud.rotations,
            cloud.harmonics,
            cloud.opacities,
        ):
            flat = values.reshape(cloud.count, -1)
            total += flat @ np.ones(flat.shape[1], np.float32)  # finite if all of them are
        has_rotation = np.einsum("ij,ij->i", cloud.rotations, cloud.rotations) > 0
    return np.isfinite(total) & has_rotation & (cloud.scales.max(axis=1, initial=0) > 0)


def build_covariances(cloud: GaussianCloud) -> NDArray[np.float32]:
    """Return (G, 3, 3) float32, scene units squared."""
    axes = build_axes(cloud.rotations) * cloud.scales[:, None, :]
    return axes @ axes.transpose(0, 2, 1)


def build_axes(rotations: NDArray[np.floating]) -> NDArray[np.float32]:
    """Turn (G, 4) quaternions wxyz of any length into (G, 3, 3) matrices, axes in columns."""
    w, x, y, z = normalise_rotations(rotations).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    matrix = np.empty((len(rotations), 3, 3), np.float32)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            matrix[:, i, j] = value
    return matrix
